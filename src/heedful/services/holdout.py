"""Who gets popular items only, so that what personalization is worth is always measured.

Whether a subject is held out is a function of their pseudonym, the installation's key and the share: the same on
every replica and after every restart, and independent of every other lot that is drawn for them. Who is held out
at a share is held out at every larger one. Questions without a person hold nobody out.
"""

from __future__ import annotations

from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.ids import NOBODY, SubjectId

_SALT = "holdout"
_WHOLE = 1 << 64


class Holdout:
    """The default holdout. share: of all people, 0 to 0.5."""

    def __init__(self, pseudonyms: Pseudonyms, share: float) -> None:
        self._pseudonyms = pseudonyms
        self.share = share

    def holds(self, subject: SubjectId, share: float | None = None) -> bool:
        """Whether `subject` is held out; `share` stands in for ours where a placement has its own."""
        share = self.share if share is None else share
        if subject == NOBODY or share <= 0.0:
            return False
        return self._pseudonyms.lot(_SALT, subject) < share * _WHOLE
