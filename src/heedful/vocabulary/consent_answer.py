"""What somebody chose, what it comes to and the proof of it, as it stands on the wire (camel case, JSON)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from heedful.vocabulary.consent import Receipt, State


class ToldChoice(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One choice. received: when it arrived, which is the order of choices. made: since when a grant counts."""

    purpose: str
    state: State
    received: datetime
    made: datetime
    expires: datetime | None = None
    notice_version: int = 0
    explicit: bool = False
    by_guardian: bool = False


class ToldPurpose(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What holds for one purpose now. why: the voice that decided. state: of the choice in force, "" for none.

    since: what happened before it does not count; left out where nothing is cut off.
    """

    allowed: bool
    why: str
    mechanism: str
    basis: str
    state: str = ""
    since: datetime | None = None
    expires: datetime | None = None


class ConsentAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Everything about the consent of one person, over both of the ids that were asked about.

    choices: oldest first. purposes: by id. receipts: one per call that chose something, oldest first; empty where
    nothing is kept on disk.
    """

    choices: list[ToldChoice]
    purposes: dict[str, ToldPurpose]
    receipts: list[Receipt]
