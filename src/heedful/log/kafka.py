"""The log on Apache Kafka: many writers, many readers, one order within each partition.

A subject's records share a partition, so that they keep their order. What is appended is acknowledged by every
replica in sync before its receipt is given. Nothing here commits an offset to the broker: a reader's place is the
cursor that stands beside its state, so that both move together.

Kafka has no unique index and destroys nothing on demand: a repeat is stored again, and the fold sees to it that
nothing counts twice. Needs `heedful[kafka]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import msgspec

from heedful.log.cursor import Cursor
from heedful.vocabulary.errors import Corrupt, LogUnavailable, SettingsError
from heedful.vocabulary.event import Position, Record, Stored, offset_of, partition_of, position
from heedful.vocabulary.receipt import Receipt, Status

SECONDS = 10.0
"""How long the broker may take to acknowledge, or to say where a partition ends."""

_AT_ONCE = 500
"""Milliseconds that a read waits for records that the broker has."""

PRODUCER: Mapping[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 1,
    "message.timeout.ms": int(SECONDS * 1_000),
}
CONSUMER: Mapping[str, Any] = {
    "group.id": "heedful",  # the client asks for one; no offset is ever committed under it
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "check.crcs": True,
    "auto.offset.reset": "error",
    "enable.partition.eof": False,
    "fetch.wait.max.ms": 50,
}
"""What is said to the client library, whose own defaults are others."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[int, Record]).decode


class KafkaLog:
    """Reads and appends to one topic, which is made with `partitions` where it is missing.

    Not for two threads at once. Raises SettingsError without the client library, LogUnavailable without a broker.
    """

    def __init__(self, servers: str, topic: str, *, partitions: int = 12, replicas: int = 1) -> None:
        self._kafka = _client()
        where = {"bootstrap.servers": servers}
        self._topic = topic
        self._make_topic(where, partitions, replicas)
        self._producer = self._kafka.Producer({**where, **PRODUCER})
        self._reader = self._kafka.Consumer({**where, **CONSUMER})
        self._looker = self._kafka.Consumer({**where, **CONSUMER})
        described = self._reader.list_topics(topic, timeout=SECONDS).topics[topic]
        self.partitions = len(described.partitions)
        self._reading: dict[int, int] = {}
        self._closed = False

    def append(self, records: Sequence[Record]) -> Sequence[Receipt]:
        """See `Log.append`. Every record is accepted; some may be stored although LogUnavailable is raised, and
        the sender's repeat of them counts once."""
        return self.begin(records)

    def begin(self, records: Sequence[Record]) -> Sequence[Receipt]:
        """See `Writer.begin`; the records are durable on return, because only the broker knows their places."""
        places: list[Position | None] = [None] * len(records)
        failures: list[str] = []

        def told(number: int, error: Any, message: Any) -> None:
            if error is None:
                places[number] = position(message.partition(), message.offset() + 1)
            else:
                failures.append(str(error))

        for number, record in enumerate(records):
            self._produce(number, record, told)
        waiting = self._producer.flush(SECONDS)
        if waiting or failures:
            raise LogUnavailable(f"the broker took {len(records) - waiting - len(failures)} of {len(records)} "
                                 f"records: {(failures or ['no answer in time'])[0]}", retry_after=5)  # fmt: skip
        return [Receipt(Status.ACCEPTED, place) for place in places if place is not None]

    def commit(self) -> None:
        """See `Writer.commit`. Nothing is left to do."""

    def read(self, after: Cursor, *, limit: int) -> Sequence[Stored]:
        """See `Log.read`. Waits only for records that the broker says it has."""
        if after.covers(self.end()):
            return []
        self._stand_at(after)
        found: list[Stored] = []
        while not found:
            for message in self._reader.consume(limit, _AT_ONCE / 1_000):
                stored = _stored(message)
                self._reading[message.partition()] = message.offset() + 1
                found.append(stored)
            if not found and after.covers(self.end()):
                break  # what was there has been taken away by the topic's retention
        return found

    def end(self) -> Cursor:
        """See `Log.end`."""
        ends = []
        for partition in range(self.partitions):
            place = self._kafka.TopicPartition(self._topic, partition)
            _, high = self._reader.get_watermark_offsets(place, timeout=SECONDS)
            ends.append(high)
        return Cursor(tuple(ends)) if any(ends) else Cursor()

    def fetch(self, positions: Sequence[Position]) -> Sequence[Stored]:
        """See `Bodies.fetch`."""
        found = []
        for place in positions:
            self._looker.assign(
                [self._kafka.TopicPartition(self._topic, partition_of(place), offset_of(place) - 1)]
            )
            messages = self._looker.consume(1, SECONDS)
            if messages and messages[0].error() is None and messages[0].offset() == offset_of(place) - 1:
                found.append(_stored(messages[0]))
        return found

    def purge(self, positions: Sequence[Position]) -> int:
        """See `BodyStore.purge`. A broker destroys nothing on demand: what counts is the key of the body."""
        del positions
        return 0

    def close(self) -> None:
        """See `Log.close`."""
        if not self._closed:
            self._closed = True
            self._producer.flush(SECONDS)
            del self._producer  # which goes on looking for the broker as long as it lives
            self._reader.close()
            self._looker.close()

    def _produce(self, number: int, record: Record, told: Any) -> None:
        body = _pack(record)
        value = _pack((crc32(body), msgspec.Raw(body)))
        key = record.subject or record.id.encode()
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key, on_delivery=lambda error, message: told(number, error, message)
                )
                return
            except BufferError:  # the client's own queue is full
                self._producer.poll(0.05)

    def _stand_at(self, after: Cursor) -> None:
        wanted = {partition: after.offset(partition) for partition in range(self.partitions)}
        if self._reading != wanted:
            self._reader.assign(
                [self._kafka.TopicPartition(self._topic, p, offset) for p, offset in wanted.items()]
            )
            self._reading = wanted

    def _make_topic(self, where: Mapping[str, Any], partitions: int, replicas: int) -> None:
        from confluent_kafka import admin as administration

        admin = administration.AdminClient(dict(where))
        settings = {"cleanup.policy": "delete", "retention.ms": "-1", "message.timestamp.type": "CreateTime"}
        made = admin.create_topics(
            [self._kafka.admin.NewTopic(self._topic, partitions, replicas, config=settings)],
            operation_timeout=SECONDS,
        )
        try:
            made[self._topic].result(SECONDS)
        except self._kafka.KafkaException as error:
            if error.args[0].code() != self._kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                raise LogUnavailable(f"no topic {self._topic}: {error}", retry_after=5) from error


def _client() -> Any:
    try:
        import confluent_kafka
    except ImportError as error:
        raise SettingsError(
            f"a log on Kafka needs its client: pip install 'heedful[kafka]' ({error})"
        ) from error
    return confluent_kafka


def _stored(message: Any) -> Stored:
    """The record in a message. Raises Corrupt, naming the position."""
    if message.error() is not None:
        raise LogUnavailable(f"the broker cannot be read: {message.error()}", retry_after=5)
    place = position(message.partition(), message.offset() + 1)
    try:
        checksum, record = _unpack(message.value())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"the record at position {place} cannot be decoded: {error}") from error
    if crc32(_pack(record)) != checksum:
        raise Corrupt(f"the record at position {place} fails its checksum")
    return Stored(place, record)
