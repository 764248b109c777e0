"""What became of an event that was sent to us."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from heedful.vocabulary.event import Position


class Status(StrEnum):
    """The fate of one event, said in the answer."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What the log did with one record.

    ACCEPTED: stored at `position`. DUPLICATE: already stored there, nothing added. REFUSED: another body is
    stored there under the same id (a conflict), nothing added.
    """

    status: Status
    position: Position
