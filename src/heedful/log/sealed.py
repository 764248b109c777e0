"""A log whose bodies are sealed: what is stored can be read as long as the subject's key exists, and no longer.

Reading opens in batches, so that whoever reads sees bodies in the clear, whichever generation of a key they lie
under, and also the bodies of a log from before there was sealing. A body whose key was destroyed counts as
purged. What is stored is sealed before it is begun: by `seal`, which may wait for keys, in the thread that waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, cast

from heedful.log.commit import Writer
from heedful.log.cursor import Cursor
from heedful.log.log import Bodies, BodyStore, Finder, Log, LogReader, Notebook
from heedful.log.selection import Selection
from heedful.vocabulary.errors import Corrupt, Invalid, KeyUnavailable
from heedful.vocabulary.event import Position, Record, Stored
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.receipt import FORGOTTEN, Receipt, Status

SEALED = b"\x80"
"""What begins with this byte or a higher one is sealed. A body in the clear begins with its version (`codec`), and
is of a log from before there was sealing."""

Entry = tuple[EventId, SubjectId, bytes]


class BodyCipher(Protocol):
    """What closes bodies: `vault.cipher.Cipher`."""

    def seal_many(self, entries: Sequence[Entry]) -> Sequence[bytes | None]:
        """Each body sealed, None where the subject's key was destroyed. Raises KeyUnavailable, for all."""

    def open_many(self, entries: Sequence[Entry]) -> Sequence[bytes | None]:
        """Each body, None where its key was destroyed. Raises KeyUnavailable, or Corrupt for one that does not
        open."""


class ReadableLog(LogReader, Bodies, Protocol):
    """A log to read, from its start or by place."""


class StoringLog(Log, BodyStore, Writer, Protocol):
    """Everything that a log does."""


class OpenedLog:
    """Reads `log`, its bodies opened."""

    def __init__(self, log: ReadableLog, cipher: BodyCipher) -> None:
        self._log, self._cipher = log, cipher

    def read(self, after: Cursor, *, limit: int) -> Sequence[Stored]:
        """See `LogReader.read`. Raises KeyUnavailable too; Corrupt also for a body that does not open."""
        while True:
            batch = self._log.read(after, limit=limit)
            found = self._opened(batch)
            if found or not batch:
                return found
            for (
                one
            ) in batch:  # the keys of all of these were destroyed, and an empty answer would mean the end
                after = after.advanced(one.position)

    def fetch(self, positions: Sequence[Position]) -> Sequence[Stored]:
        """See `Bodies.fetch`. Raises as `read` does."""
        return self._opened(self._log.fetch(positions))

    def end(self) -> Cursor:
        """See `LogReader.end`."""
        return self._log.end()

    def places(self, selection: Selection, after: int, span: int) -> Sequence[Position]:
        """See `Finder.places`. Only over a log that is one."""
        return cast(Finder, self._log).places(selection, after, span)

    def noted(self, name: str) -> str | None:
        """See `Finder.noted`; nothing is noted in a log that is none."""
        return cast(Finder, self._log).noted(name) if hasattr(self._log, "noted") else None

    def close(self) -> None:
        """See `LogReader.close`. The keys stay the caller's."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, batch: Sequence[Stored]) -> Sequence[Stored]:
        """`batch` with bodies in the clear, without those whose keys were destroyed."""
        sealed = [one for one in batch if one.record.body[:1] >= SEALED]
        if not sealed:
            return batch
        try:
            bodies = self._cipher.open_many(
                [(r.id, r.subject, r.body) for r in (one.record for one in sealed)]
            )
        except Corrupt as error:
            raise self._located(sealed, error) from error
        opened = [
            None if body is None else Stored(one.position, with_body(one.record, body))
            for one, body in zip(sealed, bodies, strict=True)
        ]
        if len(sealed) == len(batch):
            return [one for one in opened if one is not None]
        in_turn = iter(opened)
        both = (next(in_turn) if one.record.body[:1] >= SEALED else one for one in batch)
        return [one for one in both if one is not None]

    def _located(self, batch: Sequence[Stored], error: Corrupt) -> Corrupt:
        """`error` with the position of the first record that does not open."""
        for one in batch:
            kept = one.record
            try:
                self._cipher.open_many([(kept.id, kept.subject, kept.body)])
            except Corrupt as found:
                return Corrupt(f"the record at position {one.position}: {found}")
        return error


class SealedLog(OpenedLog):
    """Stores into `log`, sealed, and reads it back opened. Nothing is ever stored in the clear."""

    def __init__(self, log: StoringLog, cipher: BodyCipher) -> None:
        super().__init__(log, cipher)
        self._storing = log

    def seal(self, records: Sequence[Record]) -> list[Record | None]:
        """`records` as `begin` takes them, None where the subject's key was destroyed. Keys that are missing are
        made in one durable write. May run in another thread than everything else.

        Raises KeyUnavailable, and then nothing may be stored; Invalid for an id that is no text.
        """
        try:
            sealed = self._cipher.seal_many([(one.id, one.subject, one.body) for one in records])
        except UnicodeEncodeError as error:
            raise Invalid("record_invalid", f"an event id is not valid text: {error.reason}") from error
        return [
            None if body is None else with_body(one, body) for one, body in zip(records, sealed, strict=True)
        ]

    def begin(self, records: Sequence[Record]) -> list[Receipt]:
        """See `Writer.begin`. `records` are as `seal` gave them; raises ValueError for a body in the clear."""
        if not all(record.body[:1] >= SEALED for record in records):
            raise ValueError("a body in the clear is never stored")
        receipts = self._storing.begin(records)
        return [
            self._compared(record, receipt) if receipt.status is Status.REFUSED else receipt
            for record, receipt in zip(records, receipts, strict=True)
        ]

    def commit(self) -> None:
        """See `Writer.commit`."""
        self._storing.commit()

    def append(self, records: Sequence[Record]) -> Sequence[Receipt]:
        """See `Log.append`. A record whose subject's key was destroyed is refused. Raises KeyUnavailable too."""
        sealed = self.seal(records)
        stored = iter(self.begin([record for record in sealed if record is not None]))
        self.commit()
        return [FORGOTTEN if record is None else next(stored) for record in sealed]

    def purge(self, positions: Sequence[Position]) -> int:
        """See `BodyStore.purge`."""
        return self._storing.purge(positions)

    def note(self, name: str, value: str) -> None:
        """See `Notebook.note`. Only over a log that is one."""
        cast(Notebook, self._storing).note(name, value)

    def _compared(self, record: Record, receipt: Receipt) -> Receipt:
        """What `record` is to the record under its id: sealed under another generation, or from before there was
        sealing, a repeat has other bytes. One whose key was destroyed counts as purged, and so as repeated."""
        held = self._log.fetch([receipt.position])
        if not held:
            return receipt  # of the same group, and so under the same key
        try:
            there, mine = self._opened(held), self._opened([Stored(receipt.position, record)])
        except (KeyUnavailable, Corrupt):  # others of the group are begun already: none of them may suffer
            return receipt
        same = not there or not mine or there[0].record.content() == mine[0].record.content()
        return Receipt(Status.DUPLICATE, receipt.position) if same else receipt


def with_body(record: Record, body: bytes) -> Record:
    """`record` around another body."""
    return Record(record.id, record.subject, record.at, record.client, record.sent, record.received, body)
