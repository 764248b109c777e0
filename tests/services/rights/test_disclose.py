# ruff: noqa: RUF001 - full-width forms are what is tried
"""Everything that is held about one person stands in their file, and nothing about anybody else."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.services.disclose import cell
from heedful.services.disclose.archive import PAGE
from heedful.vocabulary.rights import Someone
from tests.services.shop import Shop


def disclosed(shop: Shop, user: str = "", *anonymous: str) -> dict[str, bytes]:
    disclose = shop.engine.rights.disclose
    subjects = disclose.subjects(Someone(user, anonymous))
    file = io.BytesIO()
    steps = disclose.write(subjects, disclose.places(subjects), file)
    seen = list(steps)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    assert set(files) == set(steps.disclosed.files)
    return files


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def planted(shop: Shop, user: str, anonymous: str) -> dict[str, str]:
    """One fact of every sort for a person, each a word that stands nowhere else; returns the words by place."""
    at = iter(range(1_000))

    def word(place: str) -> str:
        words[place] = f"zq{next(at)}{place}{user}{anonymous}qz"
        return words[place]

    words: dict[str, str] = {"user": user} if user else {}
    ids: dict[str, Any] = {"user_id": user} if user else {}
    if anonymous:
        ids["anonymous_id"] = words["anonymous"] = anonymous
    calls: list[dict[str, Any]] = [
        {"properties": {"product_id": "tent", "note": word("property"), "deep": {"list": [word("deep")]}}},
        {"context": {"ip": word("ip"), "userAgent": word("agent")}, "message_id": word("message")},
    ]
    for more in calls:
        shop.track("Product Viewed", **{"properties": {"product_id": "map"}, **ids, **more})
    # What only one person looked at may be shown to others, who then rightly find it in their answers.
    shop.track("Noted", properties={"product_id": word("item"), "price": "1.23"}, **ids)
    shop.track(word("custom"), properties={word("key"): 1}, **ids)
    shop.track("Products Searched", properties={"query": word("query")}, **ids)
    shop.track(
        "Order Completed",
        properties={
            "order_id": word("order"),
            "coupon": word("coupon"),
            "products": [{"product_id": "stove"}],
        },
        **ids,
    )
    shop.identify(traits={"email": word("email"), word("trait"): {"city": word("city")}}, **ids)
    shop.page(word("page"), properties={"referrer": word("referrer")}, **ids)
    shop._call("group", groupId=word("group"), traits={"name": word("club")}, **{
        "userId" if name == "user_id" else "anonymousId": value for name, value in ids.items()
    })  # fmt: skip
    shop.track("consent", properties={"choices": {"sharing": False, "analytics": True}}, **ids)
    return words


def test_every_planted_fact_of_a_person_is_there_and_none_of_anybody_elses() -> None:
    shop = Shop()
    for walker in range(4):
        shop.views(f"walker{walker}", "tent", "stove", "map")
    people = [(f"user{n}x", f"device{n}x" if n % 3 else "") for n in range(12)]
    people += [("", f"only{n}x") for n in range(4)]
    words = {person: planted(shop, *person) for person in people}
    for user, _ in people[:6]:
        shop.recommend(user, placement=f"spot{user}")
    for person in people:
        user, anonymous = person
        # Events of somebody who is logged in are theirs under the user id; the device's own are under its id.
        files = disclosed(shop, user) if user else disclosed(shop, "", anonymous)
        mine, others = words[person], [words[other] for other in people if other != person]
        whole = b"".join(files.values()).decode()
        table, told = files["events.csv"].decode(), files["events.jsonl"].decode()
        for place, word in mine.items():
            assert word in told, (person, place)
            assert word in table, (person, place)
        for other in others:
            for place, word in other.items():
                assert word not in whole, (person, place)
        assert len(rows(files["consents.csv"])) == 2
        assert len(lines(files["events.jsonl"])) == len(rows(files["events.csv"])) == 10
        assert (f"spot{user}" in files["decisions.jsonl"].decode()) == (person in people[:6])


def test_an_event_comes_with_its_three_times_and_source() -> None:
    shop = Shop()
    shop.track("Product Viewed", user_id="ada", message_id="m-1", properties={"product_id": "tent"},
               timestamp="2026-11-20T10:00:00Z", sent_at="2026-11-20T10:00:05Z")  # fmt: skip
    (event,) = lines(disclosed(shop, "ada")["events.jsonl"])
    assert (event["source"], event["eventId"], event["kind"], event["name"]) == (
        "client",
        "m-1",
        "view",
        "Product Viewed",
    )
    assert event["clientTime"] == "2026-11-20T10:00:00.000000Z"
    assert event["sentTime"] == "2026-11-20T10:00:05.000000Z"
    assert event["receivedTime"] == "2026-11-23T11:33:51.000000Z"
    assert event["happened"] == "2026-11-23T11:33:46.000000Z"
    assert event["items"] == [{"itemId": "tent", "quantity": 1, "amount": 0}]


def test_answers_come_with_what_was_shown_and_why() -> None:
    shop = Shop()
    for walker in range(4):
        shop.views(f"walker{walker}", "tent", "stove", "map")
    shop.put_item("stove", title="Big <b>stove</b>", categories=["kitchen"])
    shop.views("ada", "tent")
    answer = shop.recommend("ada", placement="home")
    choice = shop.decide("ada", placement="hero", variants=["a", "b"])
    shop.recommend("walker1", placement="elsewhere")
    files = disclosed(shop, "ada")
    told = {one["decisionId"]: one for one in lines(files["decisions.jsonl"])}
    assert set(told) == {answer.decision_id, choice.decision_id}
    assert [item["itemId"] for item in told[answer.decision_id]["items"]] == [
        item.item_id for item in answer.items
    ]
    assert told[answer.decision_id]["items"][0]["reason"]["text"] == answer.items[0].reason.text
    assert told[choice.decision_id]["variant"] == choice.variant
    table = rows(files["decisions.csv"])
    assert [row["reason"] for row in table if row["decisionId"] == answer.decision_id] == [
        item.reason.text for item in answer.items
    ]
    assert {row["title"] for row in table if row["itemId"] == "stove"} == {"Big <b>stove</b>"}
    assert "walker" not in b"".join(files.values()).decode()


def test_the_page_has_no_script_and_nothing_from_outside_is_markup() -> None:
    shop = Shop()
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    shop.put_item("x1", title="x", categories=[evil])
    shop.views("ada", "x1", evil)
    shop.does("Product Hidden", "ada", evil)
    page = disclosed(shop, "ada")["index.html"].decode()
    assert "&lt;script&gt;" in page
    tags = set(re.findall(r"<(\w+)", page))
    assert tags <= {"html", "meta", "title", "style", "h1", "h2", "h3", "p", "table", "tr", "td", "th"}
    assert "default-src 'none'" in page


def test_the_overview_names_purposes_with_ground_recipients_and_retention() -> None:
    shop = Shop()
    shop.views("ada", "tent")
    files = disclosed(shop, "ada")
    registry = json.loads(files["purposes.json"])
    assert {"purpose", "legal_basis", "recipients", "retention_days", "data_categories"} <= set(registry[0])
    text = files["README.txt"].decode()
    assert all(name in text for name in files)
    assert "personalization" in files["index.html"].decode()


def test_of_an_unknown_person_there_is_an_empty_file_of_the_same_shape() -> None:
    shop = Shop()
    shop.views("ada", "tent")
    known, unknown = disclosed(shop, "ada"), disclosed(shop, "nobody")
    assert known.keys() == unknown.keys()
    assert unknown["events.jsonl"] == b""
    assert json.loads(unknown["profile.json"])["firstSeen"] is None


def test_more_than_a_page_is_whole(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.send("batch", {"batch": [
        {"type": "track", "userId": f"u{n % 2}", "event": "Product Viewed", "messageId": f"m{n}",
         "properties": {"product_id": f"p{n}"}}
        for n in range(6 * PAGE)
    ]})  # fmt: skip
    assert [one["eventId"] for one in lines(disclosed(shop, "u1")["events.jsonl"])] == [
        f"m{n}" for n in range(1, 6 * PAGE, 2)
    ]
    shop.close()


def test_what_the_views_let_go_of_and_the_log_still_holds_is_told_too(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.views("ada", "tent", ago=60 * 24 * 90)
    shop.engine.fold.advance(shop.clock.at)
    assert json.loads(disclosed(shop, "ada")["profile.json"])["firstSeen"] is None
    assert len(lines(disclosed(shop, "ada")["events.jsonl"])) == 1
    shop.close()


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠a",
            " =1", "\u200b=1", "\u00a0=1",
            "|calc",
            "%0A", "=cmd|' /C calc'!A0", "\0=1"]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert cell(text).startswith("'")


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=30))
def test_a_cell_keeps_its_text_and_begins_harmlessly(text: str) -> None:
    found = cell(text)
    assert found.removeprefix("'") == text.replace("\0", "\ufffd").removeprefix("'")
    assert found[:1] not in set("=+-@\t\r\n\0＝＋－＠")


def test_a_number_stays_a_number() -> None:
    assert (cell(-5), cell(1.5), cell(True), cell(None)) == ("-5", "1.5", "true", "")
