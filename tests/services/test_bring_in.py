"""Bringing in files: every line is accounted for, nothing counts twice, and no line hurts its neighbours."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.services.bring_in import BringIn, Counts, Refusal, json_lines
from heedful.services.columns import Columns, Table
from tests.services.shop import Shop

GOOD = {"type": "track", "event": "Product Viewed", "userId": "ada", "properties": {"product_id": "tent"}}


def brought(shop: Shop, lines: Iterable[bytes], file: str = "f.jsonl") -> tuple[Counts, list[Refusal]]:
    refused: list[Refusal] = []
    counts = BringIn(shop.engine.collecting).lines(file, json_lines(lines), refused.append)
    assert counts.lines == counts.accepted + counts.duplicate + counts.refused + counts.skipped
    assert counts.refused == len(refused) == sum(counts.reasons.values())
    return counts, refused


def line(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode() + b"\n"


def test_lines_are_brought_in_and_a_second_time_adds_nothing() -> None:
    shop = Shop()
    lines = [line(userId=f"p{n}", timestamp="2011-12-09T12:50:00Z") for n in range(1_203)]
    counts, _ = brought(shop, lines)
    assert (counts.accepted, counts.duplicate) == (1_203, 0)
    before = shop.engine.fold.digests()
    counts, _ = brought(shop, lines)
    assert (counts.accepted, counts.duplicate) == (0, 1_203)
    assert shop.engine.fold.digests() == before


def test_exact_repeats_within_a_file_count_each() -> None:
    shop = Shop()
    counts, _ = brought(shop, [line()] * 3)
    assert counts.accepted == 3


def test_the_same_line_of_another_file_is_another_event() -> None:
    shop = Shop()
    brought(shop, [line()], "a.jsonl")
    assert brought(shop, [line()], "b.jsonl")[0].accepted == 1


def test_a_message_id_of_its_own_is_kept() -> None:
    shop = Shop()
    counts, _ = brought(shop, [line(messageId="m1"), line(messageId="m1"), line(messageId="m1", userId="bo")])
    assert (counts.accepted, counts.duplicate, counts.refused) == (1, 1, 1)
    assert counts.reasons == {"conflict": 1}


@pytest.mark.parametrize("empty", [None, "", 7])
def test_a_message_id_that_says_nothing_is_replaced(empty: object) -> None:
    shop = Shop()
    lines = [line(messageId=empty)] if empty == 7 else [line(messageId=empty), line(messageId=empty)]
    assert brought(shop, lines)[0].accepted == len(lines)
    assert brought(shop, lines)[0].duplicate == len(lines)


def test_times_stay_as_they_are() -> None:
    shop = Shop()
    counts, _ = brought(shop, [
        line(timestamp="1999-01-01T00:00:00Z", userId="old"), line(timestamp="2099-01-01T00:00:00Z", userId="new"),
    ])  # fmt: skip
    assert counts.accepted == 2
    ats = shop.engine.fold.history
    found = {int(at) for code in range(2) for at in ats.rows(code).at}
    assert found == {915_148_800_000_000, 4_070_908_800_000_000}


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"{", "json_invalid"),
        (b"not json", "json_invalid"),
        (b'{"a":1},{"b":2}', "json_invalid"),
        (b'{"a":1}]}', "json_invalid"),
        (b'{"userId":"\xff"}', "json_invalid"),
        (b'{"userId":"ada","x":"\xff"}', "json_invalid"),
        (b"[1]", "json_invalid"),
        (b"3", "json_invalid"),
        (b"null", "json_invalid"),
        (b'{"x":' + b"[" * 40 + b"]" * 40 + b"}", "json_too_deep"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "json_too_deep"),
        (b'{"messageId":null,"x":' + b"[" * 990 + b"]" * 990 + b"}", "json_too_deep"),
        (b'{"messageId":null,"type":"track","type":"page"}', "json_duplicate_key"),
        (b'{"userId":NaN}', "json_invalid"),
        (b'{"type":"track","type":"page"}', "json_duplicate_key"),
        (json.dumps({**GOOD, "x": "y" * 40_000}).encode(), "event_too_large"),
        (json.dumps({**GOOD, "x": "y" * 600_000}).encode(), "too_large"),
        (json.dumps({**GOOD, "userId": None}).encode(), "subject_missing"),
        (json.dumps({**GOOD, "type": "sing"}).encode(), "type_unknown"),
        (json.dumps({**GOOD, "timestamp": "soon"}).encode(), "timestamp_invalid"),
        (json.dumps({**GOOD, "properties": {}}).encode(), "item_missing"),
        (json.dumps({**GOOD, "messageId": "x" * 101}).encode(), "id_too_long"),
        (json.dumps({**GOOD, "messageId": {"x": 1}}).encode(), "type_invalid"),
    ],
)
def test_a_bad_line_refuses_itself_and_no_neighbour(bad: bytes, code: str) -> None:
    shop = Shop()
    counts, refused = brought(shop, [line(userId="a"), line(userId="b"), bad + b"\n", line(userId="c")])
    assert (counts.accepted, counts.refused) == (3, 1)
    assert (refused[0].line, refused[0].text) == (3, bad)
    assert refused[0].code == code
    assert refused[0].message


def test_empty_lines_are_skipped_and_counted() -> None:
    counts, _ = brought(Shop(), [b"\n", line(), b"  \r\n", line(userId="bo"), b""])
    assert (counts.lines, counts.accepted, counts.skipped) == (5, 2, 3)


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    shop = Shop()
    counts, _ = brought(shop, [b"\xef\xbb\xbf" + line(), line()])
    assert counts.accepted == 2


def test_lines_of_windows_are_lines() -> None:
    counts, _ = brought(Shop(), [line().replace(b"\n", b"\r\n")] * 2)
    assert counts.accepted == 2


def test_progress_is_told_and_ends_at_the_end() -> None:
    told: list[int] = []
    lines = [line(userId=f"p{n}") for n in range(1_100)]
    BringIn(Shop().engine.collecting).lines(
        "f", json_lines(lines), lambda refusal: None, lambda counts: told.append(counts.lines)
    )
    assert told[-1] == 1_100
    assert len(told) >= 3


DIRTY = st.one_of(
    st.builds(
        line,
        userId=st.sampled_from(("ada", "bo", "", None)),
        messageId=st.sampled_from((None, "m1", "m2", "")),
        timestamp=st.sampled_from(
            ("2011-12-09T12:50:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", 3)
        ),
        type=st.sampled_from(("track", "page", "sing")),
    ),
    st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"") + b"\n"),
    st.sampled_from((b"\n", b"{}\n", b'{"batch":[]}\n', b'{"type":"track"}\n',
        b'{"x":"\\ud800"}\n', b'{"x":"\\u0000"}\n')),
    st.text(max_size=20).map(lambda text: json.dumps(text).encode() + b"\n"),
    st.integers(30, 35).map(lambda depth: b'{"x":' + b"[" * depth + b"]" * depth + b"}\n"),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(DIRTY, max_size=14))
def test_every_line_of_a_dirty_file_is_accounted_for_and_once(lines: list[bytes]) -> None:
    shop = Shop()
    counts, refused = brought(shop, lines)
    assert counts.lines == len(lines)
    assert all(lines[one.line - 1].strip() in (one.text, b"\xef\xbb\xbf" + one.text) for one in refused)
    before = shop.engine.fold.digests()
    again, _ = brought(shop, lines)
    assert again.accepted == 0
    assert again.duplicate == counts.accepted + counts.duplicate
    assert (again.refused, again.skipped) == (counts.refused, counts.skipped)
    assert shop.engine.fold.digests() == before
    assert shop.verify().agrees


@settings(max_examples=60, deadline=None)
@given(st.lists(DIRTY, max_size=8))
def test_dirt_changes_nothing_for_the_clean_lines_around_it(dirt: list[bytes]) -> None:
    clean = [line(userId=f"p{n}", messageId=f"id{n}") for n in range(4)]
    plain, dirty = Shop(), Shop()
    brought(plain, clean)
    mixed = [one for place, row in enumerate(clean) for one in (row, *dirt[place::4])]
    counts, refused = brought(dirty, mixed)
    assert counts.accepted >= 4
    assert not {one.text for one in refused} & {row.strip() for row in clean}


SALES = Columns(
    names={"order": "Invoice", "item": "Code", "quantity": "N", "time": "At", "user": "Who", "price": "P"},
    event="Order Completed",
)


def sold(shop: Shop, *rows: str) -> Counts:
    refused: list[Refusal] = []
    table = Table(SALES)
    lines = [f"{row}\n" for row in ("Invoice,Code,N,At,Who,P", *rows)]
    counts = BringIn(shop.engine.collecting).lines("sales.csv", table.calls(lines), refused.append)
    assert counts.lines == counts.accepted + counts.duplicate + counts.refused + counts.skipped
    return counts


def test_exact_repeats_of_a_row_are_two_lines_of_the_order() -> None:
    shop = Shop()
    row = "i1,tent,1,2026-11-01,ada,3"
    assert sold(shop, row, row).accepted == 2
    assert sold(shop, row, row).duplicate == 2
    shop.views("bo", "tent")
    shop.does("Order Refunded", "ada", "tent", order_id="i1")
    shop.views("ada", "map")
    assert "tent" not in shop.ids("ada")
    shop.does("Order Refunded", "ada", "tent", order_id="i1")
    assert "tent" in shop.ids("ada")


def test_a_negative_quantity_gives_back() -> None:
    shop = Shop()
    sold(shop, "i1,tent,2,2026-11-01,ada,3", "i1,map,1,2026-11-01,ada,3", "c1,tent,-2,2026-11-02,ada,3")
    shop.views("ada", "lamp")
    assert shop.ids("ada") == ["tent"]
