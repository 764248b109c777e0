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
    stored there under the same id (a conflict), nothing added; or, with `code` `key_destroyed`, the subject was
    forgotten, nothing added, and `position` is `NOWHERE`.
    """

    status: Status
    position: Position
    code: str = ""


KEY_DESTROYED = "key_destroyed"
NOWHERE = Position(0)
FORGOTTEN = Receipt(Status.REFUSED, NOWHERE, KEY_DESTROYED)
