"""What the views derive from what one person did, in words: interests, what they have, what they hid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from heedful.views.dictionary import MISSING
from heedful.views.fold import Fold
from heedful.views.person import Person
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant, iso

_NEWEST = 100


class Profiles:
    """Reads people's profiles from a fold. Nothing but the fold's own rows of them is read."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._person = Person(fold.history, fold.meanings)

    def of(self, subjects: Sequence[SubjectId]) -> dict[str, Any]:
        """The profile of everything under `subjects` together. segments: what they are put into; none exist
        yet."""
        fold = self._fold
        kinds: Counter[str] = Counter()
        interests: Counter[str] = Counter()
        touched: list[str] = []
        owned: set[str] = set()
        hidden: set[str] = set()
        times: list[int] = []
        for code in (fold.subjects.find(subject) for subject in subjects):
            if code == MISSING or not fold.history.count(code):
                continue
            past = fold.history.rows(code)
            times += [int(past.at.min()), int(past.at.max())]
            names = fold.kinds.names
            kinds.update(names[kind] for kind in past.kind.tolist())
            joins = fold.meanings.joins[past.kind] & (past.item >= 0)
            for item, count in zip(*np.unique(past.item[joins], return_counts=True), strict=True):
                for category in fold.catalogue.categories_of(int(item)):
                    interests[category] += int(count)
            bearing = self._person.read(code, _NEWEST)
            touched += [fold.items.ids[item] for item in bearing.touched.tolist()]
            owned |= {fold.items.ids[item] for item in bearing.owned.tolist()}
            hidden |= {fold.items.ids[item] for item in bearing.hidden.tolist()}
        return {
            "pseudonyms": [subject.hex() for subject in subjects],
            "firstSeen": iso(Instant(min(times))) if times else None,
            "lastSeen": iso(Instant(max(times))) if times else None,
            "eventsByKind": dict(sorted(kinds.items())),
            "interests": [
                {"category": name, "events": count} for name, count in interests.most_common(_NEWEST)
            ],
            "recentItems": list(dict.fromkeys(touched))[:_NEWEST],
            "ownedItems": sorted(owned),
            "hiddenItems": sorted(hidden),
            "segments": [],
        }
