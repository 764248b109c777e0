"""How far a reader has come: one offset per partition. On the wire it is an opaque string."""

from __future__ import annotations

import msgspec

from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import MAX_OFFSET, Position, offset_of, partition_of


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Everything up to `offsets[p]` of partition p has been read. Partitions beyond the tuple are at 0."""

    offsets: tuple[int, ...] = ()

    def offset(self, partition: int) -> int:
        return self.offsets[partition] if partition < len(self.offsets) else 0

    def covers(self, other: Cursor) -> bool:
        """Whether this reader is at least as far as `other` in every partition."""
        return all(self.offset(p) >= offset for p, offset in enumerate(other.offsets))

    def advanced(self, place: Position) -> Cursor:
        """This cursor moved forward to include `place`; never backwards."""
        partition, offset = partition_of(place), offset_of(place)
        if self.offset(partition) >= offset:
            return self
        offsets = [self.offset(p) for p in range(max(len(self.offsets), partition + 1))]
        offsets[partition] = offset
        return Cursor(tuple(offsets))

    def encode(self) -> str:
        """The opaque string of the wire."""
        return "v1." + ".".join(str(offset) for offset in self.offsets)


def decode_cursor(text: str) -> Cursor:
    """Read what `Cursor.encode` wrote. Raises Invalid (`position_invalid`) on anything else."""
    version, *parts = text.split(".") if len(text) <= 4_096 else [""]
    if version != "v1" or not all(
        part.isascii() and part.isdigit() and len(part) <= 15 for part in parts if part
    ):
        raise Invalid("position_invalid", "not a position that this server gave out")
    offsets = tuple(int(part) for part in parts if part)
    if any(offset > MAX_OFFSET for offset in offsets):
        raise Invalid("position_invalid", "not a position that this server gave out")
    return Cursor(offsets)
