"""What came with a request or an event besides a choice: Global Privacy Control, TC and GPP strings, preferences.

A signal that is absent is None. One that is there and cannot be read is Unreadable, and counts as a no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from heedful.privacy.gpp import read_gpp
from heedful.privacy.purposes import Purposes
from heedful.privacy.tcf import read_tcf
from heedful.vocabulary.consent import Gpp, Signals, Tcf, Unreadable

HEADER = b"sec-gpc"


def gpc_of(values: Iterable[bytes]) -> bool:
    """Whether Global Privacy Control is on, by the values of every `Sec-GPC` header as they came.

    W3C Global Privacy Control, "The Sec-GPC Header Field": only the one character `1` counts; of several headers
    one is enough. Anything else is as if it were not there.
    """
    return any(value == b"1" for value in values)


def well_known(updated: str) -> dict[str, Any]:
    """The content of `/.well-known/gpc.json`. updated: the day we began to abide, as 2026-11-23."""
    return {"gpc": True, "lastUpdate": updated}


def signals_of(context: bytes, purposes: Purposes, *, headers: Iterable[bytes] = ()) -> Signals:
    """The signals in an event's `context` (JSON, b"" for none) and in the `Sec-GPC` headers it came with.

    `context.consent` is Segment's object with three fields of ours beside its preferences: `gpc` (true), `tcf` (a
    TC string), `gpp` (a GPP string).
    """
    on = gpc_of(headers)
    try:
        said = msgspec.json.decode(context) if context else {}
    except (msgspec.DecodeError, RecursionError):
        said = None
    consent: Any = said.get("consent") if isinstance(said, dict) else ""
    if consent is None:
        return Signals(gpc=on)
    if not isinstance(consent, dict):
        lost = Unreadable("the consent object is none")
        return Signals(gpc=on, tcf=lost, gpp=lost, carried=lost)
    gpp, within = _gpp(consent.get("gpp"))
    tcf = _tcf(consent.get("tcf"))
    return Signals(
        gpc=on or consent.get("gpc") is True,
        tcf=_both(tcf, within),
        gpp=gpp,
        carried=preferences_of(consent.get("categoryPreferences"), purposes),
    )


def preferences_of(said: Any, purposes: Purposes) -> dict[str, bool] | Unreadable | None:
    """Segment's `categoryPreferences` as purposes to yes or no; None where there are none.

    A purpose is allowed where at least one of its categories is true and none is false, so `{}` is no to all
    and a missing category is no (Segment, "Consent in Segment Connections").
    """
    if said is None:
        return None
    if not isinstance(said, dict):
        return Unreadable("categoryPreferences is no object")
    votes: dict[str, bool] = {}
    for category, value in said.items():
        for purpose in purposes.called(category):
            votes[purpose] = votes.get(purpose, True) and value is True
    return {purpose: votes.get(purpose, False) for purpose in purposes}


def _tcf(said: Any) -> Tcf | Unreadable | None:
    if said is None:
        return None
    return read_tcf(said) if isinstance(said, str) else Unreadable("the TC string is no text")


def _gpp(said: Any) -> tuple[Gpp | Unreadable | None, Tcf | Unreadable | None]:
    if said is None:
        return None, None
    return read_gpp(said) if isinstance(said, str) else (Unreadable("the GPP string is no text"), None)


def _both(one: Tcf | Unreadable | None, other: Tcf | Unreadable | None) -> Tcf | Unreadable | None:
    """Two TC strings, one by itself and one within GPP: what both allow, from the older time."""
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, Unreadable) or isinstance(other, Unreadable):
        return one if isinstance(one, Unreadable) else other
    return Tcf(
        created=min(one.created, other.created),
        updated=min(one.updated, other.updated),
        policy=min(one.policy, other.policy),
        consents=one.consents & other.consents,
        interests=one.interests & other.interests,
    )


def as_sent(context: bytes, *, gpc: bool) -> Mapping[str, Any]:
    """The signals of an event in the sender's words, for the record that proves a choice."""
    try:
        said = msgspec.json.decode(context) if context else {}
    except (msgspec.DecodeError, RecursionError):
        said = {}
    consent = said.get("consent") if isinstance(said, dict) else {}
    kept = (
        {name: consent[name] for name in ("tcf", "gpp") if name in consent}
        if isinstance(consent, dict)
        else {}
    )
    return {"gpc": gpc, **kept}
