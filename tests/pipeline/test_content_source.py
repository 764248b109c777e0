"""Sources that propose by description, in a small shop with a whole pipeline around them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.pipeline.candidates import Candidates
from heedful.pipeline.content_source import ALIKE, Fresh, SimilarContent, joined
from heedful.pipeline.context import Context
from heedful.pipeline.reasons import Reasons
from heedful.pipeline.sources import Source
from heedful.views.catalogue import Catalogue, ItemChange
from heedful.views.content import Content
from heedful.views.traits import Traits
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import DAY, HOUR, Instant, instant
from tests.views.world import Row, World

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
NONE = np.empty(0, dtype=np.int32)


class Shop:
    def __init__(self, **fresh: Any) -> None:
        self.world = World()
        self.items = self.world.items
        self.catalogue = Catalogue(self.items)
        self.content = Content(self.catalogue, self.items)
        traits = Traits(self.catalogue, self.items)
        self.similar = SimilarContent(self.content, self.items)
        self.fresh = Fresh(self.content, traits, self.world.sessions, **fresh)
        self.candidates = Candidates(2, lambda: len(self.items))
        self._said = 0

    def say(self, name: str, title: str, at: Instant | None = None, **fields: Any) -> None:
        self._said += 1
        item = Item(ItemId(name), title=title, **fields)
        when = Instant(0) if at is None else at
        self.catalogue.apply([ItemChange(self.items.code(name), when, self._said, item)])

    def touched(self, name: str, times: int) -> None:
        self.world.apply([Row(n, 1_000 * len(name) + n, 0, f"s{n}", name) for n in range(times)])

    def ask(self, *trail: str, limit: int = 10, **known: Any) -> list[tuple[str, str, str]]:
        """What each source proposes: (source, item, what it is like), best first."""
        context = Context(
            subject=0, trail=np.array([self.items.find(name) for name in trail], dtype=np.int32), personal=0,
            owned=NONE, hidden=NONE, excluded=NONE, as_of=None, limit=limit, now=instant(NOW),
        )._replace(**known)  # fmt: skip
        self.candidates.clear()
        found = []
        sources: tuple[Source, ...] = (self.similar, self.fresh)
        for column, source in enumerate(sources):
            count = source.propose(context, self.candidates, column, limit=limit)
            scores, because = self.candidates.scores[:, column], self.candidates.because[:, column]
            there = [row for row in np.argsort(-scores, kind="stable") if because[row] >= 0]
            assert len(there) == count
            ids = self.items.ids
            found += [(source.name, ids[self.candidates.items[row]], ids[because[row]]) for row in there]
        return found


def test_an_item_that_nobody_touched_is_proposed_beside_what_it_is_like() -> None:
    shop = Shop()
    shop.say("lamp", "Red desk lamp")
    shop.say("pot", "Tea pot of clay")
    assert shop.ask("lamp") == []
    shop.say("new", "Blue desk lamp")
    assert shop.ask("lamp") == [("similar", "new", "lamp")]
    assert shop.ask("pot", "lamp") == [("similar", "new", "lamp")]
    shop.say("cup", "Tea cup of clay")
    assert shop.ask("pot", "lamp") == [("similar", "cup", "pot"), ("similar", "new", "lamp")]
    assert shop.ask() == []
    assert shop.ask("never described") == []


def test_what_is_new_and_like_the_trail_is_proposed_until_many_touched_it() -> None:
    shop = Shop(days=7, few=3)
    today = instant(NOW)
    shop.say("lamp", "Red desk lamp")
    shop.say("old", "Green desk lamp", Instant(today - 8 * DAY))
    shop.say("new", "Blue desk lamp", Instant(today - 6 * DAY))
    shop.say("newer", "Blue desk and shelf", published=NOW - timedelta(hours=3))
    shop.say("coming", "Gold desk lamp", published=NOW + timedelta(days=1))
    shop.say("other", "Tea cup", Instant(today))
    fresh = [one for one in shop.ask("lamp") if one[0] == "fresh"]
    assert fresh == [("fresh", "new", "lamp"), ("fresh", "newer", "lamp")]
    assert ("fresh", "coming", "lamp") in shop.ask("lamp", now=Instant(today + 2 * DAY))
    assert ("fresh", "old", "lamp") in shop.ask("lamp", as_of=Instant(today - 2 * DAY))
    assert ("fresh", "new", "lamp") not in shop.ask("lamp", now=Instant(today + DAY + HOUR))
    shop.touched("new", 2)
    assert ("fresh", "new", "lamp") in shop.ask("lamp")
    shop.touched("newer", 3)
    assert ("fresh", "newer", "lamp") not in shop.ask("lamp")
    shop.say("new", "Tea pot", Instant(today))
    assert [one for one in shop.ask("lamp") if one[0] == "fresh"] == []


def test_the_reason_names_what_the_item_is_like() -> None:
    shop = Shop()
    shop.say("lamp", "Red desk lamp")
    reasons = Reasons(("similar", "fresh"), shop.catalogue, shop.items)
    similar, fresh = (reasons.reason(source, shop.items.find("lamp")) for source in (0, 1))
    assert (similar.code, similar.text) == ("similar", "Described much like “Red desk lamp”")
    assert (fresh.code, fresh.text) == ("new_similar", "New here, and much like “Red desk lamp”")
    assert similar.because == fresh.because == ("lamp",)


LISTS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from([ALIKE - 1, ALIKE, 2 * ALIKE, 4 * ALIKE])),
        max_size=6,
        unique_by=lambda one: one[0],
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(lists=LISTS, limit=st.integers(1, 12))
def test_joining_lists_agrees_with_its_slow_twin(lists: list[list[tuple[int, int]]], limit: int) -> None:
    keys = np.array([7, 3, 9, 1, 5, 5, 2, 8, 6, 4], dtype=np.uint64)
    trail = np.array([21, 22, 23], dtype=np.int32)
    lists = [sorted(one, key=lambda each: (-each[1], keys[each[0]])) for one in lists]
    best: dict[int, tuple[int, int]] = {}
    for place, one in enumerate(lists):
        for item, score in one:
            share = score >> place
            if score >= ALIKE and share > best.get(item, (0, 0))[0]:
                best[item] = (share, int(trail[place]))
    expected = sorted(((share, item, why) for item, (share, why) in best.items()), key=lambda x: -x[0])[
        :limit
    ]
    flat = [each for one in lists for each in one]
    items, scores, because = joined(
        np.array([item for item, _ in flat], dtype=np.int32),
        np.array([score for _, score in flat], dtype=np.int64),
        np.cumsum([len(one) for one in lists]),
        trail[: len(lists)],
        keys,
        limit,
    )
    assert scores.tolist() == [share for share, _, _ in expected]
    assert [best[item] for item in items.tolist()] == list(
        zip(scores.tolist(), because.tolist(), strict=True)
    )
    assert len(set(items.tolist())) == len(items)
    places = [(-score, int(keys[item])) for item, score in zip(items.tolist(), scores.tolist(), strict=True)]
    assert places == sorted(places)
