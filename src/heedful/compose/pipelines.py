"""Which sources, filters and rankers make a pipeline, for each placement and for who is held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from weakref import WeakKeyDictionary

from heedful.models import factors
from heedful.models.factors import Factors
from heedful.models.kinds import ranker_in_force
from heedful.models.shelf import Shelf
from heedful.pipeline.again_source import BuyAgain, DueNow
from heedful.pipeline.arrangement import Arrangement, arrangement_of
from heedful.pipeline.candidates import Candidates
from heedful.pipeline.content_source import Fresh, SimilarContent
from heedful.pipeline.duplicates import NotTwice
from heedful.pipeline.exploration import Exploration, Slots, UnderExposed
from heedful.pipeline.features import Features
from heedful.pipeline.filters import NotExcluded, NotHidden, NotOwned, NotThisPage, Servable
from heedful.pipeline.kinship import Kinship
from heedful.pipeline.less import NotHiddenCategory
from heedful.pipeline.pipeline import Pipeline
from heedful.pipeline.ranker import Blend, Learned
from heedful.pipeline.sensitive_items import NotSensitive, SensitiveItems
from heedful.pipeline.sources import (
    BoughtTogether,
    Newest,
    NextItems,
    Pins,
    SessionNeighbours,
    Source,
    Trending,
    TrendingInCategory,
)
from heedful.pipeline.taste_source import Taste
from heedful.pipeline.visit_sources import BoughtWith, SharedPast, TimedNeighbours
from heedful.services.fit.taste import TASTE
from heedful.views.baskets import Baskets
from heedful.views.companions import Companions
from heedful.views.content import Content
from heedful.views.cooccurrence import Cooccurrence
from heedful.views.fold import Fold
from heedful.views.neighbours import Neighbours
from heedful.views.pasts import Pasts
from heedful.views.reading import Desk
from heedful.views.replenish import Replenishment
from heedful.views.rules import Rules
from heedful.views.traits import Traits
from heedful.views.vstan import Vstan
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.time import Instant

WEIGHTS = {
    "vstan": 1.0,
    "sessions": 1.0,
    "next": 0.2,
    "together": 0.1,
    "similar": 0.03,
    "fresh": 0.03,
    "again": 0.3,
    "category_7d": 0.03,
    "trending_1d": 0.02,
    "trending_7d": 0.02,
    "trending_30d": 0.01,
    "newest": 0.01,
}
"""What each source's normalised score is worth until a fitted ranker is in force. Sources that are not named here
(`bought_with`, `companions`, `taste`, `trending_6h`) work where a placement names them."""

POPULAR = ("trending_1d", "trending_7d")
"""The sources for people who are held out: nothing that goes by a person or a page."""

RANKER = "ranker"
"""The place on the shelf of models. A placement has its own ranker at `ranker:<name>`, or else the general one."""

MOST_PIPELINES = 32
"""Choices of sources whose pipelines are kept; drafts bring ever new ones."""

ENOUGH = 20.0
"""Decayed weight, over the 30-day trend, from which an item has been seen enough to need no exploration."""


SEEN = 0.1
"""What an item that was seen enough gets of the chance in an exploring place, beside 1 for one never seen."""


class Pipelines:
    """The pipelines over one fold. They share readers, and the fitted models that are in force.

    shelf: where fitted models are kept; None for none.
    taste: in a replay, the model of long-term taste at a moment, in place of the shelf's.
    """

    def __init__(
        self,
        fold: Fold,
        shelf: Shelf | None = None,
        *,
        taste: Callable[[Instant], Factors | None] | None = None,
    ) -> None:
        self._fold, self._shelf = fold, shelf
        self._traits, self._content = Traits(fold.catalogue, fold.items), Content(fold.catalogue, fold.items)
        self._kin = Kinship(self._traits, self._content)
        self._taste: Factors | None = None
        self._taste_id = ""
        self._tastes = False
        self._made: dict[tuple[object, ...], Pipeline] = {}
        # Whoever holds a pipeline that is kept here no longer must not go on with an old model.
        self._rankers: WeakKeyDictionary[Learned, str] = WeakKeyDictionary()
        self._stamp: object = None
        desk = Desk(fold.sessions, fold.items)
        pasts = Pasts(fold.history, fold.meanings)
        self._due = DueNow(Replenishment(pasts, fold.repeats, fold.catalogue, fold.items))
        self._sources: tuple[Source, ...] = (
            TimedNeighbours(Vstan(desk)),
            SessionNeighbours(Neighbours(desk)),
            NextItems(Rules(desk)),
            BoughtTogether(Cooccurrence(desk)),
            BoughtWith(Baskets(desk, fold.history)),
            SharedPast(
                Companions(fold.sessions, fold.history, fold.items, fold.subjects, fold.meanings), pasts
            ),
            SimilarContent(self._content, fold.items),
            Fresh(self._content, self._traits, fold.sessions),
            BuyAgain(self._due),
            Taste(pasts, taste or (lambda _: self._taste)),
            TrendingInCategory(fold.trends, fold.catalogue, "7d"),
            Trending(fold.trends, "6h"),
            Trending(fold.trends, "1d"),
            Trending(fold.trends, "7d"),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The sources a placement may name."""
        return (*(source.name for source in self._sources), "trending_30d", "newest")

    def of(self, placement: Placement) -> Pipeline:
        """The pipeline for a placement, and for what every placement without a definition gets."""
        weights = WEIGHTS if placement.sources is None else placement.sources
        key = (placement.name, *sorted(weights.items()))
        if key not in self._made:
            if len(self._made) == MOST_PIPELINES:
                self._made.pop(next(iter(self._made)))
            pipeline, ranker = self._build(weights)
            self._tastes = self._tastes or weights.get(Taste.name, 0.0) > 0.0
            self._made[key] = pipeline
            self._rankers[ranker] = placement.name
            self._adopt(placement.name, ranker)
        return self._made[key]

    def popular(self) -> Pipeline:
        """What people get who are held out."""
        return self._build({name: WEIGHTS[name] for name in POPULAR})[0]

    def tasting(self) -> bool:
        """Whether any placement that was asked for goes by long-term taste."""
        return self._tastes

    def refresh(self) -> None:
        """Bring what is derived from the catalogue up to date, so that the next question does not wait for it."""
        self._content.refresh()
        self._traits.refresh()

    def look(self) -> bool:
        """Take up what was promoted or rolled back meanwhile, by any process; returns whether anything was."""
        if self._shelf is None:
            return False
        stamp = self._shelf.stamp()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self._taste_id, self._taste = self._tasted()
        for ranker, placement in list(self._rankers.items()):
            self._adopt(placement, ranker)
        return True

    def _adopt(self, placement: str, ranker: Learned) -> None:
        """Give the ranker of a placement its own model, or else the general one, or else none."""
        ranker.drop()
        for place in (RANKER, f"{RANKER}:{placement}"):
            found = None if self._shelf is None else ranker_in_force(self._shelf, place)
            if found is not None and found.version is not None and found.ranker is not None:
                ranker.adopt(found.version.id, found.ranker)

    def _tasted(self) -> tuple[str, Factors | None]:
        if self._shelf is None:
            return "", None
        try:
            version = self._shelf.in_force(TASTE)
            if version is None:
                return "", None
            arrays = self._shelf.arrays(version.id)
            return version.id, factors.restore(version.facts.kind, arrays, self._fold.items)
        except (HeedfulError, OSError):
            return "", None  # damaged: serve without

    def _build(self, weights: Mapping[str, float]) -> tuple[Pipeline, Learned]:
        """A pipeline with the sources that have a weight; what fills up is always there."""
        fold = self._fold
        sources = (*(source for source in self._sources if weights.get(source.name, 0.0) > 0.0), Pins())
        fallback: tuple[Source, ...] = (Trending(fold.trends, "30d"), Newest(fold.catalogue))
        names = tuple(source.name for source in (*sources, *fallback))
        weighed = {**{source.name: WEIGHTS[source.name] for source in fallback}, **weights}
        ranker = Learned(Blend(names, weighed), Features(fold, names))
        exposure = UnderExposed(lambda items: fold.trends.scores("30d", items), ENOUGH, rest=SEEN)

        @lru_cache(maxsize=MOST_PIPELINES)
        def arranged(diversity: float, calibration: float) -> Arrangement:
            return arrangement_of(self._kin, diversity=diversity, calibration=calibration)

        def explored(share: float) -> Exploration:
            return Slots(share, exposure, rejoin=False)

        pipeline = Pipeline(
            items=fold.items,
            candidates=Candidates(len(sources) + len(fallback), lambda: len(fold.items)),
            sources=sources,
            fallback=fallback,
            filters=(
                Servable(fold.catalogue),
                NotThisPage(),
                NotExcluded(),
                NotOwned(self._due),
                NotHidden(),
                NotHiddenCategory(fold.catalogue, fold.items),
                NotSensitive(SensitiveItems(fold.catalogue)),
            ),
            ranker=ranker,
            arrangements=arranged,
            twins=NotTwice(self._kin, fold.items, titles=False),
            exploration=explored,
            taste=(lambda: self._taste_id) if weights.get(Taste.name, 0.0) > 0.0 else str,
        )
        return pipeline, ranker


def pipeline_of(fold: Fold, weights: Mapping[str, float] = WEIGHTS) -> Pipeline:
    """One pipeline over a fold, without fitted models."""
    return Pipelines(fold).of(Placement(name="default", sources=dict(weights)))
