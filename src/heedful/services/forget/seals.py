"""What forgetting needs of the vault, in one place: snapshots under a new key, and the end of a person's key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant


class Seals(Protocol):
    """The keys under which events and files lie. Every method may be called again after a crash."""

    def turn(self) -> int:
        """Begin a new epoch and say its number: what is sealed from now on does not lie under older keys."""

    def destroy(self, subjects: Sequence[SubjectId]) -> Instant | None:
        """Destroy the keys of `subjects`, for good; since when they are gone, None where there were none."""

    def wipe(self) -> bool:
        """Whether no byte of a destroyed key is left in the files of the keys; tries to see to it."""
