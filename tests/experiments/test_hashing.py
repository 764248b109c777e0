"""The same id falls into the same place in Python, in a browser and in Node."""

from __future__ import annotations

import random
import struct
from itertools import pairwise
from typing import Any

import pytest

from heedful.experiments.assignment.hashing import bucket, number_text, unit_text
from heedful.experiments.assignment.javascript import (
    compared,
    is_equal_json,
    is_same,
    is_truthy,
    to_number,
    to_text,
)
from heedful.experiments.assignment.ranges import bucket_ranges, choose

from .node import NEEDED, run

FNV_32 = """s => { let h = 0x811c9dc5; for (let i = 0; i < s.length; i++) { h ^= s.charCodeAt(i);
  h += (h << 1) + (h << 4) + (h << 7) + (h << 8) + (h << 24); } return h >>> 0; }"""
FNV_64 = """(seed, value) => { const s = seed + "\\u0000" + value, m = (1n << 64n) - 1n; let h =
0xcbf29ce484222325n;
  for (let i = 0; i < s.length; i++) h = (h ^ BigInt(s.charCodeAt(i))) * 0x100000001b3n & m;
  h = (h ^ h >> 30n) * 0xbf58476d1ce4e5b9n & m; h = (h ^ h >> 27n) * 0x94d049bb133111ebn & m; h ^= h >> 31n;
  return Number(h >> 11n) / 9007199254740992; }"""


def ids(count: int, seed: int = 5) -> list[tuple[str, str]]:
    """Seeds and ids: ASCII, accents, other scripts, emoji of one and of several code points."""
    chance = random.Random(seed)
    alphabets = [
        "abcdefghijklmnopqrstuvwxyz0123456789-_|@.",
        "äöüßéèñçøåæœ" + "abc",
        "日本語中文한국어ไทยعربيעברית",
        "😀👩\u200d🚀🇩🇪𝔘𐍈" + "x",
        "".join(map(chr, range(0x20, 0x7F))),
        "\u0000\u0001\uffff\ue000\u2028",
    ]

    def text(most: int) -> str:
        letters = chance.choice(alphabets)
        return "".join(chance.choice(letters) for _ in range(chance.randint(0, most)))

    return [(text(20), text(40) or "x") for _ in range(count)]


def slow_fnv(text: str) -> int:
    """FNV-1a over the code units, with the shifts that GrowthBook's reference has instead of a multiplication."""
    data = text.encode("utf-16-be", "surrogatepass")
    found = 0x811C9DC5
    for high, low in zip(data[::2], data[1::2], strict=True):
        found ^= high << 8 | low
        found = (found + (found << 1) + (found << 4) + (found << 7) + (found << 8) + (found << 24)) % 2**32
    return found


def test_a_hundred_thousand_ids_of_all_scripts_fall_where_another_implementation_puts_them() -> None:
    """Against the `growthbook` package where it is installed, else against the twin above."""
    try:
        from growthbook.core import gbhash  # type: ignore[import-not-found,unused-ignore]
    except ImportError:

        def gbhash(seed: str, value: str, version: int) -> float:
            if version == 1:
                return slow_fnv(value + seed) % 1000 / 1000
            return slow_fnv(str(slow_fnv(seed + value))) % 10_000 / 10_000

    differing = [
        (seed, value)
        for place, (seed, value) in enumerate(ids(100_000))
        if bucket(seed, value, version := 1 + place % 5 // 4) != gbhash(seed, value, version)
    ]
    assert differing == []


@NEEDED
def test_node_agrees_on_all_three_versions() -> None:
    rows = ids(4_000, 9)
    one = run(f"([seed, value]) => ({FNV_32})(value + seed) % 1000 / 1000", rows)
    two = run(
        f"([seed, value]) => {{ const h = {FNV_32}; return h(h(seed + value) + '') % 10000 / 10000 }}", rows
    )
    three = run(f"([seed, value]) => ({FNV_64})(seed, value)", rows)
    assert [bucket(*row, 1) for row in rows] == one
    assert [bucket(*row, 2) for row in rows] == two
    assert [bucket(*row, 3) for row in rows] == three


@pytest.mark.parametrize(
    ("seed", "value", "expected"),
    [("seed", "é", 0.8663), ("seed", "日本", 0.9652), ("seed", "😀user", 0.4915), ("seed", "a", 0.0505),
     ("seed", "b", 0.2696), ("foo", "ab", 0.2575)],
)  # fmt: skip
def test_the_published_places_beyond_ascii(seed: str, value: str, expected: float) -> None:
    assert bucket(seed, value) == expected


def test_half_of_an_emoji_is_hashed_as_it_is() -> None:
    assert bucket("s", "\ud83d") is not None
    assert bucket("s", "\ud83d") != bucket("s", "\ud83e")


def test_version_3_tells_shares_apart_that_ten_thousandths_cannot() -> None:
    people = 200_000
    places = [bucket("rare", f"u{n}", 3) or 0.0 for n in range(people)]
    assert 2 <= sum(place < 5e-5 for place in places) <= 25  # 10 expected
    assert len(set(places)) == people
    counts = [0] * 50
    for place in places:
        counts[int(place * 50)] += 1
    chi2 = sum((count - people / 50) ** 2 / (people / 50) for count in counts)
    assert chi2 < 95  # 49 degrees of freedom: one in ten thousand


@pytest.mark.parametrize("version", [2, 3])
def test_two_seeds_are_independent(version: int) -> None:
    counts = [[0] * 5 for _ in range(5)]
    for n in range(50_000):
        one, other = bucket("exp-1", str(n), version) or 0.0, bucket("exp-2", str(n), version) or 0.0
        counts[int(one * 5)][int(other * 5)] += 1
    chi2 = sum((count - 2_000) ** 2 / 2_000 for row in counts for count in row)
    assert chi2 < 55  # 24 degrees of freedom: three in ten thousand


def test_a_seed_and_an_id_do_not_run_together_in_version_3() -> None:
    assert bucket("ab", "c", 2) == bucket("a", "bc", 2)  # GrowthBook's, and so it stays
    assert bucket("ab", "c", 3) != bucket("a", "bc", 3)


@pytest.mark.parametrize("value", [None, "", 0, 0.0, False, float("nan"), [], ["a"], {}, {"id": 1}])
def test_what_names_nobody_has_no_text(value: Any) -> None:
    assert unit_text(value) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [(123, "123"), (123.0, "123"), (True, "true"), (1.5, "1.5"), (1e21, "1e+21"), (1e-7, "1e-7"), (0.000001,
    "0.000001"),
     (12345678901234567890, "12345678901234567000"), (-2.50, "-2.5"), ("007", "007")],
)  # fmt: skip
def test_ids_are_written_as_javascript_writes_them(value: Any, expected: str) -> None:
    assert unit_text(value) == expected


def numbers(count: int) -> list[float]:
    chance = random.Random(3)
    found: list[float] = [
        0,
        -0.0,
        1e20,
        1e21,
        123456789012345680000.0,
        5e-324,
        1.7976931348623157e308,
        0.1,
        -1e-7,
    ]
    found += [2**53, 2**53 + 2, -(2**53), 2**60 + 4096, 10**18, 10**25]
    while len(found) < count:
        (value,) = struct.unpack("<d", chance.randbytes(8))
        if value == value and abs(value) < float("inf"):
            found.append(value)
        found.append(round(chance.uniform(-1e6, 1e6), chance.randint(0, 8)))
    return found


@NEEDED
def test_numbers_are_written_as_node_writes_them() -> None:
    values = numbers(3_000)
    assert [number_text(value) for value in values] == run("x => String(x)", values)


def values() -> list[Any]:
    """JSON of every kind that conditions meet."""
    return [
        None, True, False, 0, 1, -1, 1.0, 1.5, 10, 1e21, "", " ", "0", "1", "01", " 1 ", "1.0", "1e3", "0x10",
        "0b11", ".5",
        "5.", "-", "+5", "abc", "ABC", "true", "null", "NaN", "Infinity", "-Infinity", "é", "日", "😀", "\ue000",
        "10", "9", "\u00a07\ufeff", "1_000", "0o7", "1,2", [], [1], ["1"], [1, 2], [None], [[1], 2],
        [""], {}, {"a": 1},
        {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"2": 1, "1": 2}, {"1": 2, "2": 1}, [True], ["a", {"b": None}],
    ]  # fmt: skip


@NEEDED
def test_equality_and_order_are_those_of_node() -> None:
    pairs = [[a, b] for a in values() for b in values()]
    says = run(
        """([a, b]) => [a < b, a > b, a <= b, a >= b, a === b, JSON.stringify(a) === JSON.stringify(b), !!a,
        String(a),
            Number.isNaN(a * 1) ? "NaN" : String(a * 1)]""",
        pairs,
    )
    for (a, b), said in zip(pairs, says, strict=True):
        order = compared(a, b)
        got = [order == -1, order == 1, order in (-1, 0), order in (0, 1), is_same(a, b), is_equal_json(a, b)]
        assert [*got, is_truthy(a), to_text(a), number_text(to_number(a))] == said, (a, b)


def test_ranges_meet_without_a_gap_and_a_unit_has_one_arm() -> None:
    for weights in ([0.1, 0.2, 0.7], [1 / 3] * 3, [0.3334, 0.3333, 0.3333]):
        ranges = bucket_ranges(3, 1.0, weights)
        assert all(one.end == other.start for one, other in pairwise(ranges))
        assert {choose(n / 10_000, ranges) for n in range(9_999)} == {0, 1, 2}
