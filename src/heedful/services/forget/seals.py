"""What forgetting needs of the vault, in one place: snapshots under a new key, and the end of a person's key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant


class Seals(Protocol):
    """The keys under which events and files lie. Every method may be called again after a crash."""

    def turn(self) -> None:
        """Begin a new epoch: files made from now on do not lie under the keys of older ones."""

    def end_older_files(self) -> None:
        """Make the files of every older epoch unreadable, the copies in backups too."""

    def destroy(self, subjects: Sequence[SubjectId]) -> Instant | None:
        """Destroy the keys of `subjects`, for good; since when they are gone, None where there were none."""

    def wipe(self) -> bool:
        """Whether no byte of a destroyed key is left in the files of the keys; tries to see to it."""


class NoSeals:
    """`Seals` where nothing is sealed."""

    def turn(self) -> None:
        """There are no epochs."""

    def end_older_files(self) -> None:
        """Files that are not sealed are deleted, and no more can be done."""

    def destroy(self, subjects: Sequence[SubjectId]) -> Instant | None:  # noqa: ARG002
        """There are no keys."""
        return None

    def wipe(self) -> bool:
        return True
