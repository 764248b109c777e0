"""An answer is told again as it was given, from any log, and nothing else passes for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from heedful.log.claims import Claims
from heedful.log.codec import decode, encode
from heedful.log.memory import MemoryLog
from heedful.log.partitioned import PartitionedLog
from heedful.log.sqlite import SqliteLog
from heedful.pipeline.reasons import CODES
from heedful.services.verify import catch_up
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.decision import REASON_NUMBERS, decode_decision, decode_everything
from heedful.vocabulary.errors import NotFound
from heedful.vocabulary.event import Event
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.kinds import VIEW
from tests.contracts.log_contract import AnyLog, record
from tests.services.shop import Shop, ids_of

NAMES = Pseudonyms(b"k" * 32)


def a_shop(where: object = ":memory:") -> Shop:
    shop = Shop(where)
    for number in range(4):
        shop.views(f"camper{number}", "tent", "stove", "map")
    shop.put_item("tent", title="Big tent")
    shop.views("ada", "tent")
    return shop


def test_an_answer_is_told_again_at_once() -> None:
    shop = a_shop()
    answer = shop.recommend("ada", placement="home", limit=1)
    told = shop.decision(answer.decision_id)
    assert [item.item_id for item in told.items] == ids_of(answer)
    assert [item.reason for item in told.items] == [item.reason for item in answer.items]
    assert [item.score for item in told.items] == pytest.approx([item.score for item in answer.items])
    assert [(item.place, item.propensity) for item in told.items] == [(1, 1.0)]
    assert (told.placement, told.user_id, told.anonymous_id, told.limit) == ("home", "ada", None, 1)
    assert (told.position, told.personalized) == (answer.position, True)
    assert told.considered
    assert {one.item_id for one in told.considered}.isdisjoint(ids_of(answer))


def test_every_reason_can_be_kept_and_told_again() -> None:
    assert REASON_NUMBERS.keys() >= CODES
    shop = a_shop()
    shop.put_placement("home", rules=[{"rule": "pin", "name": "first", "item": "map", "place": 1}])
    told = shop.decision(shop.recommend("ada", placement="home").decision_id)
    assert (told.items[0].reason.code, told.items[0].reason.text) == ("picked", "Hand-picked")


def test_an_item_is_no_reason_for_itself() -> None:
    shop = a_shop()
    for walker in ("bo", "cy"):
        shop.views(walker, "boots", "rope")
    shop.wait(60)
    shop.views("ada", "boots")
    answer = shop.recommend("ada")
    assert answer.items[0].reason.because == ("boots",)
    (own,) = (item for item in answer.items if item.item_id == "tent")
    assert (own.reason.code, own.reason.because) == ("seen_before", ())
    assert answer.personalized
    (told,) = (item for item in shop.decision(answer.decision_id).items if item.item_id == "tent")
    assert told.reason == own.reason


def test_a_choice_among_variants_is_told_again_with_every_chance() -> None:
    shop = Shop()
    answer = shop.decide("ada", placement="hero", variants=["a", "b", "c"], algorithm="squarecb")
    told = shop.decision(answer.decision_id)
    assert (told.decision_id, told.placement, told.policy, told.user_id) == (
        answer.decision_id, "hero", "squarecb", "ada",
    )  # fmt: skip
    assert told.variant == answer.variant
    assert told.variants == pytest.approx(answer.propensities)
    assert (told.items, told.considered, told.model) == ([], [], "")
    assert told.position == answer.position


def test_a_reason_speaks_in_todays_words() -> None:
    shop = a_shop()
    answer = shop.recommend("ada", limit=1)
    shop.put_item("tent", title="Small tent")
    (item,) = shop.decision(answer.decision_id).items
    assert "Small tent" in item.reason.text
    assert item.reason.because == ("tent",)


def test_an_answer_survives_a_restart(tmp_path: Path) -> None:
    shop = a_shop(tmp_path)
    answer = shop.recommend("ada")
    before = shop.decision(answer.decision_id)
    shop.close()
    again = Shop(tmp_path)
    assert again.decision(answer.decision_id) == before
    again.close()


@pytest.mark.parametrize("name", ["", "nothing", "x" * 300])
def test_what_was_never_given_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        a_shop().decision(name)


def test_an_event_from_outside_does_not_pass_for_a_decision() -> None:
    shop = a_shop()
    shop.send(
        "track",
        {"event": "decision", "userId": "eve", "messageId": "d-9", "properties": {"decision_id": "d-9"}},
    )
    with pytest.raises(NotFound):
        shop.decision("d-9")


def test_the_sampled_share_keeps_every_candidate_with_what_its_sources_said() -> None:
    shop = a_shop()
    shop.engine.recommending._keep._full_share = 1.0
    answer = shop.recommend("ada", limit=1, explain=True)
    assert shop.decision(answer.decision_id).full
    stored = shop.engine.fold.find(EventId(f"heedful:{answer.decision_id}"))
    assert stored is not None
    everything = decode_everything(decode_decision(decode(stored.record.body).properties).full)
    assert answer.trace is not None
    assert sorted(everything.items) == sorted(one["itemId"] for one in answer.trace["candidates"])
    assert set(everything.items) > set(ids_of(answer))


def sqlite(folder: Path) -> AnyLog:
    return SqliteLog(folder / "log.sqlite3", NAMES, Claims())


LOGS: list[Callable[[Path], AnyLog]] = [
    lambda _: MemoryLog(),
    lambda _: PartitionedLog(partitions=3, seed=4),
    sqlite,
]


@pytest.mark.parametrize("make", LOGS, ids=["memory", "partitioned", "sqlite"])
def test_a_record_is_found_by_its_event_id_in_every_log_until_it_is_purged(
    make: Callable[[Path], AnyLog], tmp_path: Path
) -> None:
    log = make(tmp_path)
    body = encode(Event(kind=VIEW))
    records = [record(f"s:{n}", subject=n % 7 + 1, body=body) for n in range(200)]
    places = {
        record.id: receipt.position for record, receipt in zip(records, log.append(records), strict=True)
    }
    fold = Fold(pseudonyms=NAMES, claims=Claims(), bodies=log, decode=decode)
    catch_up(fold, log)
    for one in records:
        found = fold.find(one.id)
        assert found is not None
        assert found.record == one
    assert fold.find(EventId("s:200")) is None
    log.purge([places[records[3].id]])
    assert fold.find(records[3].id) is None
    log.close()
