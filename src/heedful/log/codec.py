"""Events as the bytes that a record carries: one version byte, then MessagePack."""

from __future__ import annotations

import msgspec

from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event

_VERSION = b"\x01"
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Event)


def encode(event: Event) -> bytes:
    """The body of `event`; the same event always has the same bytes."""
    return _VERSION + _encoder.encode(event)


def decode(body: bytes) -> Event:
    """Read what `encode` wrote. Raises Corrupt on anything else."""
    if body[:1] != _VERSION:
        raise Corrupt("this event was written by a later version")
    try:
        return _decoder.decode(memoryview(body)[1:])
    except msgspec.MsgspecError as error:
        raise Corrupt("these bytes are not an event") from error
