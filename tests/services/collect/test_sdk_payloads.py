"""Bodies in the shape that real senders give them."""

from __future__ import annotations

import json
from typing import Any

from heedful.vocabulary import kinds
from heedful.vocabulary.event import Line
from heedful.vocabulary.receipt import Status
from heedful.vocabulary.time import SECOND
from tests.services.collect.memory import NOW, PSEUDONYMS, Door

LIBRARY = {"library": {"name": "analytics-python", "version": "2.4.0"}}


def server_batch() -> bytes:
    """What the Python server library sends: nulls for what is absent, escapes, one sending time."""
    common = {
        "integrations": {},
        "anonymousId": None,
        "timestamp": "2026-11-23T11:33:50.769+00:00",
        "context": LIBRARY,
    }
    order = {
        "order_id": "o-1",
        "revenue": 39.98,
        "products": [{"product_id": "p1", "price": 19.99, "quantity": 2}],
    }
    batch: list[dict[str, Any]] = [
        {**common, "type": "identify", "userId": "u1", "traits": {"email": "a@example.org", "emoji": "😀 é"}},
        {**common, "type": "track", "userId": "u1", "event": "Order Completed", "properties": order},
        {**common, "type": "track", "userId": None, "anonymousId": "anon-1", "event": "Product Viewed",
         "properties": {"product_id": 7, "price": 1e-7}},
        {**common, "type": "page", "userId": "u1", "category": "Docs", "name": "Home",
         "properties": {"title": "x"}},
        {**common, "type": "screen", "userId": "u1", "category": None, "name": "Main", "properties": {}},
        {**common, "type": "group", "userId": "u1", "groupId": "g9", "traits": {"name": "Co"}},
        {**common, "type": "alias", "userId": "u1", "previousId": "anon-1"},
    ]  # fmt: skip
    for number, message in enumerate(batch):
        message["messageId"] = f"27562c9a-4b74-4d76-a93d-a07bed6e5ca{number}"
    return json.dumps(
        {"batch": batch, "sentAt": "2026-11-23T11:33:51.269491+00:00", "writeKey": "wk"}
    ).encode()


def test_a_server_librarys_batch_is_taken_whole() -> None:
    door = Door()
    answer = door.send("batch", server_batch())
    assert {fate.status for fate in answer.events} == {Status.ACCEPTED}
    events = [door.event(fate.message_id) for fate in answer.events]
    assert [event.kind for event in events] == [
        kinds.IDENTIFY, kinds.PURCHASE, kinds.VIEW, kinds.PAGE, kinds.SCREEN, kinds.GROUP, kinds.ALIAS
    ]  # fmt: skip
    assert events[1].lines == (Line("p1", 2, 3998, "p1"),)
    assert events[1].value == 3998
    assert events[2].lines == (Line("7"),)
    assert json.loads(events[0].traits)["emoji"] == "😀 é"
    assert {json.loads(event.context)["library"]["name"] for event in events} == {"analytics-python"}
    records = list(door.log.records.values())
    assert {record.at for record in records} == {NOW - 500_491}
    assert records[2].subject == PSEUDONYMS.anonymous("anon-1")


def test_a_server_librarys_retry_adds_nothing() -> None:
    door = Door()
    door.send("batch", server_batch())
    door.clock.at = type(NOW)(NOW + 60 * SECOND)
    again = door.send("batch", server_batch().replace(b"11:33:51.269491", b"11:34:51.300000"))
    assert {fate.status for fate in again.events} == {Status.DUPLICATE}


def test_a_browsers_call_is_taken() -> None:
    body = {
        "timestamp": "2026-11-23T11:33:50.101Z",
        "integrations": {},
        "anonymousId": "5b1c7a0e-8f3f-4c54-9a0f-0f6cf7f2f4f1",
        "type": "track",
        "event": "Product Added",
        "properties": {"product_id": "507f1f77", "sku": "G-32", "price": 18.99, "quantity": 1, "position": 3},
        "context": {
            "page": {
                "path": "/p/1",
                "referrer": "",
                "search": "",
                "title": "Socks",
                "url": "https://shop.example/p/1",
            },
            "userAgent": "Mozilla/5.0",
            "locale": "de-DE",
            "library": {"name": "analytics.js", "version": "npm:next-1.70.0"},
            "timezone": "Europe/Berlin",
        },
        "messageId": "ajs-next-1763897630101-2f0a8c1e",
        "userId": None,
        "writeKey": "wk",
        "sentAt": "2026-11-23T11:33:50.109Z",
        "_metadata": {"bundled": ["Segment.io"], "unbundled": [], "bundledIds": []},
    }
    door = Door()
    (fate,) = door.send("track", body).events
    assert fate.status is Status.ACCEPTED
    event = door.event("ajs-next-1763897630101-2f0a8c1e")
    assert (event.kind, event.lines) == (kinds.CART, (Line("507f1f77", 1, 1899),))
    assert door.log.records["web:ajs-next-1763897630101-2f0a8c1e"].at == NOW - 8_000
