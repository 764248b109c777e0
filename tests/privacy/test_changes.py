"""Consent calls of every kind become the same changes, and what cannot be read is a refusal."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.log.codec import decode, encode
from heedful.privacy.changes import SEGMENT, UNOMI, changes_of, check, gpc_changes, reader
from heedful.privacy.lawfulness import NO_SIGNALS, Policy, allowed
from heedful.privacy.purposes import Purposes
from heedful.services.collect.calls import read_call
from heedful.vocabulary.consent import ALL, CONSENT, ConsentChange
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Event
from heedful.vocabulary.time import DAY, Instant

PURPOSES = Purposes()
AT, RECEIVED = Instant(1_000), Instant(2_000)


def own(**properties: Any) -> tuple[ConsentChange, ...]:
    event = Event(kind=CONSENT, properties=msgspec.json.encode(properties))
    return changes_of(event, AT, RECEIVED, PURPOSES)


def segment(preferences: Any) -> tuple[ConsentChange, ...]:
    context = msgspec.json.encode({"consent": {"categoryPreferences": preferences}})
    event = Event(kind="segment_consent_preference_updated", name=SEGMENT, context=context)
    return changes_of(event, AT, RECEIVED, PURPOSES)


def unomi(**consent: Any) -> tuple[ConsentChange, ...]:
    event = Event(kind="modifyconsent", name=UNOMI, properties=msgspec.json.encode({"consent": consent}))
    return changes_of(event, AT, RECEIVED, PURPOSES)


# Ours


def test_our_own_call_says_yes_and_no_and_states() -> None:
    made = own(choices={"learning": True, "sharing": False, "surveys": "withdrawn", "*": "requested"})
    assert {(one.purpose, one.state) for one in made} == {
        ("learning", "given"), ("sharing", "refused"), ("surveys", "withdrawn"), (ALL, "requested"),
    }  # fmt: skip
    assert {(one.received, one.at) for one in made} == {(RECEIVED, AT)}


def test_terms_of_our_own_call_hold_for_each_of_its_choices() -> None:
    (yes, no) = own(
        choices={"learning": True, "sharing": False},
        expiresInDays=30,
        noticeVersion=3,
        explicit=True,
        by="guardian",
    )
    assert yes == ConsentChange("learning", "given", RECEIVED, AT, Instant(AT + 30 * DAY), 3, True, True)
    assert no == ConsentChange("sharing", "refused", RECEIVED, AT, Instant(0), 3, True, True)


def test_a_purpose_that_there_is_not_is_left_out_and_refused_at_the_door() -> None:
    assert [one.purpose for one in own(choices={"learning": True, "astrology": True})] == ["learning"]
    with pytest.raises(Invalid, match="astrology") as refused:
        check(b'{"choices":{"astrology":true}}', PURPOSES)
    assert (refused.value.code, refused.value.path) == ("purpose_unknown", "choices")


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b"[]", b"{", b'{"choices":{}}', b'{"choices":{"learning":1}}',
        b'{"choices":{"learning":"yes"}}',
        b'{"choices":{"learning":true},"expiresInDays":-1}', b'{"choices":{"learning":true},"by":"cat"}',
        b'{"choices":{"learning":true},"more":1}', b'{"choices":{"learning":true},"noticeVersion":70000}',
        b"[" * 9_999,
    ],
)  # fmt: skip
def test_our_own_call_is_refused_at_the_door_and_a_refusal_once_stored(raw: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        check(raw, PURPOSES)
    assert refused.value.code == "consent_invalid"
    stored = changes_of(Event(kind=CONSENT, properties=raw), AT, RECEIVED, PURPOSES)
    assert stored == (ConsentChange(ALL, "refused", RECEIVED, AT),)


def test_what_the_door_takes_is_read_as_it_was_meant() -> None:
    raw = b'{"choices":{"learning":true},"method":"accept","origin":"banner","servedNoticeId":"n-7"}'
    choice = check(raw, PURPOSES)
    assert (choice.method, choice.origin, choice.served_notice_id) == ("accept", "banner", "n-7")


# Segment's


def test_segments_update_changes_every_purpose() -> None:
    made = segment({"Advertising": True, "Analytics": False})
    states = {one.purpose: one.state for one in made}
    assert states == {**dict.fromkeys(PURPOSES, "refused"), "sharing": "given"}
    assert {one.state for one in segment({})} == {"refused"}, "an empty object is no to all"
    assert len(segment({})) == len(PURPOSES)


@pytest.mark.parametrize(
    "context", [b"", b"{", b"{}", b'{"consent":1}', b'{"consent":{"categoryPreferences":[]}}']
)
def test_an_update_that_cannot_be_read_refuses_everything(context: bytes) -> None:
    event = Event(kind="x", name=SEGMENT, context=context)
    assert changes_of(event, AT, RECEIVED, PURPOSES) == (ConsentChange(ALL, "refused", RECEIVED, AT),)


def test_the_consent_object_of_another_event_changes_nothing_that_is_kept() -> None:
    context = b'{"consent":{"categoryPreferences":{"Advertising":true}}}'
    assert (
        changes_of(Event(kind="view", name="Product Viewed", context=context), AT, RECEIVED, PURPOSES) == ()
    )


def test_segments_call_keeps_its_consent_object_on_the_way_to_the_log() -> None:
    """The reader finds, in the context that the door passes on, what a Segment SDK sent."""
    body = msgspec.json.encode({
        "type": "track", "event": SEGMENT, "userId": "ada", "messageId": "m",
        "context": {"consent": {"categoryPreferences": {"Functional": True}}},
    })  # fmt: skip
    (message,) = read_call("track", body).messages
    assert not isinstance(message, tuple)
    event = Event(
        kind="x", name=str(getattr(message, "event", "")), context=bytes(getattr(message, "context", b""))
    )
    stored = decode(encode(event))
    made = reader(PURPOSES)(stored, AT, RECEIVED)
    assert [one.purpose for one in made if one.state == "given"] == ["personalization"]


# Unomi's


def test_unomis_statuses_are_states_of_the_purpose_that_its_type_names() -> None:
    assert unomi(typeIdentifier="Advertising", status="GRANTED") == (
        ConsentChange("sharing", "given", RECEIVED, AT),
    )  # fmt: skip
    assert [one.state for one in unomi(typeIdentifier="sharing", status="DENIED")] == ["refused"]
    assert [one.state for one in unomi(typeIdentifier="sharing", status="REVOKED")] == ["withdrawn"]
    assert unomi(typeIdentifier="newsletter", status="GRANTED") == ()


def test_unomis_dates_say_since_when_and_until_when() -> None:
    (made,) = unomi(
        typeIdentifier="learning", scope="site", status="GRANTED", statusDate="2026-11-01T10:00:00Z",
        revokeDate="2027-11-01T10:00:00Z",
    )  # fmt: skip
    (millis,) = unomi(
        typeIdentifier="learning", status="GRANTED", statusDate=1_793_527_200_000, revokeDate=None
    )
    assert made.at == millis.at == 1_793_527_200_000_000
    assert made.expires == made.at + 365 * DAY
    policy = Policy(PURPOSES)
    for at, expected in (
        (made.at - 1, False),
        (made.at, True),
        (made.expires - 1, True),
        (made.expires, False),
    ):
        verdict = allowed(policy, "learning", "DE", "adult", [made], NO_SIGNALS, Instant(at))
        assert verdict.allowed is expected, at


@pytest.mark.parametrize(
    "consent",
    [
        {"status": "MAYBE"}, {"status": None}, {"status": ["GRANTED"]}, {},
        {"status": "GRANTED", "statusDate": "soon"},
        {"status": "GRANTED", "revokeDate": 1 << 60}, {"status": "GRANTED", "statusDate": True},
        {"status": "GRANTED", "statusDate": 1.5},
    ],
)  # fmt: skip
def test_what_unomi_says_unclearly_is_a_refusal(consent: dict[str, Any]) -> None:
    assert unomi(typeIdentifier="learning", **consent) == (
        ConsentChange("learning", "refused", RECEIVED, AT),
    )


def test_a_unomi_call_without_a_consent_refuses_everything() -> None:
    for raw in (b"", b"{}", b'{"consent":3}', b'{"consent":{}}', b'{"consent":{"typeIdentifier":4}}'):
        made = changes_of(Event(kind="x", name=UNOMI, properties=raw), AT, RECEIVED, PURPOSES)
        assert made == (ConsentChange(ALL, "refused", RECEIVED, AT),)


# Global Privacy Control


def test_global_privacy_control_is_kept_as_a_refusal_of_what_discloses() -> None:
    assert gpc_changes(AT, RECEIVED, PURPOSES) == (ConsentChange("sharing", "refused", RECEIVED, AT),)


@settings(max_examples=200, deadline=None)
@given(
    properties=st.binary(max_size=60),
    context=st.binary(max_size=60),
    which=st.sampled_from([CONSENT, SEGMENT, UNOMI]),
)
def test_nothing_that_is_stored_breaks_the_reader(properties: bytes, context: bytes, which: str) -> None:
    event = Event(kind=which, name=which, properties=properties, context=context)
    for one in changes_of(event, AT, RECEIVED, PURPOSES):
        assert one.purpose == ALL or one.purpose in PURPOSES
