"""A decision fits into its room, comes back as it was, and bytes that are none are refused."""

from __future__ import annotations

import string
import struct
from contextlib import suppress
from random import Random
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.vocabulary.decision import (
    REASONS,
    ROOM,
    Decision,
    Everything,
    decode_decision,
    decode_everything,
    encode_decision,
    encode_everything,
    keeps_everything,
    outline_of,
)
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.ids import ItemId

T = TypeVar("T")

LETTERS = string.ascii_letters + string.digits + "-_"
ids = st.one_of(
    st.text(LETTERS, min_size=1, max_size=14),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(["+/", "=", "a" * 300, "é", "A", "AA"]),
).map(ItemId)
finite = st.floats(-1e30, 1e30, allow_nan=False)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    count = draw(st.integers(0, 30))

    def column(of: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
        return st.lists(of, min_size=count, max_size=count)

    others = draw(st.lists(ids, max_size=30))
    return Decision(
        placement=draw(st.text(max_size=10)),
        items=draw(column(ids)),
        seed=draw(st.integers(0, 2**64 - 1)),
        scores=draw(column(finite)),
        propensities=draw(st.one_of(st.just([1.0] * count), column(st.floats(2**-20, 1, width=32)))),
        reasons=bytes(draw(column(st.integers(0, len(REASONS) - 1)))),
        because=draw(st.one_of(st.just([""] * count), column(st.one_of(st.just(""), ids)))),
        position=draw(st.sampled_from(["", "v1.7", "v1.1.2.3"])),
        personalized=draw(st.booleans()),
        placement_version=draw(st.integers(0, 1000)),
        policy=draw(st.text(max_size=5)),
        model=draw(st.text(max_size=5)),
        holdout=draw(st.booleans()),
        behind=draw(st.booleans()),
        degraded=draw(st.booleans()),
        counts_as_shown=draw(st.booleans()),
        limit=draw(st.integers(0, 100)),
        window=draw(st.integers(1, 10_000)),
        purchase_window=draw(st.integers(1, 10_000)),
        consent=draw(st.text(max_size=3)),
        arms=draw(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=3)),
        others=others,
        other_scores=[1.0 / (n + 1) for n in range(len(others))],
    )


def steps_off(before: list[float], after: list[float]) -> bool:
    """Whether a score lies further than half a step from what it was."""
    span = max(before, default=0.0) - min(before, default=0.0)
    least = 1e-30 + 1e-15 * max(map(abs, before), default=0.0)  # ranges below that count as none
    return any(abs(b - a) > least + span * (0.5 / 65_535 + 1e-6) for b, a in zip(before, after, strict=True))


@given(decisions())
def test_a_decision_comes_back_as_it_was_with_scores_in_steps(decision: Decision) -> None:
    data = encode_decision(decision)
    back = decode_decision(data)
    assert not steps_off(list(decision.scores), list(back.scores))
    kept = len(back.others)
    assert list(back.others) == list(decision.others)[:kept]
    assert not steps_off(list(decision.other_scores)[:kept], list(back.other_scores))
    assert list(back.because) == list(decision.because or [""] * len(decision.items))
    rest = {"scores": (), "others": (), "other_scores": (), "because": ()}
    plain = msgspec.structs.replace
    arms = list(decision.arms)
    assert plain(back, **rest, arms=arms) == plain(decision, **rest, arms=arms)


@given(decisions())
def test_what_was_read_is_written_the_same_again(decision: Decision) -> None:
    data = encode_decision(decision)
    again = decode_decision(encode_decision(decode_decision(data)))
    first = decode_decision(data)
    assert (again.items, again.propensities, again.because) == (
        first.items,
        first.propensities,
        first.because,
    )
    assert not steps_off(list(first.scores), list(again.scores))


@given(decisions())
def test_the_outline_says_what_the_whole_says(decision: Decision) -> None:
    data = encode_decision(decision)
    outline, whole = outline_of(data), decode_decision(data)
    for name in outline.__struct_fields__:
        assert getattr(outline, name) == getattr(whole, name)


def realistic(random: Random, shown: int, low: int, high: int) -> Decision:
    """A slate as a shop's would be: ids of low to high letters, sorted scores, three items as reasons."""

    def some(count: int) -> list[ItemId]:
        return [ItemId("".join(random.choices(LETTERS, k=random.randint(low, high)))) for _ in range(count)]

    trail = some(3)
    return Decision(
        placement="product-page",
        items=some(shown),
        seed=random.getrandbits(64),
        scores=sorted((random.random() * 3 for _ in range(shown)), reverse=True),
        propensities=[1.0] * shown,
        reasons=bytes(random.choices(range(1, 7), k=shown)),
        because=random.choices([*trail, ""], k=shown),
        position="v1.39515123",
        personalized=True,
        placement_version=12,
        policy="greedy",
        model="trees-17",
        limit=shown,
        others=some(60),
        other_scores=[0.5] * 60,
    )


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("low", "high"), [(8, 12), (12, 12), (5, 8)])
def test_twenty_items_and_what_still_fits_take_at_most_400_bytes(seed: int, low: int, high: int) -> None:
    assert len(encode_decision(realistic(Random(seed), 20, low, high))) <= ROOM


@pytest.mark.parametrize("shown", [1, 5, 10, 15])
def test_the_room_that_a_short_slate_leaves_is_used_for_candidates_not_shown(shown: int) -> None:
    decision = realistic(Random(shown), shown, 8, 12)
    data = encode_decision(decision)
    assert ROOM - 40 < len(data) <= ROOM
    assert len(decode_decision(data).others) > (20 - shown) // 2


def test_a_long_slate_is_kept_whole_beyond_the_room() -> None:
    decision = realistic(Random(1), 100, 12, 12)
    assert decode_decision(encode_decision(decision)).items == decision.items


def test_propensities_take_room_only_where_they_are_not_one() -> None:
    decision = realistic(Random(2), 20, 8, 8)
    certain = len(encode_decision(msgspec.structs.replace(decision, others=())))
    chances = [1.0] * 18 + [0.25, 0.125]
    explored = msgspec.structs.replace(decision, others=(), propensities=chances)
    data = encode_decision(explored)
    assert len(data) == certain + 10
    assert decode_decision(data).propensities == chances


def test_a_decision_of_part_one_still_reads() -> None:
    first = (
        b'{"placement":"home","items":["p-1","p-2"],"seed":18446744073709551615,"scores":[1.5,0.25],'
        b'"propensities":[1.0,1.0],"reasons":["popular","something_else"],"position":"v1.3","personalized":true}'
    )
    decision = decode_decision(first)
    assert (decision.items, decision.seed, decision.scores) == (["p-1", "p-2"], 2**64 - 1, [1.5, 0.25])
    assert [REASONS[number] for number in decision.reasons] == ["popular", ""]
    assert outline_of(first).items == ["p-1", "p-2"]


def test_golden_bytes_of_version_two_still_read() -> None:
    golden = bytes.fromhex(
        "0200005f9fa4686f6d6503a6677265656479a5626c656e64c40d03030303a7ed69fb6a7ef4000002c410000000000000e03f"
        "0000803fffff0000c405010000803ec40401050100cf8000000000000005a476312e370302923c7892a1709192a165a16293"
        "c4050103a7edc0c40e000000000000d03f000000000000c400"
    )
    assert decode_decision(golden) == Decision(
        placement="home",
        items=[ItemId("p-1"), ItemId("p-2")],
        seed=2**63 + 5,
        scores=[1.5, 0.5],
        propensities=[1.0, 0.25],
        reasons=bytes([1, 5]),
        because=["p-9", ""],
        position="v1.7",
        personalized=True,
        placement_version=3,
        policy="greedy",
        model="blend",
        holdout=True,
        limit=2,
        window=60,
        purchase_window=120,
        consent="p",
        arms=[("e", "b")],
        others=[ItemId("p-3")],
        other_scores=[0.25],
    )


@pytest.mark.parametrize("version", [0, 1, 3, 9, 255])
def test_a_version_that_is_not_known_is_refused_by_its_number(version: int) -> None:
    data = bytes([version]) + encode_decision(realistic(Random(3), 3, 8, 8))[1:]
    with pytest.raises(Corrupt, match=f"version {version}; this Heedful reads versions up to 2"):
        decode_decision(data)
    with pytest.raises(Corrupt, match=f"version {version}"):
        outline_of(data)


def refused_or_read(data: bytes) -> None:
    for read in (decode_decision, outline_of):
        with suppress(Corrupt):
            read(data)


@given(st.binary(max_size=60), st.sampled_from([b"", b"\x02", b"\x02\x00\x00\x10", b"{"]))
def test_hostile_bytes_are_corrupt_and_never_a_crash(data: bytes, start: bytes) -> None:
    refused_or_read(start + data)


@given(decisions(), st.data())
def test_damaged_decisions_are_corrupt_or_read_but_never_a_crash(
    decision: Decision, data: st.DataObject
) -> None:
    whole = bytearray(encode_decision(decision))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    refused_or_read(bytes(whole))
    refused_or_read(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_a_score_that_is_no_number_is_not_kept(score: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        encode_decision(Decision("home", [ItemId("a"), ItemId("b")], 1, [score, 0.0]))


@pytest.mark.parametrize(
    "wrong",
    [
        Decision("home", [ItemId("a")], 1, []),
        Decision("home", [ItemId("a")], 1, [1.0], [0.5, 0.5]),
        Decision("home", [ItemId("a")], 1, [1.0], reasons=b"\x01\x01\x01"),
    ],
)
def test_columns_of_different_length_are_not_kept(wrong: Decision) -> None:
    with pytest.raises(ValueError, match="another length"):
        encode_decision(wrong)


def test_the_sampled_share_keeps_everything_and_comes_back() -> None:
    features = struct.pack("<6f", *range(6))
    everything = Everything(
        [ItemId(name) for name in "abc"], ["f", "g"], features, struct.pack("<3f", 1.0, 0.5, 0.0)
    )
    decision = Decision("home", [ItemId("a")], 7, [1.0], full=encode_everything(everything))
    back = decode_decision(encode_decision(decision))
    assert decode_everything(back.full) == everything
    assert back.others == []
    with pytest.raises(ValueError, match="do not fit"):
        Everything([ItemId("a")], ["f"], b"", b"")
    with pytest.raises(Corrupt):
        decode_everything(b"\x94\x91\xa1a\x91\xa1f\xc4\x00\xc4\x00")


def test_where_an_item_might_have_stood_is_kept_and_what_was_written_before_still_reads() -> None:
    items, scores, half = [ItemId("a")], struct.pack("<f", 2.0), struct.pack("<f", 0.5)
    before = msgspec.msgpack.encode([items, ["f"], scores, half])
    assert decode_everything(before) == Everything(items, ["f"], scores, half)
    swapped = Everything(items, ["f"], scores, half, bytes([1]), half)
    assert decode_everything(encode_everything(swapped)) == swapped
    with pytest.raises(ValueError, match="chance"):
        Everything(items, ["f"], scores, half, bytes([1]))


def test_the_share_is_kept_and_says_nothing_of_the_seeds_own_bits() -> None:
    random = Random(5)
    seeds = [random.getrandbits(64) for _ in range(20_000)]
    kept = [seed for seed in seeds if keeps_everything(seed, 0.1)]
    assert 1_800 < len(kept) < 2_200
    assert 0.4 < sum(seed >> 63 for seed in kept) / len(kept) < 0.6
    assert 0.4 < sum(seed & 1 for seed in kept) / len(kept) < 0.6
    assert not any(keeps_everything(seed, 0.0) for seed in seeds)
    assert all(keeps_everything(seed, 1.0) for seed in seeds)
