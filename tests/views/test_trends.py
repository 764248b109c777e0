"""Trends against a slow twin: ten lines of Python over the set of live rows."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from dataclasses import dataclass, fields
from itertools import pairwise
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.arena import TOP, room_behind
from heedful.views.buckets import SUM_BITS
from heedful.views.dictionary import Items
from heedful.views.rows import Rows
from heedful.views.trends import HORIZONS, Trends
from heedful.views.view import View
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.time import DAY, HOUR, Instant

WEIGHTS = np.array([0, 1, 2, 0, 4], dtype=np.int64)
NOW = 1_700_000_000_000_000


@dataclass(frozen=True, slots=True)
class Click:
    item: int
    kind: int
    at: int


def rows_of(clicks: list[Click]) -> Rows:
    n = len(clicks)
    return Rows(
        subject=np.zeros(n, dtype=np.int32),
        item=np.array([click.item for click in clicks], dtype=np.int32),
        kind=np.array([click.kind for click in clicks], dtype=np.uint16),
        at=np.array([click.at for click in clicks], dtype=np.int64),
        fingerprint=np.arange(n, dtype=np.uint64),
        line=np.zeros(n, dtype=np.uint16),
        quantity=np.full(n, 3, dtype=np.int32),
    )


def shop(count: int) -> Items:
    items = Items(Pseudonyms(bytes(32)))
    for i in range(count):
        items.code(f"item-{i}")
    return items


def twin(live: list[Click], horizon: str, last: int | None) -> dict[int, dict[int, int]]:
    """Per item, the weight in each bucket: what the formula is about, as a function of the set."""
    width = HORIZONS[horizon].hours * HOUR
    sums: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for click in live:
        weight = int(WEIGHTS[click.kind]) if click.kind < len(WEIGHTS) else 0
        if click.item >= 0 and weight and (last is None or click.at // HOUR <= last // HOUR):
            sums[click.item][click.at // width] += weight
    return sums


def twin_log(sums: dict[int, int], half_life: float) -> float:
    """log2 of the score at reference 0, taken from the newest bucket so that nothing underflows."""
    newest = max(sums)
    return log2(sum(w * 2 ** ((b - newest) / half_life) for b, w in sums.items())) + newest / half_life


def check_top(trends: Trends, items: Items, live: list[Click], limit: int, as_of: int | None) -> None:
    counted = [c for c in live if c.item >= 0 and c.kind < len(WEIGHTS) and WEIGHTS[c.kind]]
    reference = max((c.at for c in counted), default=0) if as_of is None else as_of
    moment = None if as_of is None else Instant(as_of)
    everybody = np.arange(len(items), dtype=np.int32)
    for horizon, shape in HORIZONS.items():
        sums = twin(live, horizon, as_of)
        logs = {code: twin_log(buckets, shape.half_life) for code, buckets in sums.items()}
        seen_from = reference // (shape.hours * HOUR) / shape.half_life
        expected = [2.0 ** (logs[code] - seen_from) if code in logs else 0.0 for code in everybody.tolist()]
        assert trends.scores(horizon, everybody, moment) == pytest.approx(expected, rel=1e-9)
        top, scores = trends.top(horizon, limit, moment)
        check_order(top.tolist(), logs, sums, items, limit)
        assert scores == pytest.approx([expected[code] for code in top.tolist()], rel=1e-9)
        top, scores = trends.top_in(horizon, everybody[::2], limit, moment)
        check_order(top.tolist(), {c: log for c, log in logs.items() if c % 2 == 0}, sums, items, limit)
        assert scores == pytest.approx([expected[code] for code in top.tolist()], rel=1e-9)


def check_order(
    top: list[int], logs: dict[int, float], sums: dict[int, dict[int, int]], items: Items, limit: int
) -> None:
    """The best first, ties by key; scores that differ by less than rounding may stand either way."""
    assert len(set(top)) == len(top) == min(limit, len(logs))
    order = top + sorted(logs.keys() - set(top), key=lambda code: (-logs[code], int(items.keys[code])))
    for better, worse in pairwise(order):
        assert logs[better] >= logs[worse] - 1e-9
        if sums[better] == sums[worse]:
            assert items.keys[better] < items.keys[worse]


clicks = st.builds(
    Click,
    item=st.integers(-1, 11),
    kind=st.integers(0, 6),
    at=st.one_of(
        st.integers(NOW - 30 * HOUR, NOW),
        st.integers(-50 * DAY, 50 * DAY),
        st.sampled_from([0, -1, HOUR, HOUR - 1, DAY, -DAY]),
    ),
)


@settings(max_examples=120, deadline=None)
@given(
    history=st.lists(st.tuples(clicks, st.booleans(), st.booleans()), max_size=60),
    limit=st.integers(0, 15),
    as_of=st.one_of(st.none(), st.integers(-3 * DAY, 3 * DAY), st.integers(NOW - DAY, NOW + DAY)),
    floor=st.one_of(st.none(), st.integers(-3 * DAY, 3 * DAY)),
)
def test_trends_read_as_the_formula_says_whatever_was_applied_and_taken_back(
    history: list[tuple[Click, bool, bool]], limit: int, as_of: int | None, floor: int | None
) -> None:
    items = shop(12)
    trends = Trends(items, WEIGHTS)
    live: list[Click] = []
    for click, take_back, read in history:
        trends.apply(rows_of([click]))
        live.append(click)
        if take_back:
            gone = live.pop(len(live) // 2)
            trends.retract(rows_of([gone]))
        if read:
            trends.top("1d", 3)
    if floor is not None:
        trends.advance(Instant(floor))
        live = [click for click in live if click.at >= floor // DAY * DAY]
    check_top(trends, items, live, limit, as_of)
    fresh = Trends(items, WEIGHTS)
    fresh.apply(rows_of(live[::-1]))
    assert trends.digest() == fresh.digest()
    everybody = np.arange(12, dtype=np.int32)
    for horizon in HORIZONS:  # to the bit: what is kept between reads is a function of the set as well
        assert trends.scores(horizon, everybody).tolist() == fresh.scores(horizon, everybody).tolist()
    trends.retract(rows_of(live))
    assert trends.digest() == Trends(items, WEIGHTS).digest()
    assert len(trends.top("6h", 5)[0]) == 0


def random_clicks(seed: int, n: int, items: int) -> list[Click]:
    random = np.random.default_rng(seed)
    which = (items * random.random(n) ** 2).astype(np.int64)
    kinds = random.integers(0, 5, n)
    ats = NOW + random.integers(-20 * DAY, 20 * DAY, n)
    return [Click(int(i), int(k), int(a)) for i, k, a in zip(which, kinds, ats, strict=True)]


def test_the_kept_list_stays_exact_while_many_items_rise_and_fall() -> None:
    items = shop(1_200)
    trends = Trends(items, WEIGHTS)
    live = random_clicks(1, 3_000, 1_200)
    trends.apply(rows_of(live))
    check_top(trends, items, live, 200, None)
    random = np.random.default_rng(2)
    for step in range(25):
        top, _ = trends.top("7d", 150)
        falling = set(top[random.integers(0, 150, 12)].tolist())
        gone = [click for click in live if click.item in falling]
        live = [click for click in live if click.item not in falling]
        trends.retract(rows_of(gone))
        new = random_clicks(100 + step, 10, 1_200)
        live += new
        trends.apply(rows_of(new))
        check_top(trends, items, live, (20, 200, 300)[step % 3], None)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_kept_between_reads_never_differs_in_a_bit_from_reading_anew(seed: int) -> None:
    items = shop(2)
    everybody = np.arange(2, dtype=np.int32)
    random = np.random.default_rng(seed)

    def drawn() -> Click:
        late = 12 * DAY if random.random() < 0.5 else DAY
        return Click(int(random.integers(2)), int(random.choice([1, 2, 4])), NOW - int(random.integers(late)))

    live = [drawn() for _ in range(250)]
    trends = Trends(items, WEIGHTS)
    trends.apply(rows_of(live))
    for step in range(700):
        trends.top("6h", 1)
        if random.random() < 0.4:
            trends.retract(rows_of([live.pop(int(random.integers(len(live))))]))
        else:
            live.append(drawn())
            trends.apply(rows_of(live[-1:]))
        if step == 500:
            trends.advance(Instant(NOW - 9 * DAY))
            live = [click for click in live if click.at >= (NOW - 9 * DAY) // DAY * DAY]
        if step % 5:
            continue
        fresh = Trends(items, WEIGHTS)
        fresh.advance(Instant(NOW - 9 * DAY if step >= 500 else 0))
        fresh.apply(rows_of(live))
        for horizon in HORIZONS:
            read, anew = trends.scores(horizon, everybody), fresh.scores(horizon, everybody)
            assert read.tolist() == anew.tolist(), step


def zipf_rows(seed: int, n: int, items: int) -> Rows:
    """n views in random order of time over 30 days, the r-th item 1/r times as popular as the first."""
    random = np.random.default_rng(seed)
    shares = 1 / np.arange(1, items + 1)
    return Rows(
        subject=np.zeros(n, dtype=np.int32),
        item=random.choice(items, n, p=shares / shares.sum()).astype(np.int32),
        kind=random.choice([1, 4], n, p=[0.9, 0.1]).astype(np.uint16),
        at=NOW + random.integers(0, 30 * DAY, n),
        fingerprint=np.arange(n, dtype=np.uint64),
        line=np.zeros(n, dtype=np.uint16),
        quantity=np.ones(n, dtype=np.int32),
    )


def picked(rows: Rows, places: NDArray[np.int64]) -> Rows:
    return Rows(**{field.name: getattr(rows, field.name)[places] for field in fields(Rows)})


def test_a_long_log_in_any_order_adds_up_to_the_sums_of_numpy_and_back() -> None:
    items = shop(3_000)
    rows = zipf_rows(6, 60_000, 3_000)
    trends = Trends(items, WEIGHTS)
    for places in np.array_split(np.arange(60_000), 50):
        trends.apply(picked(rows, places))
    order = np.random.default_rng(7).permutation(60_000)
    trends.retract(picked(rows, order[:40_000]))
    left = picked(rows, order[40_000:])
    entries, which = np.unique(np.stack((left.item, left.at // HOUR)), axis=1, return_inverse=True)
    sums = np.bincount(which.ravel(), weights=WEIGHTS[left.kind]).astype(np.int64)
    state = trends.state()
    counts = np.bincount(entries[0], minlength=len(state["counts"]))
    assert state["counts"].tolist() == counts.tolist()
    assert state["entries"].tolist() == ((entries[1] << 36) + sums).tolist()
    fresh = Trends(items, WEIGHTS)
    fresh.apply(left)
    assert fresh.digest() == trends.digest()
    trends.retract(left)
    assert trends.digest() == bytes(16)


def test_a_click_log_takes_at_most_fourteen_bytes_an_event() -> None:
    items = shop(8_000)
    rows = zipf_rows(8, 200_000, 8_000)
    batches = [picked(rows, places) for places in np.array_split(np.arange(200_000), 20)]
    tracemalloc.start()
    trends = Trends(items, WEIGHTS)
    for batch in batches:
        trends.apply(batch)
    trends.top("6h", 20)
    pool = trends._buckets.pool
    taken = tracemalloc.get_traced_memory()[0] + (pool.nbytes if room_behind(pool) else 0)
    tracemalloc.stop()
    assert taken <= 14 * 200_000


def test_nothing_of_what_was_taken_back_stays_in_the_pool() -> None:
    """Free blocks hold zeros and the places of other free blocks, and no hour."""
    items, rows = shop(40), zipf_rows(9, 20_000, 40)
    trends = Trends(items, WEIGHTS)
    trends.apply(rows)
    trends.retract(rows)
    used = int(trends._buckets._book[TOP])
    assert used > 1
    assert not (trends._buckets.pool >> SUM_BITS).any()
    trends.apply(rows)
    assert trends._buckets._book[TOP] <= 2 * used


def test_equal_scores_are_ordered_by_item_key_and_not_by_arrival() -> None:
    items = shop(900)
    trends = Trends(items, WEIGHTS)
    for code in range(900):
        trends.apply(rows_of([Click(code, 1, NOW)]))
        trends.top("6h", 1)
    by_key = np.argsort(items.keys[:900])
    assert trends.top("6h", 200)[0].tolist() == by_key[:200].tolist()
    assert trends.top("6h", 500)[0].tolist() == by_key[:500].tolist()
    trends.retract(rows_of([Click(int(by_key[0]), 1, NOW)]))
    assert trends.top("6h", 200)[0].tolist() == by_key[1:201].tolist()


def test_the_digest_does_not_depend_on_dense_numbers() -> None:
    one, other = shop(0), shop(0)
    for name in ("a", "b", "c"):
        one.code(name)
    for name in ("c", "unrelated", "a", "b"):
        other.code(name)
    digests = []
    for items in (one, other):
        trends = Trends(items, WEIGHTS)
        trends.apply(rows_of([Click(items.find("a"), 1, NOW), Click(items.find("c"), 2, NOW - DAY)]))
        digests.append(trends.digest())
    assert digests[0] == digests[1]
    assert digests[0] != Trends(one, WEIGHTS).digest()


def test_rows_below_the_floor_are_ignored_however_late_they_come() -> None:
    items = shop(2)
    trends = Trends(items, WEIGHTS)
    floor = NOW // DAY * DAY + 5 * HOUR
    trends.advance(Instant(floor))
    trends.advance(Instant(0))
    before, within = Click(0, 1, NOW // DAY * DAY - 1), Click(1, 1, NOW // DAY * DAY)
    trends.apply(rows_of([before, within]))
    trends.retract(rows_of([before]))
    assert trends.top("1d", 5)[0].tolist() == [1]


def test_a_restored_state_reads_and_goes_on_like_the_one_it_was_taken_from() -> None:
    items = shop(12)
    trends = Trends(items, WEIGHTS)
    live = random_clicks(3, 2_000, 12)
    trends.apply(rows_of(live))
    trends.advance(Instant(NOW - 10 * DAY))
    live = [click for click in live if click.at >= (NOW - 10 * DAY) // DAY * DAY]
    state: dict[str, NDArray[np.int64]] = {name: array.copy() for name, array in trends.state().items()}
    again = Trends(items, WEIGHTS)
    again.restore(state)
    assert again.digest() == trends.digest()
    more = random_clicks(4, 500, 12)
    more = [click for click in more if click.at >= NOW]
    again.apply(rows_of(more))
    again.retract(rows_of(live[:100]))
    check_top(again, items, live[100:] + more, 50, None)


@pytest.mark.parametrize("damage", ["counts", "entries", "floor", "order", "sum", "type"])
def test_a_damaged_state_is_refused(damage: str) -> None:
    items = shop(3)
    trends = Trends(items, WEIGHTS)
    trends.apply(rows_of([Click(0, 1, NOW), Click(0, 1, NOW + HOUR), Click(2, 1, NOW)]))
    state = dict(trends.state())
    if damage in state:
        del state[damage]
    elif damage == "order":
        state["entries"] = state["entries"][[1, 0, 2]]
    elif damage == "sum":
        state["counts"] = state["counts"] + np.int32(1)
    else:
        state["entries"] = state["entries"].astype(np.float64)
    with pytest.raises(Corrupt):
        Trends(items, WEIGHTS).restore(state)


def test_a_kind_can_be_given_a_weight_later() -> None:
    items = shop(2)
    trends = Trends(items, WEIGHTS)
    trends.weigh(9, 5)
    trends.apply(rows_of([Click(0, 9, NOW), Click(1, 8, NOW)]))
    assert trends.top("6h", 5)[1].tolist() == pytest.approx([5.0])


def test_times_far_outside_of_history_do_no_harm() -> None:
    items = shop(2)
    view: View = Trends(items, WEIGHTS)
    far = [Click(0, 1, 2**63 - 1), Click(1, 1, -(2**63))]
    view.apply(rows_of(far))
    assert isinstance(view, Trends)
    assert view.top("30d", 5)[0].tolist() == [0, 1]
    view.retract(rows_of(far))
    assert view.digest() == bytes(16)


def test_an_unknown_horizon_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="6h, 1d, 7d, 30d"):
        Trends(shop(1), WEIGHTS).top("2h", 5)
