"""Every source comes to the same columns, in order of time, with nothing lost on the way."""

from __future__ import annotations

import json

import pytest

from heedful.log.codec import decode
from heedful.log.sealed import SealedLog
from heedful.services.evaluate.recording import Recorder
from heedful.services.evaluate.streams import Builder, Stream, from_json_lines, from_log, not_empty
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Line
from heedful.vocabulary.kinds import PURCHASE, VIEW
from tests.services.evaluate.histories import views
from tests.services.shop import Shop


def events_of(stream: Stream) -> list[tuple[str, list[str]]]:
    names = stream.names
    return [
        (names.kinds[stream.kind[n]], [names.items[item] for item in stream.items_of(n).tolist()])
        for n in range(len(stream))
    ]


def a_log() -> tuple[Shop, SealedLog]:
    shop = Shop()
    shop.put_items([{"id": "tent", "title": "A tent", "categories": ["sleep"]}])
    shop.views("ada", "tent")
    shop.buys("ada", "tent", "map", order="o1")
    shop.views("bo", "map", ago=30)
    shop.identify(user_id="ada", traits={"age": 3})
    shop.recommend("ada")
    shop.engine._commits.flush(1.0)
    log = shop.engine.log
    assert isinstance(log, SealedLog)
    return shop, log


def test_a_log_comes_in_order_of_time_with_what_concerns_items_alone() -> None:
    _, log = a_log()
    stream = from_log(log, "shop")
    assert events_of(stream) == [("view", ["map"]), ("view", ["tent"]), ("purchase", ["tent", "map"])]
    assert [described.name for described in stream.described] == ["tent"]
    assert stream.left_out["no_item"] == 2  # the traits and the answer


def test_a_stream_becomes_the_records_it_came_from() -> None:
    _, log = a_log()
    stream = from_log(log, "shop")
    recorder = Recorder(stream, Pseudonyms(bytes(32)))
    bought = decode(recorder.event(2).body)
    assert (bought.kind, bought.order, [line.item for line in bought.lines]) == (
        PURCHASE,
        "o1",
        ["tent", "map"],
    )
    assert [line.key for line in bought.lines] == ["tent", "map"]
    assert [recorder.event(n).at for n in range(3)] == stream.at.tolist()
    assert recorder.event(1).subject == recorder.event(2).subject != recorder.event(0).subject
    assert decode(recorder.description(0).body).name == "tent"


def test_json_lines_are_read_as_the_importer_reads_them() -> None:
    lines = [
        json.dumps({
            "type": "track", "event": "Product Viewed", "userId": who, "timestamp": f"2011-12-01T12:0{n}:00Z",
            "properties": {"product_id": item},
        }).encode()
        for n, (who, item) in enumerate([("ada", "b"), ("bo", "a")])
    ]  # fmt: skip
    stream = from_json_lines([("day.jsonl", [lines[1], b"{not json", b"", lines[0]])], "day", names={})
    assert events_of(stream) == [("view", ["b"]), ("view", ["a"])]
    assert stream.left_out == {"json_invalid": 1}


def test_a_line_given_twice_under_one_id_counts_once() -> None:
    line = b'{"type":"track","event":"view","userId":"a","messageId":"m","timestamp":"2011-12-01T12:00:00Z",'
    line += b'"properties":{"product_id":"x"}}'
    stream = from_json_lines([("a", [line]), ("b", [line])], "twice", names={})
    assert (len(stream), stream.left_out) == (1, {"repeated": 1})


def test_equal_times_keep_the_order_of_the_source() -> None:
    stream = views(("ada", "b", 1), ("ada", "a", 1), ("ada", "c", 0))
    assert events_of(stream) == [("view", ["c"]), ("view", ["b"]), ("view", ["a"])]


def test_lines_go_with_their_event_wherever_it_is_sorted_to() -> None:
    builder = Builder("orders")
    builder.add("ada", PURCHASE, 9, [Line("a", 2, 50, "a"), Line("b", 1, 7, "b")], order="o2", currency="GBP")
    builder.add("bo", "cancel", 7, (), order="o1")
    builder.add("ada", VIEW, 5, (Line("c"),))
    stream = builder.stream()
    assert events_of(stream) == [("view", ["c"]), ("cancel", []), ("purchase", ["a", "b"])]
    assert stream.amount.tolist() == [0, 50, 7]
    assert stream.quantity.tolist() == [1, 2, 1]
    newest = stream.newest(2)
    assert events_of(newest) == [("cancel", []), ("purchase", ["a", "b"])]
    assert newest.amount.tolist() == [50, 7]
    assert stream.newest(0) is stream.newest(3) is stream


def test_a_stream_of_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="no event that concerns an item") as refused:
        not_empty(views())
    assert refused.value.code == "nothing_to_replay"
