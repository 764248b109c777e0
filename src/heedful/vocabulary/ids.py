"""Names of things. Ids are strings at the edge, pseudonyms or dense integers inside."""

from __future__ import annotations

from typing import NewType

EventId = NewType("EventId", str)
"""`source:messageId`: what makes an event itself. At most 200 characters."""

SubjectId = NewType("SubjectId", bytes)
"""A person's keyed pseudonym, 16 bytes. `NOBODY` where an event is about no person."""

ItemId = NewType("ItemId", str)
"""An item's id in the operator's own words: 1 to 200 characters."""

DecisionId = NewType("DecisionId", str)
"""The id of one answer given to anyone."""

NOBODY = SubjectId(b"")
