"""Events to body bytes and back: one version byte, then MessagePack.

Every version that ever was written stays readable: its golden bytes are in the tests. A new field goes to the
end of `Event` with a default, and needs no new version; a change of meaning does.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event

VERSION = 1

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Event).decode

_READERS: dict[int, Callable[[memoryview], Event]] = {1: _unpack}
"""How each version is read."""


def encode(event: Event) -> bytes:
    """The body bytes of `event`."""
    return b"\x01" + _pack(event)


def decode(body: bytes) -> Event:
    """The event in `body`. Raises Corrupt if the bytes are no event of a version that we know."""
    if not body:
        raise Corrupt("the body is empty")
    reader = _READERS.get(body[0])
    if reader is None:
        raise Corrupt(f"the body has version {body[0]}; this Heedful reads versions up to {VERSION}")
    try:
        return reader(memoryview(body)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"the body cannot be decoded: {error}") from error
