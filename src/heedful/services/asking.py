"""From a question's names to the pipeline's `Context`: what the server, a replay and a fit ask alike.

There is one way to ask, so that what a replay measures is what a person would have been shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heedful.pipeline.context import Context
from heedful.pipeline.sensitive_items import SensitiveItems
from heedful.views.dictionary import MISSING
from heedful.views.fold import Fold
from heedful.views.person import STRANGER, Person
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant

TRAIL = 6
"""How many of the distinct items that a person touched last are looked at."""

_NONE = np.empty(0, dtype=np.int32)


class Asking:
    """Reads a fold for what a question depends on. One thread owns it and the fold."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._person = Person(fold.history, fold.meanings)
        self._sensitive = SensitiveItems(fold.catalogue)

    def context(
        self,
        subject: SubjectId,
        *,
        limit: int,
        now: Instant,
        page: str = "",
        exclude: Sequence[str] = (),
        as_of: Instant | None = None,
        placement: str = "default",
    ) -> Context:
        """The context of a question for `subject`, NOBODY for nobody in particular, on the page of an item.

        page: an item's id or "". exclude: ids that must not appear. Ids that nobody has heard of are left aside.
        """
        items = self._fold.items
        code = self._fold.subjects.find(subject) if subject else MISSING
        on_page = items.find(page) if page else MISSING
        bearing = STRANGER if code == MISSING else self._person.read(code, TRAIL)
        trail = self._sensitive.without(bearing.touched)
        if on_page != MISSING:
            trail = np.append(np.int32(on_page), trail[trail != on_page])[:TRAIL]
        excluded = [item for item in map(items.find, exclude) if item != MISSING]
        return Context(
            subject=code,
            trail=trail,
            personal=len(trail) - (on_page != MISSING),
            owned=bearing.owned,
            hidden=bearing.hidden,
            excluded=np.array(excluded, dtype=np.int32) if excluded else _NONE,
            as_of=as_of,
            limit=limit,
            now=now,
            placement=placement,
            page=on_page,
        )
