"""What is too old is as if it had never been, in every view, and its body is gone from the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.compose import read_settings
from heedful.log.codec import decode
from heedful.log.cursor import Cursor
from heedful.services.retain import Retain
from heedful.services.verify import catch_up
from heedful.vocabulary.errors import SettingsError
from heedful.vocabulary.rights import Someone
from heedful.vocabulary.settings import RETAINED, RetentionSettings
from heedful.vocabulary.time import DAY, Instant, iso
from tests.services.shop import OPENED, Shop

EVENTS = (
    "Product Viewed",
    "Product Added",
    "Products Searched",
    "Order Completed",
    "Order Refunded",
    "Hummed",
)
KINDS = ("view", "cart", "search", "purchase", "refund", "hummed")

happening = st.tuples(
    st.sampled_from(["ada", "bo", "cy"]), st.sampled_from(EVENTS), st.sampled_from(["tent", "map", "lamp"]),
    st.integers(0, 3), st.integers(0, 60 * 24 * 12),
)  # fmt: skip


def happen(shop: Shop, happenings: list[tuple[str, str, str, int, int]]) -> None:
    for number, (who, event, item, order, ago) in enumerate(happenings):
        about = {"order_id": f"{who}-{order}"} if event.startswith("Order") else {}
        at = Instant(OPENED - ago * 60_000_000)
        shop.track(event, user_id=who, message_id=f"m{number}", timestamp=iso(at),
                   properties={"products": [{"product_id": item, "price": 2}], **about})  # fmt: skip


def retain(shop: Shop, said: RetentionSettings, at_once: int = 2_000) -> Retain:
    log = shop.engine.log
    return Retain(fold=shop.engine.fold, log=log, settings=said, clock=shop.clock, at_once=at_once)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(happening, max_size=25),
    st.sampled_from(KINDS),
    st.integers(1, 10),
    st.sampled_from([1, 3, 2_000]),
)
def test_a_kind_that_is_too_old_leaves_every_view_as_if_it_had_not_been(
    happenings: list[tuple[str, str, str, int, int]], kind: str, days: int, at_once: int
) -> None:
    shop = Shop()
    happen(shop, happenings)
    work = retain(shop, RetentionSettings(kinds={kind: days}), at_once)
    while work.step():
        pass
    floor = OPENED // DAY * DAY - days * DAY
    gone = 0
    for stored in shop.engine.log.read(Cursor(), limit=10_000):
        assert stored.record.at >= floor or decoded_kind(stored.record.body) != kind
    for _, name, _, _, ago in happenings:
        old = OPENED - ago * 60_000_000 < floor
        gone += old and KINDS[EVENTS.index(name)] == kind
    assert work.taken_out == gone
    assert work.step() is False
    again = shop.engine.empty_fold()
    catch_up(again, shop.engine.log)
    assert again.digests() == shop.engine.fold.digests()


def decoded_kind(body: bytes) -> str:
    return decode(body).kind


@settings(max_examples=25, deadline=None)
@given(st.lists(happening, max_size=25), st.sampled_from(RETAINED), st.integers(1, 10))
def test_a_purpose_forgets_what_is_too_old_also_when_it_comes_later(
    happenings: list[tuple[str, str, str, int, int]], purpose: str, days: int
) -> None:
    before, after = Shop(), Shop()
    # The same pseudonyms, so that digests can be compared.
    for shop in (before, after):
        assert shop.engine.fold.floors == {}
    happen(before, happenings)
    retain(before, RetentionSettings(purposes={purpose: days})).step()
    retain(after, RetentionSettings(purposes={purpose: days})).step()
    happen(after, happenings)
    for shop in (before, after):
        assert shop.verify().agrees
        floor = OPENED // DAY * DAY - days * DAY
        if purpose == "personalization":
            for code in range(len(shop.engine.fold.subjects)):
                past = shop.engine.fold.history.rows(code)
                assert (past.at >= floor).all()


def test_what_was_taken_out_stays_out_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(
        "[retention.kinds]\nsearch = 3\n[retention.purposes]\npersonalization = 5\n"
    )
    shop = Shop(tmp_path)
    shop.does("Products Searched", "ada", ago=60 * 24 * 4, query="zqcanaryqz")
    shop.does("Products Searched", "ada", ago=60, query="new")
    shop.views("ada", "tent", ago=60 * 24 * 6)
    shop.views("ada", "map", ago=60)
    shop.wait(61)  # these came late: the next sweep is due within the hour
    shop.engine.retire()
    assert shop.verify().agrees
    shop.close()
    assert b"zqcanaryqz" not in b"".join(
        path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "snapshots" not in path.parts
    )
    again = Shop(tmp_path)
    again.engine.retire()
    assert again.verify().agrees
    ada = again.engine.rights.disclose.profile(again.engine.rights.disclose.subjects(Someone("ada")))
    assert ada["eventsByKind"] == {"search": 1, "view": 1}
    again.close()


def test_what_comes_late_is_swept_within_the_hour() -> None:
    shop = Shop()
    shop.does("Products Searched", "ada", ago=60 * 24 * 4, query="q")
    work = retain(shop, RetentionSettings(kinds={"search": 3}))
    assert (work.step(), work.taken_out) == (False, 1)
    shop.does("Products Searched", "ada", ago=60 * 24 * 5, query="q")
    assert (work.step(), work.taken_out) == (False, 1)
    shop.wait(60)
    assert (work.step(), work.taken_out) == (False, 2)
    shop.does("Products Searched", "ada", ago=60 * 24 * 2, query="q")
    shop.wait(60 * 24 * 2)
    assert (work.step(), work.taken_out) == (False, 3)


@pytest.mark.parametrize(
    "said",
    [
        "[retention.purposes]\nlegal = 30", "[retention.purposes]\nsharing = 30",
        "[retention.kinds]\nsearch = 0", "[retention.kinds]\nsearch = -1", "[retention.purposes]\nlearning = 0",
        "retention_days = 9\n[retention.kinds]\nsearch = 10",
        "[retention.kinds]\nsearch = 10\n[retention.purposes]\npersonalization = 9",
    ],
)  # fmt: skip
def test_a_retention_is_at_least_a_day_and_no_longer_than_the_history(said: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f"{said}\n")
    with pytest.raises(SettingsError):
        read_settings(tmp_path)
