"""What is due to be had again is what the stated formula says of the live rows, and only that."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from heedful.views.catalogue import Catalogue, ItemChange
from heedful.views.meanings import Meanings
from heedful.views.pasts import Pasts
from heedful.views.repeats import Repeats
from heedful.views.replenish import PROPERTY, Replenishment, Rule
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.kinds import PURCHASE, REFUND, VIEW
from heedful.vocabulary.time import DAY, Instant

from .world import Row, World, histories

RULE = Rule(enough=2, least=0.4, own=2, early=0.25)


class Shop:
    """A world with what is due in it."""

    def __init__(self, rule: Rule | None = RULE) -> None:
        self.world = World()
        meanings = Meanings(self.world.kinds)
        self.repeats = Repeats(self.world.history, self.world.items, meanings.seen)
        self.catalogue = Catalogue(self.world.items)
        pasts = Pasts(self.world.history, meanings)
        self.reader = Replenishment(pasts, self.repeats, self.catalogue, self.world.items, rule)

    def apply(self, rows: list[Row]) -> None:
        columns = self.world.rows(rows)
        self.world.history.apply(columns)
        self.repeats.apply(columns)

    def retract(self, rows: list[Row]) -> None:
        columns = self.world.rows(rows)
        self.world.history.retract(columns)
        self.repeats.retract(columns)

    def say(self, item: str, at: int, **properties: Any) -> None:
        code = self.world.items.code(item)
        self.catalogue.ensure(code + 1)
        said = Item(ItemId(item), properties=properties)
        self.catalogue.apply([ItemChange(code, Instant(at), at, said)])

    def due(self, who: str, day: float) -> dict[str, float]:
        found = self.reader.read(self.world.subject(who), Instant(int(day * DAY)))
        assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
        return dict(zip(self.world.names(found.items), found.scores.tolist(), strict=True))


def slow(rows: list[Row], who: str, at: int, said: dict[str, bool], rule: Rule) -> dict[str, float]:
    """The slow twin."""
    days: dict[str, dict[str, list[int]]] = {}
    for row in sorted(rows):
        if row.item is not None and row.kind == PURCHASE:
            days.setdefault(row.item, {}).setdefault(row.subject, []).append(row.at)
    sums = {}
    for item, by in days.items():
        sets = [sorted({when // DAY for when in had}) for had in by.values()]
        sums[item] = (
            len(sets), sum(len(s) > 1 for s in sets), sum(len(s) - 1 for s in sets),
            sum(s[-1] - s[0] for s in sets),
        )  # fmt: skip
    buyers, again, gaps, between = (sum(column) for column in zip((0, 0, 0, 0), *sums.values(), strict=True))
    usual_gap, usual_rate = between / gaps if gaps else 30.0, again / buyers if buyers else 0.0
    due = {}
    for item, by in days.items():
        had = [when for when in by.get(who, []) if when <= at]
        returned = [r.at for r in rows if (r.subject, r.item, r.kind) == (who, item, REFUND) and r.at <= at]
        own = [row for row in sorted(rows) if row.subject == who and row.item == item and row.at <= at]
        last = [row.kind for row in own if row.kind in (PURCHASE, REFUND)]
        if not had or (returned and last[-1] == REFUND):
            continue
        n = len({when // DAY for when in had})
        has, twice, number, span = sums[item]
        learned = n >= rule.own or (has >= rule.enough and twice >= rule.least * has)
        if not said.get(item, learned):
            continue
        gap = (span + 10 * usual_gap) / (number + 10)
        rate = (twice + 20 * usual_rate) / (has + 20)
        expected = ((max(had) - min(had)) / DAY + 2 * gap) / (n - 1 + 2)
        if (at - max(had)) / DAY >= rule.early * expected:
            due[item] = max(1e-12, (n - 1 + 2 * rate) / ((at - min(had)) / DAY + 2 * gap))
    return due


@configured(max_examples=150, deadline=None)
@given(
    histories(50), st.randoms(use_true_random=False), st.integers(-30, 200),
    st.dictionaries(st.sampled_from([f"i{n}" for n in range(1, 7)]), st.booleans(), max_size=3),
)  # fmt: skip
def test_what_is_due_is_what_the_formula_says(
    drawn: list[Row], chance: random.Random, day: int, said: dict[str, bool]
) -> None:
    rows = [
        row._replace(
            at=row.at * DAY // 3, quantity=1, kind={"own": REFUND, VIEW: VIEW}.get(row.kind, PURCHASE)
        )
        for row in drawn
    ]
    shop = Shop()
    chance.shuffle(rows)
    shop.apply(rows)
    gone = rows[: len(rows) // 4]
    shop.retract(gone)
    for place, (item, word) in enumerate(said.items()):
        shop.say(item, place + 1, **{PROPERTY: word})
    for who in ("s0", "s1"):
        expected = slow(rows[len(gone) :], who, day * DAY, said, RULE)
        assert shop.due(who, day) == pytest.approx(expected)


def bought(who: str, item: str, *days: int) -> list[Row]:
    return [Row(day * DAY, hash((who, item, day)) & (2**63 - 1), 0, who, item, PURCHASE) for day in days]


def test_what_is_bought_every_week_is_due_after_some_days_and_not_at_once() -> None:
    shop = Shop(None)
    shop.apply(bought("ada", "milk", 0, 7, 14, 21) + bought("ada", "tent", 3))
    assert shop.due("ada", 21.5) == {}
    assert list(shop.due("ada", 27)) == ["milk"]
    assert shop.due("bo", 27) == {}


def test_what_people_buy_again_is_due_for_who_had_it_once() -> None:
    shop = Shop(None)
    for n in range(20):
        shop.apply(bought(f"p{n}", "soap", 0, *([30] if n < 5 else [])))
        shop.apply(bought(f"p{n}", "tent", 0, *([30] if n < 1 else [])))
    shop.apply(bought("ada", "soap", 10) + bought("ada", "tent", 10))
    assert list(shop.due("ada", 39)) == ["soap"]
    shop.say("tent", 1, **{PROPERTY: True})
    shop.say("soap", 1, **{PROPERTY: False})
    assert list(shop.due("ada", 39)) == ["tent"]
    shop.say("tent", 2, **{PROPERTY: "yes"})  # only true and false are words here
    assert shop.due("ada", 39) == {}


def test_what_went_back_is_not_due() -> None:
    shop = Shop(None)
    shop.apply(bought("ada", "milk", 0, 7))
    assert list(shop.due("ada", 20)) == ["milk"]
    back = Row(8 * DAY, 5, 0, "ada", "milk", REFUND)
    shop.apply([back])
    assert shop.due("ada", 20) == {}
    assert list(shop.due("ada", 7.9)) == []
    shop.apply(bought("ada", "milk", 9))
    assert list(shop.due("ada", 20)) == ["milk"]


def test_ties_go_to_the_lower_key() -> None:
    shop = Shop(None)
    for item in ("a", "b", "c", "d"):
        shop.apply(bought("ada", item, 0, 7))
    keys = {item: shop.world.item_key(item) for item in ("a", "b", "c", "d")}
    found = shop.reader.read(shop.world.subject("ada"), Instant(30 * DAY))
    assert shop.world.names(found.items) == sorted(keys, key=lambda item: keys[item])
    assert np.unique(found.scores).size == 1
