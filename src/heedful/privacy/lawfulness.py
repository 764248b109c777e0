"""Whether a purpose is allowed: one pure function, asked at every gate, so that no two gates can differ.

It gathers what speaks against and what speaks for. One voice against is enough, and where the rule is opt-in
one voice for is needed. So a signal can never undo a refusal, nothing unknown or unreadable can become a yes, and
the order in which voices are heard decides only the reason that is given.

Sources: GDPR articles 6 to 9 and 25(2); W3C Global Privacy Control; 11 CCR 7025, 7070 to 7072; IAB TCF policies
(purposes 3 to 6 by consent only); IAB GPP. `docs/consent.md` has the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from heedful.privacy.purposes import EUROPE, Purposes, place_of
from heedful.vocabulary.consent import (
    NEVER,
    TCF_LIFE,
    Age,
    ConsentChange,
    Gpp,
    Mechanism,
    Purpose,
    Signals,
    Standing,
    Tcf,
    Unreadable,
    Verdict,
    standing_of,
)
from heedful.vocabulary.time import DAY, Instant

NO_SIGNALS = Signals()
_CONSENT_ONLY = frozenset({1, 3, 4, 5, 6})
_CLOCK_ERROR = DAY
"""How far a browser's clock may be ahead of ours before its string is from the future."""


class Policy(NamedTuple):
    """What an installation has decided: its purposes and three settings (`PrivacySettings`)."""

    purposes: Purposes
    strict_gpc: bool = False
    directed_to_children: bool = False
    elsewhere: bool = False


def allowed(
    policy: Policy,
    purpose: str,
    jurisdiction: str,
    age: Age,
    choices: Iterable[ConsentChange],
    signals: Signals,
    at: Instant,
    *,
    happened: Instant | None = None,
) -> Verdict:
    """Whether `purpose` is allowed at `at` for a person with these `choices`, for what `happened` (None: now).

    jurisdiction: a place such as `DE`, `us-ca`; "" for unknown. choices: all of the person's, over all ids linked
    to them, in any order. signals: what came with this request or event.
    """
    return judged(
        policy, purpose, jurisdiction, age, standing_of(choices, purpose, at), signals, at, happened=happened
    )


def judged(
    policy: Policy,
    purpose: str,
    jurisdiction: str,
    age: Age,
    standing: Standing,
    signals: Signals,
    at: Instant,
    *,
    happened: Instant | None = None,
) -> Verdict:
    """As `allowed`, from a `standing` that a view has ready."""
    known = policy.purposes.get(purpose)
    if known is None:
        return Verdict(False, "unknown_purpose")
    place = place_of(jurisdiction)
    minor, child = _minority(policy, age)
    mechanism = policy.purposes.rule(purpose, jurisdiction).mechanism
    if known.special_category or child or (minor and known.discloses):
        mechanism = "opt_in"
    tcf = _tcf(known, mechanism, signals.tcf, at) if not place or place.partition("-")[0] in EUROPE else None
    carried = _carried(purpose, signals)
    against = (
        ("minor" if minor and known.profiling else "")
        or (standing.state if standing.denied else "")
        or _gpc(policy, known, signals)
        or _gpp(known, signals.gpp)
        or (tcf if isinstance(tcf, str) else "")
        or (carried if isinstance(carried, str) else "")
    )
    if against:
        return Verdict(False, against, standing.floor)
    happened = at if happened is None else happened
    if happened < standing.floor:
        return Verdict(False, "before_floor", standing.floor)
    if standing.floor > NEVER and happened < standing.since:
        return Verdict(False, "before_grant", standing.since)  # between a refusal and the grant after it
    lacks = _lacking(known, standing, happened, child=child)
    # What nobody refused was consented to under the operator's own tool, if they declare so; which proves neither
    # an express statement nor a guardian's word, and mends no void grant.
    declared = policy.elsewhere and not known.special_category and not child
    if declared and lacks in ("", "unknown", "before_grant"):
        since = standing.since if standing.floor > NEVER else NEVER
        return Verdict(True, "elsewhere" if lacks else "given", since)
    if mechanism != "opt_in":
        why = "given" if not lacks else "not_opted_out" if mechanism == "opt_out" else "notice"
        return Verdict(True, why, standing.since if standing.floor > NEVER else NEVER)
    if not lacks:
        return Verdict(True, "given", standing.since)
    # Signals prove neither an express statement nor a guardian's word, and do not mend a grant that is void.
    if lacks in ("unknown", "before_grant") and not known.special_category and not child:
        if tcf is True:
            return Verdict(True, "tcf")
        if carried is True:
            return Verdict(True, "carried")
    return Verdict(False, lacks, standing.since)


def counts_from(verdict: Verdict) -> Instant:
    """From when on what a person did counts, by a verdict about now and without signals: never where it is no."""
    return verdict.since if verdict.allowed else Instant(-NEVER)


def _minority(policy: Policy, age: Age) -> tuple[bool, bool]:
    """(a minor, a child): an unknown age is an adult's unless the service is for children."""
    if age == "unknown" and policy.directed_to_children:
        return True, True
    return age in ("child", "teen"), age == "child"


def _gpc(policy: Policy, purpose: Purpose, signals: Signals) -> str:
    on = signals.gpc or (isinstance(signals.gpp, Gpp) and signals.gpp.gpc)
    concerned = purpose.discloses or (policy.strict_gpc and purpose.profiling)
    return "gpc" if on and concerned else ""


def _gpp(purpose: Purpose, gpp: Gpp | Unreadable | None) -> str:
    if gpp is None or not purpose.discloses:
        return ""
    if isinstance(gpp, Unreadable):
        return "gpp_unreadable"
    return "gpp" if gpp.opted_out else ""


def _tcf(
    purpose: Purpose, mechanism: Mechanism, tcf: Tcf | Unreadable | None, at: Instant
) -> str | bool | None:
    """True: it says yes. A word: it says no. None: it says nothing about this purpose."""
    if tcf is None or not purpose.tcf:
        return None
    if isinstance(tcf, Unreadable):
        return "tcf_unreadable"
    if not at - TCF_LIFE < tcf.updated <= at + _CLOCK_ERROR:
        return "tcf_expired"
    for number in purpose.tcf:
        by_interest = mechanism != "opt_in" and number not in _CONSENT_ONLY and number in tcf.interests
        if number not in tcf.consents and not by_interest:
            return "tcf_refused"
    return True


def _carried(purpose: str, signals: Signals) -> str | bool | None:
    if signals.carried is None:
        return None
    if isinstance(signals.carried, Unreadable):
        return "carried_unreadable"
    return signals.carried.get(purpose, False) or "carried_refused"


def _lacking(purpose: Purpose, standing: Standing, happened: Instant, *, child: bool) -> str:
    """What a recorded grant lacks to cover what happened; "" for nothing."""
    if not standing.granted:
        return "unknown"
    if max(1, standing.notice) < purpose.notice.valid_from:
        return "notice_outdated"
    if purpose.special_category and not standing.explicit:
        return "not_explicit"
    if child and not standing.guardian:
        return "guardian"
    return "before_grant" if happened < standing.since else ""
