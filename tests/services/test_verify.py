"""Folding from zero agrees with the state in use, and finds a state that was tampered with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from heedful.views.catalogue import ItemChange
from heedful.views.fold import Fold
from heedful.views.orders import OrderEvent, OrderLine
from heedful.views.rows import Rows
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.kinds import BUILT_IN, PURCHASE, VIEW
from heedful.vocabulary.time import Instant
from tests.services.shop import Shop


def a_shop(where: object = ":memory:") -> Shop:
    shop = Shop(where)
    shop.put_item("tent", title="Tent")
    shop.views("ada", "tent", "stove")
    shop.buys("ada", "stove", order="o1")
    shop.does("Something else", "bo")
    shop.recommend("ada")
    return shop


def test_it_agrees_and_counts_what_it_read(tmp_path: Path) -> None:
    with a_shop(tmp_path) as shop:
        told: list[int] = []
        found = shop.engine.verify(told.append)
        assert found.agrees
        assert found.events == shop.engine.place() == told[-1]
        views = {
            "history",
            "sessions",
            "trends",
            "repeats",
            "outcomes",
            "trials",
            "variants",
            "catalogue",
            "orders",
        } | {"consents"}
        assert found.live.keys() == views
    with Shop(tmp_path) as shop:
        assert shop.verify().events == found.events + 1  # the decision came with the closing
        assert shop.verify().agrees


def test_verifying_changes_nothing() -> None:
    shop = a_shop()
    before, shown = shop.engine.fold.digests(), shop.ids("ada")
    shop.verify()
    assert shop.engine.fold.digests() == before
    assert shop.ids("ada") == shown


def one_row() -> Rows:
    return Rows(
        subject=np.array([0], dtype=np.int32), item=np.array([0], dtype=np.int32),
        kind=np.array([BUILT_IN.index(VIEW)], dtype=np.uint16), at=np.array([7], dtype=np.int64),
        fingerprint=np.array([7], dtype=np.uint64), line=np.array([0], dtype=np.uint16),
        quantity=np.array([1], dtype=np.int32),
    )  # fmt: skip


def an_order(fold: Fold) -> None:
    fold.orders.apply(OrderEvent(7, PURCHASE, 0, Instant(7), 7, (OrderLine(0, 1, 7),)))


def a_repeat(fold: Fold) -> None:
    fold.repeats.table[0] += 1


TAMPERING: dict[str, Callable[[Fold], object]] = {
    "history": lambda fold: fold.history.apply(one_row()),
    "trends": lambda fold: fold.trends.apply(one_row()),
    "repeats": a_repeat,
    "catalogue": lambda fold: fold.catalogue.apply([ItemChange(0, Instant(7), 7, Item(ItemId("tent")))]),
    "orders": an_order,
}


@pytest.mark.parametrize("view", TAMPERING)
def test_a_state_that_was_tampered_with_is_found_in_its_view(view: str) -> None:
    shop = a_shop()
    TAMPERING[view](shop.engine.fold)
    found = shop.verify()
    assert not found.agrees
    differing = {name for name, digest in found.live.items() if digest != found.rebuilt[name]}
    assert differing == {view}


def test_a_session_index_that_lost_touch_with_its_history_is_found() -> None:
    shop = a_shop()
    fold = shop.engine.fold
    fold.history.apply(one_row())
    fold.sessions.apply(one_row())
    found = shop.verify()
    assert {name for name in found.live if found.live[name] != found.rebuilt[name]} == {"history", "sessions"}


def test_a_restored_state_that_was_tampered_with_is_found(tmp_path: Path) -> None:
    with a_shop(tmp_path) as shop:
        TAMPERING["trends"](shop.engine.fold)  # and the snapshot is written of that
    with Shop(tmp_path) as shop:
        found = shop.verify()
        assert not found.agrees
        assert found.live["trends"] != found.rebuilt["trends"]


def test_what_is_older_than_the_retention_is_left_out_of_both(tmp_path: Path) -> None:
    tmp_path.joinpath("settings.toml").write_text("retention_days = 30\n")
    with Shop(tmp_path) as shop:
        shop.does("Product Viewed", "ada", "old", ago=60 * 24 * 60)
        shop.does("Product Viewed", "ada", "new")
        assert shop.verify().agrees
        assert shop.ids("bo") == ["new"]
    with Shop(tmp_path) as shop:
        assert shop.verify().agrees
        assert shop.ids("bo") == ["new"]
