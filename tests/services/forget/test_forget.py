"""Forgotten means never seen: the saga over whole engines, against a log that never had the person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from heedful.compose import Heedful
from heedful.vocabulary.erasure import Alias, ErasureReceipt, ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import HeedfulError, Invalid
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, FixedClock, Instant, iso

NOW = Instant(400 * DAY)
PLAIN = Settings(holdout=0.0)


def forget(h: Heedful, **asked: Any) -> ErasureReceipt:
    outcome: list[ErasureStatus | HeedfulError] = []
    h.engine.forget(ForgetRequest(**asked), outcome.append)
    (found,) = outcome
    assert isinstance(found, ErasureStatus), found
    assert found.state == "done"
    assert found.receipt is not None
    return found.receipt


def shop(h: Heedful, people: tuple[str, ...] = ("ada", "bo", "cy")) -> None:
    """What some people do: items shared and their own, orders, refunds, decisions and what came of them."""
    for n, who in enumerate(("ada", "bo", "cy")):
        if who not in people:
            continue
        clock = iter(range(10_000))

        def at(who: str = who, n: int = n, clock: Any = clock) -> dict[str, Any]:
            moment = next(clock)
            return {
                "userId": who, "timestamp": iso(Instant(NOW - DAY + moment * 60_000_000 + n)),
                "messageId": f"{who}-{moment}",
            }  # fmt: skip

        for item in ("tent", "stove", f"only-{who}"):
            event = {"event": "Product Viewed", "properties": {"product_id": item}}
            h.send("track", {**at(), **event})
        h.send("track", {**at(), "event": f"Secret Deed {who}", "properties": {"note": who}})
        h.send("identify", {**at(), "traits": {"name": f"Name of {who}"}})
        order = {"order_id": f"o-{who}", "currency": "EUR", "total": 30}
        products = [{"product_id": "tent", "quantity": 2, "price": 10}, {"product_id": f"gift-{who}"}]
        h.send("track", {**at(), "event": "Order Completed", "properties": {**order, "products": products}})
        h.send(
            "track", {**at(), "event": "Order Refunded", "properties": {**order, "products": products[:1]}}
        )


def test_every_view_is_as_if_the_person_had_never_been(tmp_path: Path) -> None:
    secret = tmp_path / "a"
    with Heedful(secret, clock=FixedClock(NOW), settings=PLAIN) as h:
        shop(h)
        before = h.engine.fold.digests()
        receipt = forget(h, user_id="bo")
        without = h.engine.fold.digests()
        rebuilt = h.engine.verify()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "pseudonym.key").write_bytes((secret / "pseudonym.key").read_bytes())
    (tmp_path / "b" / "pseudonym.key").chmod(0o600)
    (tmp_path / "b" / "log.sqlite3").touch()
    with Heedful(tmp_path / "b", clock=FixedClock(NOW), settings=PLAIN) as other:
        shop(other, ("ada", "cy"))
        never = other.engine.fold.digests()
        names = set(other.engine.fold.items.ids), set(other.engine.fold.kinds.names)
    assert before != without
    assert without == never
    assert rebuilt.agrees
    with Heedful(secret, clock=FixedClock(NOW), settings=PLAIN) as again:
        assert again.engine.fold.digests() == never
        held = set(again.engine.fold.items.ids) - {""}, set(again.engine.fold.kinds.names)
        assert held == names
    assert receipt.records == 7
    assert {one.name: one.removed for one in receipt.stores}["log"] == 7
    assert {one.name: one.digest_after for one in receipt.stores if one.digest_after} == never
    assert all(one.ok for one in receipt.checks)


def test_a_forgotten_person_is_kept_out_until_the_suppression_ends() -> None:
    clock = FixedClock(NOW)
    with Heedful(clock=clock, settings=PLAIN) as h:
        shop(h)
        forget(h, user_id="bo", suppress=iso(Instant(NOW + DAY)))
        late = h.track("Product Viewed", properties={"product_id": "tent"}, user_id="bo")
        assert (late.events[0].status, late.events[0].code) == ("refused", "suppressed")
        answer = h.recommend(user_id="bo", limit=2)
        assert not answer.personalized
        assert len(h.engine.fold.subjects) == 3, "two people, and one name that is noise"
        clock.at = Instant(NOW + 2 * DAY)
        back = h.track("Product Viewed", properties={"product_id": "tent"}, user_id="bo")
        assert back.events[0].status == "accepted"
        names = h.engine.collecting._pseudonyms
        assert names.generation(names.first(user="bo")) == 1
        assert h.engine.fold.history.count(h.engine.fold.subjects.find(names.user("bo"))) == 1


def test_a_late_repeat_brings_nobody_back(tmp_path: Path) -> None:
    for place in (tmp_path / "a", ":memory:"):
        event = {"event": "Product Viewed", "properties": {"product_id": "tent"}, "messageId": "m-1"}
        with Heedful(place, clock=FixedClock(NOW), settings=PLAIN) as h:
            h.send("track", {**event, "userId": "bo"})
            forget(h, user_id="bo", suppress="off")
            assert h.send("track", {**event, "userId": "bo"}).events[0].status == "duplicate"
    with Heedful(tmp_path / "a", clock=FixedClock(NOW), settings=PLAIN) as h:
        assert h.send("track", {**event, "userId": "bo"}).events[0].status == "duplicate"
        assert (
            h.track("Product Viewed", properties={"product_id": "t"}, user_id="bo").events[0].status
            == "accepted"
        )


def test_asking_again_gives_the_same_receipt() -> None:
    with Heedful(clock=FixedClock(NOW), settings=PLAIN) as h:
        shop(h)
        assert forget(h, user_id="bo") == forget(h, user_id="bo")
        assert forget(h, user_id="bo", suppress="off").number == 2


def test_aliases_go_together_and_a_stretch_of_time_alone() -> None:
    with Heedful(clock=FixedClock(NOW), settings=PLAIN) as h:
        shop(h)
        receipt = forget(h, user_id="ada", aliases=(Alias(user_id="bo"), Alias(anonymous_id="nobody")))
        assert (receipt.records, len(receipt.subjects)) == (14, 3)
        since = iso(Instant(NOW - DAY + 60_000_000))
        part = forget(h, user_id="cy", since=since)
        assert (part.records, part.suppression) == (6, "off")
        assert h.engine.verify().agrees
        names = h.engine.collecting._pseudonyms
        assert h.engine.fold.history.count(h.engine.fold.subjects.find(names.user("cy"))) == 1


def test_a_poisoned_source_goes_and_the_rest_stays() -> None:
    with Heedful(clock=FixedClock(NOW), settings=PLAIN) as h:
        shop(h)
        before = h.engine.fold.digests()
        answers: list[Any] = []
        for n in range(50):
            body = {
                "event": "Product Viewed",
                "userId": f"bot-{n}",
                "properties": {"product_id": f"x{n % 3}"},
            }
            h.engine.collect("track", msgspec.json.encode(body), "evil", answers.append)
        assert h.engine.fold.digests() != before
        receipt = forget(h, source="evil")
        assert receipt.records == 50
        assert h.engine.fold.digests() == before
        assert h.engine.verify().agrees


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({}, "userId"),
        ({"user_id": "a", "source": "s"}, "source"),
        ({"source": "a:b"}, "source"),
        ({"user_id": "a", "since": "yesterday"}, "since"),
        ({"user_id": "a", "since": "2020-01-02T00:00:00Z", "until": "2020-01-01T00:00:00Z"}, "since"),
        ({"user_id": "a", "suppress": "maybe"}, "suppress"),
        ({"user_id": "x" * 201}, "userId"),
        ({"aliases": (Alias(),)}, "aliases[0]"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: dict[str, Any], path: str) -> None:
    with Heedful(clock=FixedClock(NOW), settings=PLAIN) as h:
        with pytest.raises(Invalid) as refused:
            forget(h, **asked)
        assert refused.value.path == path
        assert not h.engine.forgetting.erasures.all


def test_a_receipt_is_checked_and_a_forged_one_found(tmp_path: Path) -> None:
    with Heedful(tmp_path, clock=FixedClock(NOW), settings=PLAIN) as h:
        shop(h)
        receipt = forget(h, user_id="bo")
        engine = h.engine

        def wrong(one: ErasureReceipt) -> set[str]:
            return {check.name for check in engine.doubt(one) if check.ok is False}

        assert wrong(receipt) == set()
        assert wrong(msgspec.structs.replace(receipt, records=8)) == {"signature", "known"}
        h.track("Product Viewed", properties={"product_id": "tent"}, user_id="cy")
        assert wrong(receipt) == set()
        row = engine.fold._interpreter.share([(one.record, 7) for one in engine.stored()[-1:]])
        engine.fold.trends.apply(engine.fold._interpreter.rows(row))  # as if something of theirs had stayed
        assert wrong(receipt) == {"view trends"}
