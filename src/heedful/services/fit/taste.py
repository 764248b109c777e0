"""Long-term taste on a schedule: fitted to a bounded sample of what a fold knows, in a replay as in service.

A fit depends on the rows before its moment and a seed, and on nothing that numbers them. In service a process
beside the server fits and the shelf hands the model on; in a replay the fold is fitted to when the same schedule
says so, so that a ranker learns from a model as old as the one it will meet.
"""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary, ref

from heedful.models import factors
from heedful.models.factors import SMALL, Factors
from heedful.models.sample import Sample, sample
from heedful.models.shelf import Facts, Shelf, Version
from heedful.views.fold import Fold
from heedful.views.pasts import Pasts
from heedful.vocabulary.consent import LEARNING
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.time import Instant

TASTE = "taste"
"""The place on the shelf of models."""

GROWTH = 1.1
"""A fit is due again when the log is so many times as long as at the last one."""

PEOPLE, PER_PERSON, SUPPORT = 50_000, 200, 2
RIDGE = 300.0
FEWEST = 2
"""Items that a model must relate."""


class Tasted(NamedTuple):
    """A fitted model and what it was fitted to."""

    model: Factors
    sample: Sample


def tasted(fold: Fold, *, at: Instant | None = None, seed: int = 7, small: int = SMALL) -> Tasted:
    """Fit to what `fold` knows of the time up to `at`. small: up to so many items are fitted by EASE.

    Raises Invalid (`nothing_to_ask`) where no two items have people in common to be found.
    """
    found = sample(
        Pasts(fold.history, fold.meanings, LEARNING), fold.subjects, fold.items, seed=seed, at=at, people=PEOPLE,
        per_person=PER_PERSON, support=SUPPORT,
    )  # fmt: skip
    if len(found.keys) < FEWEST:
        raise Invalid("nothing_to_ask", "too few people touched the same items for a taste to be fitted")
    return Tasted(factors.fit(found, fold.items, seed=seed, ridge=RIDGE, small=small), found)


class Refitted:
    """In a replay: the model that the schedule would have put in force at the moment of a question.

    least: records before the first fit. growth: from one fit to the next, above 1.
    """

    def __init__(self, fold: Fold, *, least: int = 1_000, growth: float = GROWTH, seed: int = 7) -> None:
        self._fold, self._seed = ref(fold), seed  # `refitted` keeps us for as long as the fold is there
        self._due, self._growth = float(least), growth
        self._model: Factors | None = None
        self.fits = 0

    def __call__(self, at: Instant) -> Factors | None:
        """The model for a question at `at`; None before there is one."""
        fold = self._fold()
        if fold is None:
            return None
        place = sum(fold.cursor.offsets)
        if place >= self._due:
            self._due = place * self._growth
            try:
                self._model = tasted(fold, at=at, seed=self._seed).model
                self.fits += 1
            except Invalid:
                self._model = None  # nothing to relate yet
        return self._model


_REPLAYED: WeakKeyDictionary[Fold, Refitted] = WeakKeyDictionary()


def refitted(fold: Fold) -> Refitted:
    """The one schedule of a fold that replays, however many pipelines go by it."""
    found = _REPLAYED.get(fold)
    if found is None:
        found = _REPLAYED[fold] = Refitted(fold)
    return found


def fit_taste(fold: Fold, position: str, shelf: Shelf, *, seed: int = 7, era: str | None = None) -> Version:
    """Fit to `fold`, which stands at `position`, and put the model in force in its place on the shelf.

    era: of the shelf before the fold was read; a model that learned from somebody forgotten since stays a
    candidate and is stale. Where there is nothing to learn from any more, a model that is stale goes out of
    force. Raises Invalid where there is nothing to learn from, Corrupt, OSError.
    """
    try:
        model, learned = tasted(fold, seed=seed)
    except Invalid:
        before = shelf.in_force(TASTE)
        if before is not None and before.stale:
            shelf.rollback(TASTE)  # without who was forgotten there is nothing, so nothing of them may answer
        raise
    facts = Facts(
        kind=model.name, position=position, seed=seed, features=(), place=TASTE,
        settings={"people": PEOPLE, "per_person": PER_PERSON, "support": SUPPORT, "ridge": RIDGE},
        learned={
            "people": len(learned.starts) - 1, "items": len(learned.keys), "touches": len(learned.items),
        },
    )  # fmt: skip
    version = shelf.add(facts, model.state(), era=era)
    if not version.stale:
        version = shelf.promote(version.id)
    shelf.prune()
    return version
