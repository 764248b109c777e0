"""What one stored record says, in words for its person: the event, and for a decision what was shown and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from heedful.services.recall import Recall
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.kinds import DECISION
from heedful.vocabulary.time import Instant, iso

EVENT_HEAD = (
    "eventId", "source", "kind", "name", "happened", "clientTime", "sentTime", "receivedTime", "userId",
    "anonymousId", "items", "order", "currency", "value", "decisionId", "properties", "traits", "context",
)  # fmt: skip
DECISION_HEAD = (
    "decisionId", "at", "placement", "place", "itemId", "title", "score", "propensity", "reasonCode", "reason",
    "model", "policy", "personalized", "holdout", "arms", "variant",
)  # fmt: skip
CONSENT_HEAD = ("at", "received", "purpose", "state", "expires", "notice", "explicit", "guardian", "eventId")


def event_fact(record: Record, event: Event) -> dict[str, Any]:
    """One event as it came, with its three times and its own one."""
    source, _, message = record.id.partition(":")
    return {
        "eventId": message,
        "source": source,
        "kind": event.kind,
        "name": event.name,
        "happened": iso(record.at),
        "clientTime": _time(record.client),
        "sentTime": _time(record.sent),
        "receivedTime": iso(record.received),
        "userId": event.user,
        "anonymousId": event.anonymous,
        "items": [
            {"itemId": line.item, "quantity": line.quantity, "amount": line.amount} for line in event.lines
        ],
        "order": event.order,
        "currency": event.currency,
        "value": event.value,
        "decisionId": event.decision,
        "properties": _object(event.properties),
        "traits": _object(event.traits),
        "context": _object(event.context),
    }


def event_row(fact: Mapping[str, Any]) -> list[object]:
    """The fact as cells; objects as JSON."""
    return [_flat(fact[name]) for name in EVENT_HEAD]


def decision_fact(recall: Recall, record: Record, event: Event) -> dict[str, Any]:
    """An answer that was given to the person, as `GET /v1/decisions` tells it. One that does not read is said
    so."""
    try:
        told: dict[str, Any] = msgspec.to_builtins(recall.told(record, event))
    except Corrupt as error:
        return {"decisionId": event.decision, "at": iso(record.at), "unreadable": str(error)}
    return told


def decision_rows(fact: Mapping[str, Any], titles: Mapping[str, str]) -> list[list[object]]:
    """A row for each item that was shown; one for a choice among variants."""
    shown: list[Mapping[str, Any]] = fact.get("items") or [{}]
    rows: list[list[object]] = []
    for item in shown:
        reason = item.get("reason", {})
        rows.append([
            fact["decisionId"], fact["at"], fact.get("placement"), item.get("place"), item.get("itemId"),
            titles.get(item.get("itemId", ""), ""), item.get("score"), item.get("propensity"), reason.get("code"),
            reason.get("text"), fact.get("model"), fact.get("policy"), fact.get("personalized"),
            fact.get("holdout"), _flat(fact.get("arms", {})), fact.get("variant", ""),
        ])  # fmt: skip
    return rows


def is_decision(event: Event) -> bool:
    """Whether an event is an answer of ours."""
    return event.kind == DECISION


def _time(at: Instant) -> str | None:
    return iso(at) if at else None


def _object(raw: bytes) -> Any:
    """A JSON object as it was sent. What we could not read is handed out as the text it is."""
    if not raw:
        return {}
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return raw.decode("utf-8", "replace")


def _flat(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value
