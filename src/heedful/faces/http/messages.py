"""The shape of Segment's calls, for the document only: what the door really checks is `services.collect`.

https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from heedful.vocabulary.consent import Method, Origin, Speaker, State

Ids = Annotated[str | None, Meta(description="One of userId and anonymousId is needed.")]


class _Call(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    user_id: Ids = None
    anonymous_id: Ids = None
    message_id: Annotated[
        str,
        Meta(description="Makes the event itself: a repeat under the same id counts once. Made if missing."),
    ] = ""
    timestamp: Annotated[
        str | None,
        Meta(description="When it happened by the sender's clock, ISO 8601. The server's time if missing."),
    ] = None
    sent_at: Annotated[
        str | None, Meta(description="When it was sent by the sender's clock: corrects a clock that is off.")
    ] = None
    context: Annotated[
        dict[str, Any],
        Meta(description="Circumstances: page, device, locale, consent, decisionId and others."),
    ] = {}
    integrations: dict[str, Any] = {}
    write_key: Annotated[str, Meta(description="The key, where no Authorization header can be sent.")] = ""


class TrackCall(_Call):
    """Something a person did."""

    event: Annotated[str, Meta(description="What happened, as `Product Viewed`.")]
    properties: dict[str, Any] = {}


class ConsentCall(_Call):
    """What a person chose. Where both ids are given, it holds for the person and for the device."""

    choices: Annotated[
        dict[str, bool | State], Meta(description="Purposes, or `*` for all, to true, false or a state.")
    ] = {}
    expires_in_days: Annotated[int, Meta(description="When grants run out; 0 for never.", ge=0)] = 0
    notice_version: Annotated[int, Meta(description="The notice they read; 0 for not said.", ge=0)] = 0
    explicit: Annotated[bool, Meta(description="An express statement (Article 9 GDPR).")] = False
    by: Speaker = "self"
    method: Method = "save"
    origin: Origin = "api"
    served_notice_id: str = ""
    consent: Annotated[
        dict[str, Any],
        Meta(description="In place of `choices`: Unomi's consent, with typeIdentifier, status and dates."),
    ] = {}


class IdentifyCall(_Call):
    """Who a person is."""

    traits: dict[str, Any] = {}


class PageCall(_Call):
    """A page that a person saw."""

    name: str = ""
    category: str = ""
    properties: dict[str, Any] = {}


class ScreenCall(_Call):
    """A screen of an app that a person saw."""

    name: str = ""
    properties: dict[str, Any] = {}


class GroupCall(_Call):
    """The group that a person belongs to."""

    group_id: str
    traits: dict[str, Any] = {}


class AliasCall(_Call):
    """Two ids that mean one person."""

    previous_id: str


class BatchCall(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Up to 2,500 calls in one. `context` and `integrations` are merged into each."""

    batch: Annotated[
        list[dict[str, Any]],
        Meta(description="Calls as the single routes take them, each with its `type`.", max_length=2_500),
    ]
    sent_at: str | None = None
    context: dict[str, Any] = {}
    integrations: dict[str, Any] = {}
    write_key: Annotated[str, Meta(description="The key, where no Authorization header can be sent.")] = ""


class ItemsCall(msgspec.Struct):
    """Up to 10,000 items; a plain array of them is taken too."""

    items: list[dict[str, Any]]


_VIEWED: dict[str, Any] = {
    "userId": "u-1",
    "messageId": "m-1",
    "event": "Product Viewed",
    "properties": {"product_id": "p-17"},
    "timestamp": "2026-11-23T11:33:51Z",
}

CALLS: dict[str, tuple[type[msgspec.Struct], str, dict[str, Any]]] = {
    "identify": (IdentifyCall, "Say who a person is", {"userId": "u-1", "traits": {"plan": "gold"}}),
    "track": (TrackCall, "Say what a person did", _VIEWED),
    "page": (PageCall, "Say which page a person saw", {"anonymousId": "a-1", "name": "Home"}),
    "screen": (ScreenCall, "Say which screen a person saw", {"userId": "u-1", "name": "Basket"}),
    "group": (GroupCall, "Say which group a person belongs to", {"userId": "u-1", "groupId": "g-1"}),
    "alias": (AliasCall, "Say that two ids are one person", {"userId": "u-1", "previousId": "a-1"}),
    "consent": (
        ConsentCall,
        "Say what a person chose",
        {"userId": "u-1", "choices": {"personalization": True, "sharing": False}, "noticeVersion": 3},
    ),
    "batch": (BatchCall, "Send many calls in one", {"batch": [{"type": "track", **_VIEWED}]}),
    "import": (
        BatchCall,
        "Send history: event times are kept as they are",
        {"batch": [{"type": "track", **_VIEWED, "timestamp": "2024-02-01T08:00:00Z"}]},
    ),
}
"""By method: the shape, a summary and an example."""
