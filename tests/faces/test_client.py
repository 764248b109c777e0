"""The in-process client: the verbs of the HTTP API, in memory and on a folder that is closed and opened again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import heedful
from heedful import Heedful
from heedful.vocabulary.errors import Invalid, SettingsError, TooLarge
from heedful.vocabulary.recommendation import RecommendAnswer
from heedful.vocabulary.time import FixedClock
from tests.services.shop import OPENED


def content(answer: RecommendAnswer) -> list[tuple[str, float, str, tuple[str, ...]]]:
    return [(item.item_id, item.score, item.reason.text, item.reason.because) for item in answer.items]


def live_a_little(client: Heedful) -> None:
    client.put_items(
        [{"id": "tent", "title": "Tent", "categories": ["sleep"]}, {"id": "sold", "available": False}]
    )
    client.identify(user_id="ada", traits={"name": "Ada"})
    client.page("Home", anonymous_id="a-1")
    for item in ("tent", "stove", "sold"):
        client.track("Product Viewed", user_id="ada", properties={"product_id": item})
    client.batch([
        {"type": "track", "event": "Product Viewed", "userId": "bo", "messageId": "m1",
         "properties": {"sku": "stove"}},
        {"type": "track", "event": "Order Completed", "userId": "bo",
         "properties": {"order_id": "o1", "products": [{"product_id": "map"}]}},
    ])  # fmt: skip


def test_the_example_of_the_package_works() -> None:
    with Heedful(":memory:") as h:
        h.track("Product Viewed", user_id="ada", properties={"product_id": "kettle"})
        assert h.recommend("ada").items == []
        assert [item.item_id for item in h.recommend("bo").items] == ["kettle"]
    assert heedful.__version__
    with pytest.raises(AttributeError):
        heedful.nothing  # noqa: B018


@pytest.mark.parametrize("where", [":memory:", "folder"])
def test_the_same_verbs_in_memory_and_on_a_folder(where: str, tmp_path: Path) -> None:
    with Heedful(where if where == ":memory:" else tmp_path / where) as client:
        live_a_little(client)
        assert {item.item_id for item in client.recommend("stranger").items} == {"tent", "stove", "map"}
        assert client.recommend("bo", item_id="tent").items[0].item_id == "stove"
        assert client.recommend(anonymous_id="a-1", limit=1).items
        tent = client.item("tent")
        assert tent is not None
        assert tent.title == "Tent"
        client.delete_item("tent")
        assert client.item("tent") is None
        again = client.batch([
            {"type": "track", "event": "Product Viewed", "userId": "bo", "messageId": "m1",
             "properties": {"sku": "stove"}}
        ])  # fmt: skip
        assert [fate.status for fate in again.events] == ["duplicate"]
        assert client.verify().agrees


def test_answers_are_the_same_after_closing_and_opening(tmp_path: Path) -> None:
    clock = FixedClock(OPENED)
    questions: list[dict[str, Any]] = [
        {"user_id": "ada"}, {"user_id": "bo"}, {"user_id": "stranger"}, {"item_id": "tent"},
        {"user_id": "ada", "item_id": "stove", "limit": 1}, {"anonymous_id": "a-1"},
        {"filter": {"field": "category", "op": "eq", "value": "sleep"}},
    ]  # fmt: skip
    with Heedful(tmp_path, clock=clock) as client:
        live_a_little(client)
        before = [content(client.recommend(**question)) for question in questions]
    for _ in range(2):
        with Heedful(tmp_path, clock=clock) as client:
            assert [content(client.recommend(**question)) for question in questions] == before
            assert client.verify().agrees
    for file in (tmp_path / "snapshots").iterdir():
        file.unlink()
    with Heedful(tmp_path, clock=clock) as client:
        assert [content(client.recommend(**question)) for question in questions] == before


def test_a_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    with Heedful(tmp_path), pytest.raises(SettingsError, match=r"\d+"):
        Heedful(tmp_path)
    with Heedful(tmp_path):
        pass


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("track", {"event": "Product Viewed", "user_id": object()}),
        ("track", {"event": "Product Viewed", "user_id": "\ud800"}),
        ("identify", {"user_id": "ada", "traits": {"self": "\udfff"}}),
        ("recommend", {"user_id": 7}),
        ("recommend", {"limit": "many"}),
        ("recommend", {"item_id": ["tent"]}),
        ("recommend", {"filter": {"field": "title", "op": "eq", "value": "\ud800"}}),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_reason(verb: str, fields: dict[str, Any]) -> None:
    client = Heedful()
    with pytest.raises(Invalid) as refused:
        getattr(client, verb)(**fields)
    assert refused.value.code
    assert client.verify().events == 0


def test_a_bad_event_of_a_batch_refuses_itself() -> None:
    client = Heedful()
    answer = client.batch(
        [{"type": "page", "userId": "ada"}, {"type": "page"}, {"type": "sing", "userId": "x"}]
    )
    assert [fate.status for fate in answer.events] == ["accepted", "refused", "refused"]
    assert [fate.code for fate in answer.events] == ["", "subject_missing", "type_unknown"]


def test_too_many_events_are_refused_whole() -> None:
    client = Heedful()
    with pytest.raises(TooLarge):
        client.batch([{"type": "page", "userId": "ada"}] * 2_501)
    assert client.verify().events == 0


def test_a_setting_gives_an_own_event_a_meaning(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(
        '[names]\n"Song Played" = "view"\n[kinds.sold]\nweight = 3\ncounts_as_seen = true\n'
        "[catalogue]\nrequired = true\n"
    )
    with Heedful(tmp_path) as client:
        client.put_items([{"id": "song"}, {"id": "other"}])
        client.track("Song Played", user_id="ada", properties={"product_id": "song"})
        client.track("Song Played", user_id="ada", properties={"product_id": "undescribed"})
        client.track("sold", user_id="bo", properties={"product_id": "song"})
        assert [item.item_id for item in client.recommend("cy").items] == ["song", "other"]
        assert [item.item_id for item in client.recommend("bo").items] == ["other"]


@pytest.mark.parametrize(
    "text",
    ["idle_minutes = 0", "colour = 1", "not toml", "[names]\n'X' = 'decision'", "[kinds.view]\nweight = 101"],
)
def test_settings_that_cannot_be_are_said(text: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(SettingsError) as refused:
        Heedful(tmp_path)
    assert str(refused.value)
    (tmp_path / "settings.toml").unlink()
    Heedful(tmp_path).close()  # nothing holds the folder


def test_flags_have_the_same_verbs_in_process() -> None:
    with Heedful(":memory:") as client:
        on = {"id": "ada", "condition": {"id": "ada"}, "serve": "on"}
        assert client.put_flag("new", rules=[on]).version == 1
        assert client.flag_value("new", None, "ada") is True
        assert client.flag_value("new", None, "bo") is False
        assert client.flag_value("nothing", "mine", "ada") == "mine"
        assert client.switch_flag("new", on=False).version == 2
        assert client.flag_value("new", "mine", "ada") == "mine"
        assert client.rollback_flag("new", 1).version == 3
        found = client.evaluate_flags(anonymous_id="a-1", context={"country": "DE"})
        assert {key: one.reason for key, one in found.items()} == {"new": "DEFAULT"}
        assert client.evaluate_flag("new", "ada").variant == "on"
        assert [one.key for one in client.flags()] == ["new"]
        assert client.flag("new").version == 3
        assert client.delete_flag("new").deleted
        assert len(client.flag_versions("new")) == 4
        with pytest.raises(Invalid):
            client.evaluate_flags(context={"targetingKey": 7})
