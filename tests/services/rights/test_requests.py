"""Requests of people's rights: where they may go, by when, and what they do. The clock is moved by hand."""

from __future__ import annotations

import json
from itertools import product
from typing import Any, get_args

import msgspec
import pytest

from heedful.log.codec import decode
from heedful.privacy.changes import reader
from heedful.privacy.purposes import Purposes
from heedful.services.rights.requests import KIND, Requests
from heedful.vocabulary.consent import ConsentChange, standing_of
from heedful.vocabulary.errors import Conflict, HeedfulError, Invalid, NotFound
from heedful.vocabulary.outcome import Done
from heedful.vocabulary.rights import FINAL, MOVES, VERBS, RightsRequest, Selection, Someone, Status, Verb
from heedful.vocabulary.time import DAY, Instant
from tests.services.shop import Shop

STATUSES = get_args(Status)


class Remembering:
    """Takes note of what is to be forgotten."""

    def __init__(self, answer: str | HeedfulError = "receipt-1") -> None:
        self.selections: list[Selection] = []
        self.answer = answer

    def forget(self, selection: Selection, done: Done[str]) -> None:
        self.selections.append(selection)
        done(self.answer)


def asked(shop: Shop, verb: Verb, who: str = "ada", **more: Any) -> RightsRequest:
    subjects = shop.engine.rights.disclose.subjects(Someone(who))
    return requests(shop).create(verb, subjects, author="ann", **{"proof": "verified", **more})


def requests(shop: Shop) -> Requests:
    return shop.engine.rights.requests


def carried_out(shop: Shop, request: RightsRequest) -> RightsRequest:
    came: list[Any] = []
    requests(shop).carry_out(request.id, author="ann", done=came.append)
    (found,) = came
    assert isinstance(found, RightsRequest), found
    return found


def choices(shop: Shop, who: str = "ada") -> list[ConsentChange]:
    disclose, changes = shop.engine.rights.disclose, reader(Purposes())
    places = disclose.places(disclose.subjects(Someone(who)))
    return [
        one
        for stored in shop.engine.log.fetch(places)
        for one in changes(decode(stored.record.body), stored.record.at, stored.record.received)
    ]


def days(shop: Shop, count: int) -> None:
    shop.clock.at = Instant(shop.clock.at + count * DAY)


@pytest.mark.parametrize(("start", "to"), list(product(STATUSES, STATUSES)))
def test_a_request_goes_where_it_may_and_nowhere_else(start: Status, to: Status) -> None:
    shop = Shop()
    made = asked(shop, "access")
    body = msgspec.json.encode(msgspec.structs.replace(made, status=start, version=0))
    records = requests(shop)._records
    records.put(_draft(made.id, body))
    if to in MOVES[start]:
        moved = requests(shop).move(made.id, to, author="ann", reason="exempt")
        assert (moved.status, bool(moved.closed)) == (to, to in FINAL)
    else:
        with pytest.raises(Invalid) as refused:
            requests(shop).move(made.id, to, author="ann", reason="exempt")
        assert refused.value.code == "move_invalid"


def _draft(name: str, body: bytes) -> Any:
    from heedful.records.records import Draft

    return Draft(KIND, name, body, "test", Instant(0))


@pytest.mark.parametrize("proof", ["pending", "failed"])
@pytest.mark.parametrize("verb", VERBS)
def test_nothing_is_done_before_the_identity_is_verified(proof: str, verb: Verb) -> None:
    shop = Shop()
    made = asked(shop, verb, proof="pending")
    if proof == "failed":
        made = requests(shop).prove(made.id, proven=False, author="ann")
    with pytest.raises(Invalid):
        requests(shop).carry_out(made.id, author="ann", done=lambda _: None)
    with pytest.raises(Invalid):
        requests(shop).move(made.id, "approved", author="ann")
    assert not choices(shop)


def test_every_step_stays_with_who_did_it() -> None:
    shop = Shop()
    made = asked(shop, "access", proof="pending", regulation="ccpa")
    requests(shop).confirm(made.id, author="bo")
    requests(shop).prove(made.id, proven=True, author="cy", evidence="passport seen")
    requests(shop).move(made.id, "running", author="di")
    requests(shop).move(made.id, "done", author="di", evidence="sent by post")
    steps = requests(shop).steps(made.id)
    assert [(step.author, step.note) for step in steps] == [
        ("ann", "received"), ("bo", "confirmed"), ("cy", "proof"), ("di", "running"), ("di", "done"),
    ]  # fmt: skip
    assert steps[-1].request.evidence == ("passport seen", "sent by post")
    assert steps[0].request.evidence == ()


def test_no_raw_id_stands_in_the_log_of_requests() -> None:
    shop = Shop()
    made = asked(shop, "erasure", "ada-canary")
    assert "ada-canary" not in json.dumps(msgspec.to_builtins(requests(shop).steps(made.id)))


def test_an_unknown_person_a_known_one_and_a_wrong_proof_get_the_same_answer_from_the_same_work() -> None:
    shop = Shop()
    shop.views("ada", "tent")
    answers, work = [], []
    records = requests(shop)._records
    for who in ("ada", "eve"):
        before = records.revision()
        made = asked(shop, "access", who, proof="pending")
        failed = requests(shop).prove(made.id, proven=False, author="ann")
        work.append(records.revision() - before)
        answers.append([
            msgspec.structs.replace(one, id="", subjects=()) for one in (made, failed)
        ])  # fmt: skip
        assert len(made.id) == 36
        assert [len(one) for one in made.subjects] == [32]
    assert answers[0] == answers[1]
    assert work[0] == work[1]


def test_the_deadline_of_gdpr_may_be_put_off_once_with_a_reason_and_in_time() -> None:
    shop = Shop()
    made = asked(shop, "access")
    assert (made.due, made.confirm_by) == ("2026-12-23", "")
    with pytest.raises(Invalid, match="reason"):
        requests(shop).extend(made.id, reason=" ", author="ann")
    later = requests(shop).extend(made.id, reason="many systems", author="ann")
    assert (later.due, later.reason) == ("2027-02-23", "many systems")
    with pytest.raises(Invalid, match="again"):
        requests(shop).extend(made.id, reason="more", author="ann")
    late = asked(shop, "access")
    days(shop, 31)
    with pytest.raises(Invalid, match="over"):
        requests(shop).extend(late.id, reason="too late", author="ann")


def test_the_clocks_of_ccpa_raise_their_alarms_on_the_day_after() -> None:
    shop = Shop()
    made = asked(shop, "access", regulation="ccpa")
    out = asked(shop, "opt_out", regulation="ccpa")
    assert (made.confirm_by, made.due, out.confirm_by, out.due) == (
        "2026-12-08",
        "2027-01-07",
        "",
        "2026-12-15",
    )
    told = []
    for _ in range(46):
        found = requests(shop).alarms()
        told.append((found.open, found.unconfirmed, found.overdue))
        days(shop, 1)
    assert told == [(2, 0, 0)] * 16 + [(2, 1, 0)] * 7 + [(2, 1, 1)] * 23
    assert requests(shop).alarms().overdue == 2
    assert shop.engine.status().counters["rights_requests_overdue"] == 2
    requests(shop).confirm(made.id, author="ann")
    assert requests(shop).alarms().unconfirmed == 0
    with pytest.raises(Invalid, match="put off"):
        requests(shop).extend(out.id, reason="no", author="ann")


def test_a_closed_request_is_kept_for_24_months() -> None:
    shop = Shop()
    made = carried_out(shop, asked(shop, "opt_out"))
    days(shop, 730)
    assert requests(shop).expire() == 0
    assert requests(shop).get(made.id).status == "done"
    days(shop, 3)
    assert requests(shop).expire() == 1
    with pytest.raises(NotFound):
        requests(shop).get(made.id)


def test_nobody_is_asked_again_within_twelve_months_after_an_opt_out() -> None:
    shop = Shop()
    (ada,) = shop.engine.rights.disclose.subjects(Someone("ada"))
    (bo,) = shop.engine.rights.disclose.subjects(Someone("bo"))
    assert requests(shop).may_ask(ada)
    carried_out(shop, asked(shop, "opt_out"))
    days(shop, 364)
    assert (requests(shop).may_ask(ada), requests(shop).may_ask(bo)) == (False, True)
    days(shop, 2)
    assert requests(shop).may_ask(ada)


@pytest.mark.parametrize(
    ("verb", "denied"),
    [
        (
            "restrict",
            {"personalization", "learning", "analytics", "experiments", "surveys", "social", "sharing"},
        ),
        ("object", {"personalization", "learning", "social"}),
        ("opt_out", {"sharing"}),
        ("limit", {"sharing"}),
    ],
)
def test_a_choice_stands_once_it_is_carried_out(verb: Verb, denied: set[str]) -> None:
    shop = Shop()
    shop.views("ada", "tent")
    done = carried_out(shop, asked(shop, verb))
    assert done.status == "done"
    found = choices(shop)
    assert {name for name in Purposes() if standing_of(found, name, shop.clock.at).denied} == denied
    assert not choices(shop, "bo")


def test_an_erasure_is_handed_over_and_its_receipt_kept() -> None:
    shop = Shop()
    forgets = Remembering()
    requests(shop)._acts.forgets = forgets
    made = asked(shop, "erasure")
    done = carried_out(shop, made)
    assert (done.status, done.outcome) == ("done", "receipt-1")
    assert [one.hex() for one in forgets.selections[0].subjects] == list(made.subjects)
    assert forgets.selections[0].request == made.id


def test_what_fails_says_so_and_can_be_tried_again() -> None:
    shop = Shop()
    requests(shop)._acts.forgets = Remembering(NotFound("gone"))
    made = asked(shop, "erasure")
    came: list[Any] = []
    requests(shop).carry_out(made.id, author="ann", done=came.append)
    assert isinstance(came[0], NotFound)
    assert (requests(shop).get(made.id).status, requests(shop).get(made.id).evidence) == (
        "failed",
        ("not_found",),
    )
    requests(shop)._acts.forgets = Remembering()
    assert carried_out(shop, made).status == "done"


def test_a_denial_says_why_in_a_word_from_the_list() -> None:
    shop = Shop()
    made = asked(shop, "access")
    with pytest.raises(Invalid, match="one of"):
        requests(shop).move(made.id, "denied", author="ann", reason="ada@example.org is a fraud")
    assert requests(shop).move(made.id, "denied", author="ann", reason="excessive").reason == "excessive"


def test_an_id_is_taken_once() -> None:
    shop = Shop()
    asked(shop, "access", identity="one")
    with pytest.raises(Conflict):
        asked(shop, "access", identity="one")
