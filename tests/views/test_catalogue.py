"""The catalogue against a slow twin: the greatest (at, fingerprint) of the set of live changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import UNKNOWN, UNPUBLISHED, Catalogue, ItemChange
from heedful.views.dictionary import Items
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item, Price
from heedful.vocabulary.time import Instant, instant

COUNT = 5
CATEGORIES = ["shoes", "hats", "new", ""]


def shop(names: list[str] | None = None) -> Items:
    items = Items(Pseudonyms(bytes(32)))
    for name in names or [f"item-{i}" for i in range(COUNT)]:
        items.code(name)
    return items


def twin(live: list[ItemChange]) -> dict[int, ItemChange]:
    """The slow twin."""
    last: dict[int, ItemChange] = {}
    for change in sorted(live, key=lambda change: (change.at, change.fingerprint)):
        last[change.code] = change
    return last


described = st.builds(
    Item,
    id=st.just(ItemId("x")),
    title=st.sampled_from(["", "Boots", "日本"]),
    categories=st.lists(st.sampled_from(CATEGORIES), max_size=3).map(tuple),
    price=st.one_of(st.none(), st.builds(Price, minor=st.sampled_from([0, 5, -3, 2**63 - 1, 2**70]))),
    available=st.booleans(),
    published=st.one_of(
        st.none(),
        st.sampled_from(
            [datetime(2026, 1, 1, tzinfo=UTC), datetime(1960, 1, 1, tzinfo=timezone(timedelta(hours=2)))]
        ),
    ),
    properties=st.dictionaries(
        st.sampled_from("zab"), st.sampled_from([1, 2**70, 1.5, True, None, ["a", {}]])
    ),
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[ItemChange, bool]]:
    """Changes with unique fingerprints, and whether each is taken back later."""
    count = draw(st.integers(0, 14))
    fingerprints = draw(st.lists(st.integers(0, 2**64 - 1), min_size=count, max_size=count, unique=True))
    return [
        (
            ItemChange(
                draw(st.integers(0, COUNT - 1)),
                Instant(draw(st.integers(-2, 2))),
                fingerprint,
                draw(st.one_of(st.none(), described)),
            ),
            draw(st.booleans()),
        )
        for fingerprint in fingerprints
    ]


def check(catalogue: Catalogue, live: list[ItemChange], required: bool) -> None:
    last = twin(live)
    inside: dict[str, list[int]] = {name: [] for name in CATEGORIES}
    for code in range(COUNT):
        change = last.get(code)
        item = None if change is None else change.item
        assert catalogue.get(code) == item
        assert catalogue.deleted(code) is (change is not None and item is None)
        servable = not required if change is None else item is not None and item.available
        assert catalogue.servable[code] == servable
        price = UNKNOWN if item is None or item.price is None else item.price.minor
        assert catalogue.price_minor[code] == (min(price, 2**63 - 1) if price >= 0 else UNKNOWN)
        published = None if item is None else item.published
        assert catalogue.published[code] == (UNPUBLISHED if published is None else instant(published))
        categories = () if item is None else item.categories
        assert catalogue.categories_of(code) == categories
        first = catalogue.category[code]
        assert (catalogue.category_names[first] if first != UNKNOWN else None) == next(iter(categories), None)
        for name in set(categories):
            inside[name].append(code)
    for name, codes in inside.items():
        assert catalogue.members(name).tolist() == codes


@settings(max_examples=120, deadline=None)
@given(history=histories(), order=st.randoms(use_true_random=False), required=st.booleans())
def test_the_catalogue_is_what_the_set_of_changes_says(
    history: list[tuple[ItemChange, bool]], order: Any, required: bool
) -> None:
    items = shop()
    catalogue = Catalogue(items, required=required)
    steps = [(change, True) for change, _ in history]
    order.shuffle(steps)
    for change, back in history:
        if back:
            applied = steps.index((change, True))
            steps.insert(order.randint(applied + 1, len(steps)), (change, False))
    live: list[ItemChange] = []
    for change, forward in steps:
        if forward:
            catalogue.apply([change])
            live.append(change)
        else:
            catalogue.retract([change])
            live.remove(change)
        if order.random() < 0.3:
            check(catalogue, live, required)
    check(catalogue, live, required)

    fresh = Catalogue(items, required=required)
    fresh.apply(sorted(live, key=lambda change: change.fingerprint))
    assert fresh.digest() == catalogue.digest()
    again = Catalogue(items, required=required)
    again.restore(catalogue.state())
    assert again.digest() == catalogue.digest()
    check(again, live, required)
    again.retract(live)
    check(again, [], required)
    assert again.digest() == bytes(16)
    assert all(len(array) == 0 for array in again.state().values())


def test_the_digest_speaks_of_ids_and_content_and_not_of_dense_numbers() -> None:
    one, other = shop(["a", "b"]), shop(["c", "b", "a"])
    digests = []
    for items, reverse in ((one, False), (other, True)):
        properties = {"x": 1, "y": 2}
        if reverse:
            properties = dict(reversed(properties.items()))
        catalogue = Catalogue(items)
        item = Item(ItemId("a"), title="A", properties=properties)
        catalogue.apply([ItemChange(items.find("a"), Instant(1), 7, item)])
        catalogue.apply([ItemChange(items.find("b"), Instant(1), 8, None)])
        digests.append(catalogue.digest())
    assert digests[0] == digests[1]
    changed = Catalogue(one)
    changed.apply([ItemChange(0, Instant(1), 7, Item(ItemId("a"), title="B"))])
    changed.apply([ItemChange(1, Instant(1), 8, None)])
    assert changed.digest() != digests[0]


def test_columns_grow_for_items_that_only_events_know() -> None:
    for required in (False, True):
        catalogue = Catalogue(shop(), required=required)
        catalogue.ensure(5_000)
        assert len(catalogue.servable) >= 5_000
        assert catalogue.servable[4_999] == (not required)
        assert catalogue.price_minor[4_999] == catalogue.category[4_999] == UNKNOWN
        assert catalogue.published[4_999] == UNPUBLISHED


def test_members_stay_exact_through_a_large_load_and_many_changes() -> None:
    items = shop([str(i) for i in range(6_000)])
    catalogue = Catalogue(items)
    random = np.random.default_rng(5)
    held: dict[int, str] = {}
    for fingerprint, code in enumerate(random.integers(0, 6_000, 9_000).tolist()):
        category = CATEGORIES[int(random.integers(3))]
        item = Item(ItemId(str(code)), categories=(category,))
        catalogue.apply([ItemChange(code, Instant(fingerprint), fingerprint, item)])
        held[code] = category
    for category in CATEGORIES:
        expected = sorted(code for code, one in held.items() if one == category)
        assert catalogue.members(category).tolist() == expected
    with pytest.raises(ValueError, match="read-only"):
        catalogue.members("shoes")[0] = 1


@pytest.mark.parametrize("damage", ["codes", "sizes", "bodies", "range", "json", "type", "unknown"])
def test_a_damaged_state_is_refused(damage: str) -> None:
    catalogue = Catalogue(shop())
    catalogue.apply([ItemChange(0, Instant(1), 7, Item(ItemId("a"), title="A"))])
    state = dict(catalogue.state())
    if damage == "range":
        state["codes"] = np.array([COUNT], dtype=np.int32)
    elif damage == "json":
        state["bodies"] = state["bodies"] + np.uint8(1)
    elif damage == "type":
        state["ats"] = state["ats"].astype(np.float64)
    elif damage == "unknown":
        state["bodies"] = np.frombuffer(b'{"id":"a","colour":1}', dtype=np.uint8)
        state["sizes"] = np.array([len(state["bodies"])], dtype=np.int32)
    else:
        del state[damage]
    with pytest.raises(Corrupt):
        Catalogue(shop()).restore(state)


def test_taking_back_what_was_never_applied_changes_nothing() -> None:
    catalogue = Catalogue(shop())
    catalogue.apply([ItemChange(0, Instant(1), 7, None)])
    before = catalogue.digest()
    catalogue.retract([ItemChange(0, Instant(1), 8, None), ItemChange(1, Instant(1), 7, None)])
    assert catalogue.digest() == before
    assert catalogue.deleted(0)
