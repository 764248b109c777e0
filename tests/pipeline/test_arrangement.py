"""Every arrangement against its slow twin, and what a strength means."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.pipeline.arrangement import (
    OWN,
    SMOOTH,
    Arrangement,
    Balanced,
    Calibrated,
    DeterminantalGreedy,
    MaximalMarginal,
    Straight,
    arrangement_of,
    checked,
)
from heedful.pipeline.candidates import KEPT, Candidates
from heedful.pipeline.context import Context
from heedful.pipeline.kinship import Kinship, kinship_of
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import Catalogue, ItemChange
from heedful.views.dictionary import Items
from heedful.views.traits import WIDTH, Traits
from heedful.views.vectors import PLANES, planes, rounded, sketched
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import Instant

SHELF = 120
"""Of the items, the last twenty are never described."""
NAMES = [f"kind-{number}" for number in range(90)]
NONE = np.empty(0, dtype=np.int32)


class Shop:
    """A shelf of items of few kinds (or of many), some with vectors."""

    def __init__(self, seed: int, kinds: int = 8, every: int = 4) -> None:
        random = np.random.default_rng(seed)
        self.items = Items(Pseudonyms(b"k" * 32))
        self.catalogue = Catalogue(self.items)
        self.described: dict[int, Item] = {}
        for number in range(SHELF):
            code = self.items.code(f"item-{number}")
            names = random.choice(NAMES[:kinds], int(random.integers(0, min(kinds, 10))), replace=False)
            vector = tuple(random.standard_normal(6).tolist()) if number % every == 0 else ()
            item = Item(ItemId(f"item-{number}"), categories=tuple(names.tolist()), vector=vector)
            if number < SHELF - 20:
                self.described[code] = item
                self.catalogue.apply([ItemChange(code, Instant(1), number, item)])
        self.kinship = kinship_of(self.catalogue, self.items)
        self.candidates = Candidates(1, lambda: SHELF)

    def ask(self, totals: dict[int, float], gone: set[int]) -> None:
        self.candidates.clear()
        items = np.array(list(totals), dtype=np.int32)
        self.candidates.add(0, items, np.ones(len(items)), np.array([-1], dtype=np.int32))
        self.candidates.totals[:] = list(totals.values())
        self.candidates.remove_items(np.array(sorted(gone), dtype=np.int32), 3)

    def arranged(self, arrangement: Arrangement, size: int, trail: list[int] | None = None) -> list[int]:
        context = Context(
            subject=0, trail=np.array(trail or [], dtype=np.int32), personal=0, owned=NONE, hidden=NONE,
            excluded=NONE, as_of=None, limit=size,
        )  # fmt: skip
        rows: NDArray[np.int64] = arrangement.arrange(self.candidates, context, self.items.keys, size=size)
        assert (self.candidates.reasons[rows] == KEPT).all()
        found: list[int] = self.candidates.items[rows].tolist()
        assert len(set(found)) == len(found)
        return found

    def kinds(self, code: int) -> frozenset[str]:
        item = self.described.get(code)
        return frozenset() if item is None else frozenset(item.categories[:WIDTH])

    def alike(self, one: int, other: int) -> float:
        """The slow twin of likeness."""
        first, second = self.described.get(one), self.described.get(other)
        if first and second and first.vector and second.vector:
            cells = np.array([rounded(first.vector), rounded(second.vector)])
            sketches = sketched(cells, planes(len(first.vector)))
            bits = sum(int(word).bit_count() for word in sketches[0] ^ sketches[1])
            return max(0.0, 1.0 - 2.0 * bits / PLANES)
        mine, yours = self.kinds(one), self.kinds(other)
        return len(mine & yours) / math.sqrt(len(mine) * len(yours)) if mine and yours else 0.0


def straight(shop: Shop, totals: dict[int, float], gone: set[int]) -> list[int]:
    return sorted(set(totals) - gone, key=lambda item: (-totals[item], shop.items.keys[item]))


def scaled(totals: dict[int, float], pool: list[int]) -> dict[int, float]:
    least, most = totals[pool[-1]], totals[pool[0]]
    return {item: (totals[item] - least) / (most - least) if most > least else 0.0 for item in pool}


Value = Callable[[list[int], int], float]
"""What a candidate is worth after those already placed."""


def marginal(shop: Shop, score: dict[int, float], strength: float) -> Value:
    return lambda placed, item: (
        (1 - strength) * score[item] - strength * max([shop.alike(one, item) for one in placed], default=0)
    )


def determinantal(shop: Shop, score: dict[int, float], strength: float) -> Value:
    def volume(chosen: list[int]) -> float:
        kernel = [[1.0 if a == b else (1 - OWN) * shop.alike(a, b) for b in chosen] for a in chosen]
        return float(np.linalg.det(kernel)) if chosen else 1.0

    def value(placed: list[int], item: int) -> float:
        added = max(volume([*placed, item]) / volume(placed), 1e-9)
        return 2 * (1 - strength) * score[item] + strength * math.log(added)

    return value


def calibrated(shop: Shop, score: dict[int, float], strength: float, trail: list[int]) -> Value:
    def mix(chosen: list[int], over: int) -> dict[str, float]:
        shares: dict[str, float] = {}
        for item in chosen:
            for kind in shop.kinds(item):
                shares[kind] = shares.get(kind, 0) + 1 / len(shop.kinds(item)) / over
        return shares

    own = mix(trail, max(1, sum(1 for item in trail if shop.kinds(item))))

    def value(placed: list[int], item: int) -> float:
        theirs = mix([*placed, item], len(placed) + 1)
        divergence = sum(
            share * math.log(share / ((1 - SMOOTH) * theirs.get(kind, 0) + SMOOTH * share))
            for kind, share in own.items()
        )
        return (1 - strength) * score[item] - strength * divergence

    return value


def balanced(
    shop: Shop, score: dict[int, float], diversity: float, calibration: float, trail: list[int]
) -> Value:
    nothing = dict.fromkeys(score, 0.0)
    apart, close = marginal(shop, nothing, 1.0), calibrated(shop, nothing, 1.0, trail)
    worth = (1 - diversity) * (1 - calibration if any(map(shop.kinds, trail)) else 1)
    return lambda placed, item: (
        worth * score[item] + diversity * apart(placed, item) + calibration * close(placed, item)
    )


def check_greedy(found: list[int], pool: list[int], size: int, value: Value) -> None:
    """Every place holds one of the best there were; a twin that adds in another order may differ by a hair."""
    assert len(found) == min(size, len(pool))
    for place, item in enumerate(found):
        rest = [one for one in pool if one not in found[:place]]
        best = max(value(found[:place], one) for one in rest)
        assert value(found[:place], item) >= best - 1e-7


TOTALS = st.dictionaries(
    st.integers(0, SHELF - 1), st.sampled_from([-3.0, 0.0, 0.25]) | st.floats(-5, 5), max_size=25
)
SHOPS = [Shop(1), Shop(2, kinds=3), Shop(3, kinds=90), Shop(4, kinds=5, every=SHELF + 1)]
"""Of few kinds, fewer and many, and one of few kinds where only the first item has a vector."""
QUESTION = {
    "number": st.integers(0, len(SHOPS) - 1),
    "totals": TOTALS,
    "gone": st.sets(st.integers(0, SHELF - 1), max_size=5),
    "size": st.integers(1, 12),
    "strength": st.sampled_from([0.05, 0.3, 0.5, 0.9, 1.0]),
    "trail": st.lists(st.integers(0, SHELF - 1), max_size=6),
}


@settings(max_examples=250, deadline=None)
@given(**QUESTION)
def test_every_arrangement_does_what_its_slow_twin_says(
    number: int, totals: dict[int, float], gone: set[int], size: int, strength: float, trail: list[int]
) -> None:
    shop = SHOPS[number]
    shop.ask(totals, gone)
    best = straight(shop, totals, gone)
    assert shop.arranged(Straight(), size) == best[:size]
    pool = best[: max(15, size)]
    score = scaled(totals, pool) if pool else {}
    kinship = shop.kinship
    found = shop.arranged(MaximalMarginal(kinship, strength, pool=15), size)
    check_greedy(found, pool, size, marginal(shop, score, strength))
    found = shop.arranged(Calibrated(kinship, strength, pool=15), size, trail)
    check_greedy(found, pool, size, calibrated(shop, score, strength, trail))
    both = Balanced(kinship, diversity=strength, calibration=0.4, pool=15)
    found = shop.arranged(both, size, trail)
    check_greedy(found, pool, size, balanced(shop, score, strength, 0.4, trail))
    found = shop.arranged(DeterminantalGreedy(kinship, strength, pool=15), size)
    assert sorted(found) == sorted(set(found) & set(pool))
    assert len(found) == min(size, len(pool))
    if not any(shop.described[item].vector for item in pool if item in shop.described):
        check_greedy(found, pool, size, determinantal(shop, score, strength))


def test_long_lists_do_what_their_slow_twin_says() -> None:
    random = np.random.default_rng(11)
    shop = SHOPS[3]
    for strength in (0.3, 0.6, 0.9, 1.0) * 8:
        chosen = random.choice(np.arange(1, SHELF), 22, replace=False)
        totals = {int(item): float(random.random()) for item in chosen}
        trail = random.choice(SHELF - 20, 5, replace=False).tolist()
        shop.ask(totals, set())
        pool = straight(shop, totals, set())[:15]
        score = scaled(totals, pool)
        found = shop.arranged(DeterminantalGreedy(shop.kinship, strength, pool=15), 10)
        check_greedy(found, pool, 10, determinantal(shop, score, strength))
        both = Balanced(shop.kinship, diversity=strength, calibration=1 - strength, pool=15)
        found = shop.arranged(both, 10, trail)
        check_greedy(found, pool, 10, balanced(shop, score, strength, 1 - strength, trail))


@settings(max_examples=100, deadline=None)
@given(**{name: value for name, value in QUESTION.items() if name != "strength"})
def test_a_strength_of_nothing_is_the_plain_order_exactly(
    number: int, totals: dict[int, float], gone: set[int], size: int, trail: list[int]
) -> None:
    shop = SHOPS[number]
    shop.ask(totals, gone)
    plain = shop.arranged(Straight(), size)
    for kind in (MaximalMarginal, DeterminantalGreedy, Calibrated):
        assert shop.arranged(kind(shop.kinship, 0.0), size, trail) == plain
        distinct = len({round(total, 3) for total in totals.values()}) == len(totals)
        if distinct:  # and there is no jump behind nothing
            assert shop.arranged(kind(shop.kinship, 1e-12), size, trail) == plain


@settings(max_examples=150, deadline=None)
@given(
    number=QUESTION["number"],
    totals=TOTALS.filter(lambda totals: len(totals) > 2),
    strengths=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    trail=st.lists(st.integers(0, SHELF - 30), min_size=1, max_size=6),
)
def test_a_higher_strength_never_makes_the_choice_more_alike(
    number: Any, totals: dict[int, float], strengths: tuple[float, float], trail: list[int]
) -> None:
    """Of one choice this is so by an exchange: the second of a diverse list, the first of a calibrated one."""
    shop, (low, high) = SHOPS[number], sorted(strengths)
    shop.ask(totals, set())
    for kind in (MaximalMarginal, DeterminantalGreedy):
        gentle, strong = (shop.arranged(kind(shop.kinship, strength), 2) for strength in (low, high))
        assert gentle[0] == strong[0]
        assert shop.alike(*strong) <= shop.alike(*gentle) + 1e-9
    one = calibrated(shop, dict.fromkeys(totals, 0.0), 1.0, trail)
    gentle, strong = (shop.arranged(Calibrated(shop.kinship, strength), 1, trail) for strength in (low, high))
    assert one([], strong[0]) >= one([], gentle[0]) - 1e-9


def test_whole_lists_get_more_varied_and_closer_to_the_person_as_strength_grows() -> None:
    random = np.random.default_rng(9)
    steps = (0.0, 0.2, 0.5, 0.8, 1.0)
    varied = {kind: np.zeros(len(steps)) for kind in (MaximalMarginal, DeterminantalGreedy)}
    close = np.zeros(len(steps))
    for _ in range(40):
        shop = SHOPS[int(random.integers(2))]
        totals = {int(item): float(random.random()) for item in random.choice(SHELF, 60, replace=False)}
        trail = random.choice(SHELF - 20, 5, replace=False).tolist()
        shop.ask(totals, set())
        value = calibrated(shop, dict.fromkeys(totals, 0.0), 1.0, trail)
        for step, strength in enumerate(steps):
            for kind, sums in varied.items():
                found = shop.arranged(kind(shop.kinship, strength), 8)
                sums[step] += sum(shop.alike(a, b) for a in found for b in found if a < b)
            found = shop.arranged(Calibrated(shop.kinship, strength), 8, trail)
            close[step] -= value(found[:-1], found[-1])
    assert all((np.diff(sums) < 0).all() for sums in varied.values())
    assert (np.diff(close) < 0).all()


def test_a_placements_strengths_choose_its_arrangement() -> None:
    kinship = SHOPS[0].kinship
    assert isinstance(arrangement_of(kinship), Straight)
    assert isinstance(arrangement_of(kinship, calibration=0.2), Balanced)
    with pytest.raises(ValueError, match="from 0 to 1"):
        arrangement_of(kinship, diversity=2.0)


def test_items_of_one_kind_are_still_all_shown() -> None:
    shop = Shop(5, kinds=1)
    shop.ask({item: float(item) for item in range(30)}, set())
    for kind in (MaximalMarginal, DeterminantalGreedy, Calibrated):
        assert len(shop.arranged(kind(shop.kinship, 1.0), 30, [1])) == 30


def test_items_that_the_columns_do_not_know_yet_are_like_nothing() -> None:
    items = Items(Pseudonyms(b"k" * 32))
    kinship = Kinship(Traits(Catalogue(items), items))
    candidates = Candidates(1, lambda: 5_000)
    candidates.clear()
    candidates.add(0, np.array([4_999, 3], dtype=np.int32), np.ones(2), np.array([-1], dtype=np.int32))
    candidates.totals[:] = [1.0, 2.0]
    keys = np.arange(5_000, dtype=np.uint64)
    context = Context(0, np.array([4_998], dtype=np.int32), 0, NONE, NONE, NONE, None, 2)
    for kind in (MaximalMarginal, DeterminantalGreedy, Calibrated):
        rows = kind(kinship, 0.5).arrange(candidates, context, keys, size=2)
        assert rows.tolist() == [1, 0]


@pytest.mark.parametrize("strength", [-0.1, 1.1, math.nan, math.inf])
def test_a_strength_is_from_0_to_1(strength: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        checked(strength)
