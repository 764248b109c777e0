"""Taste, repeat purchase and visits in one pipeline, over a real shop that real events went into."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from heedful.models.factors import Factors, fit
from heedful.models.ials import Settings
from heedful.models.sample import sample
from heedful.pipeline.again_source import BuyAgain, DueNow
from heedful.pipeline.arrangement import Straight
from heedful.pipeline.candidates import Candidates
from heedful.pipeline.context import Context
from heedful.pipeline.exploration import Even, Slots
from heedful.pipeline.filters import NotExcluded, NotOwned
from heedful.pipeline.pipeline import Pipeline, Slate
from heedful.pipeline.ranker import Blend
from heedful.pipeline.reasons import Reasons
from heedful.pipeline.sources import Source
from heedful.pipeline.taste_source import Taste
from heedful.pipeline.visit_sources import BoughtWith, TimedNeighbours
from heedful.views.baskets import Baskets
from heedful.views.pasts import Pasts
from heedful.views.person import Person
from heedful.views.reading import Desk
from heedful.views.replenish import Replenishment
from heedful.views.vstan import Vstan
from heedful.vocabulary.time import DAY, MINUTE, Instant
from tests.services.shop import Shop


class Corner:
    """A shop, and a pipeline over its fold with the sources of this file alone."""

    def __init__(self) -> None:
        self.shop = Shop()
        fold = self.fold = self.shop.engine.fold
        desk = Desk(fold.sessions, fold.items)
        self.pasts = Pasts(fold.history, fold.meanings)
        self.model: Factors | None = None
        replenishment = Replenishment(self.pasts, fold.repeats, fold.catalogue, fold.items)
        due = DueNow(replenishment)
        sources: Sequence[Source] = (
            TimedNeighbours(Vstan(desk)),
            BoughtWith(Baskets(desk, fold.history)),
            Taste(self.pasts, lambda _: self.model),
            BuyAgain(due),
        )
        names = [source.name for source in sources]
        self.pipeline = Pipeline(
            items=fold.items,
            candidates=Candidates(len(sources), lambda: len(fold.items)),
            sources=tuple(sources),
            fallback=(),
            filters=(NotOwned(due),),
            ranker=Blend(names, {**dict.fromkeys(names, 1.0), "again": 9.0}),
            arrangements=lambda diversity, calibration: Straight(),
            twins=NotExcluded(),
            exploration=lambda share: Slots(share, Even()),
        )
        self.reasons = Reasons(self.pipeline.names, fold.catalogue, fold.items)

    def days(self, days: float) -> None:
        self.shop.wait(days * DAY / MINUTE)

    def ask(self, who: str, *, as_of: Instant | None = None) -> Slate:
        fold, now = self.fold, self.shop.clock.now()
        subject = fold.subjects.find(self.shop.engine.recommending._pseudonyms.user(who))
        bearing = Person(fold.history, fold.meanings).read(subject, 6)
        none = np.empty(0, dtype=np.int32)
        context = Context(
            subject,
            bearing.touched,
            len(bearing.touched),
            bearing.owned,
            bearing.hidden,
            none,
            as_of,
            20,
            now,
        )
        return self.pipeline.run(context, seed=1)

    def told(self, slate: Slate) -> dict[str, tuple[str, tuple[str, ...]]]:
        """By item the code of its reason, and the items it names."""
        ids = self.fold.items.ids
        told: dict[str, tuple[str, tuple[str, ...]]] = {}
        for item, source, because in zip(
            slate.items.tolist(), slate.source.tolist(), slate.because.tolist(), strict=True
        ):
            reason = self.reasons.reason(source, because)
            told[ids[item]] = reason.code, tuple(reason.because)
        return told

    def scores(self, source: str) -> dict[str, float]:
        """What a source said in the last question."""
        column = self.pipeline.names.index(source)
        names = [self.fold.items.ids[item] for item in self.pipeline.candidates.items]
        return {
            name: row[column]
            for name, row in zip(names, self.pipeline.candidates.scores.tolist(), strict=True)
            if row[column] > 0
        }


def test_a_thing_bought_every_week_comes_back_when_it_is_due_and_only_then() -> None:
    corner = Corner()
    for week in range(4):
        corner.shop.buys("ada", "milk", order=f"m{week}")
        corner.days(7)
    corner.shop.buys("ada", "tent", order="t")
    assert corner.told(corner.ask("ada")) == {"milk": ("buy_again", ())}
    corner.shop.buys("ada", "milk", order="m4")
    assert corner.told(corner.ask("ada")) == {}
    corner.days(6)
    assert list(corner.told(corner.ask("ada"))) == ["milk"]
    before = Instant(corner.shop.clock.now() - 5 * DAY)
    assert corner.told(corner.ask("ada", as_of=before)) == {}


def test_a_cancelled_order_is_no_repeat() -> None:
    corner = Corner()
    for week in range(2):
        corner.shop.buys("ada", "milk", order=f"m{week}")
        corner.days(7)
    assert list(corner.told(corner.ask("ada"))) == ["milk"]
    corner.shop.does("Order Cancelled", "ada", order_id="m0")
    assert corner.told(corner.ask("ada")) == {}
    assert corner.fold.repeats.known().again == 0


def test_what_was_bought_with_it_within_two_weeks_is_said_to_be() -> None:
    corner = Corner()
    for who in ("bo", "cy"):
        corner.shop.buys(who, "tent", order=f"{who}1")
        corner.days(3)
        corner.shop.buys(who, "pegs", order=f"{who}2")
        corner.days(30)
        corner.shop.buys(who, "kite", order=f"{who}3")
    corner.shop.views("ada", "tent")
    slate = corner.ask("ada")
    assert corner.scores("bought_with") == {"pegs": 1.0}
    assert corner.told(slate)["pegs"] == ("bought_with", ("tent",))


def test_younger_visits_speak_louder_and_ones_own_visit_does_not() -> None:
    corner = Corner()
    corner.shop.views("bo", "tent", "old")
    corner.days(60)
    corner.shop.views("cy", "tent", "young")
    corner.shop.views("ada", "mine", "tent")
    slate = corner.ask("ada")
    scores = corner.scores("vstan")
    assert scores["young"] == 1.0 > scores["old"]
    assert "mine" not in scores
    assert corner.told(slate)["young"] == ("viewed_together", ("tent",))


@pytest.mark.parametrize("small", [1_000, 0])
def test_taste_speaks_for_the_other_things_of_the_own_crowd_once_it_is_fitted(small: int) -> None:
    corner = Corner()
    chance = np.random.default_rng(1)
    for n in range(30):
        crowd = ("tent", "stove", "rope", "lamp") if n % 2 else ("sofa", "vase", "rug", "clock")
        corner.shop.views(f"p{n}", *(crowd[int(i)] for i in chance.permutation(4)[:3]))
    corner.shop.views("ada", "tent", "stove")
    corner.ask("ada")
    assert corner.scores("taste") == {}
    chosen = sample(corner.pasts, corner.fold.subjects, corner.fold.items, seed=1)
    corner.model = fit(chosen, corner.fold.items, ridge=2.0, settings=Settings(factors=4), small=small)
    corner.ask("ada")
    scores = corner.scores("taste")
    assert set(sorted(scores, key=lambda item: scores[item])[-2:]) == {"rope", "lamp"}
    assert not {"tent", "stove"} & set(scores)
    assert corner.ask("nobody knows").items.tolist() == []
    column = corner.pipeline.names.index("taste")
    corner.ask("ada")
    because = corner.pipeline.candidates.because[:, column]
    named = {corner.fold.items.ids[item] for item in because.tolist() if item >= 0}
    assert named <= {"tent", "stove"}
    assert corner.reasons.reason(column, corner.fold.items.code("tent")).text == (
        "Fits what you have turned to over time, such as “tent”"
    )
