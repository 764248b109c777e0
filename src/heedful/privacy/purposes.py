"""The purposes there are, and which rule each has where: the one list that all gates read.

What is built in is strict where laws differ: consent in the European Economic Area, the United Kingdom and
Switzerland, a way out in the United States, consent everywhere else. It is a start and no legal advice; an
operator replaces what their counsel sees otherwise, under `[privacy.purposes.<id>]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from types import MappingProxyType

import msgspec

from heedful.vocabulary.consent import Purpose, Rule

EEA = frozenset({
    "at", "be", "bg", "cy", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr", "hr", "hu", "ie", "is", "it", "li",
    "lt", "lu", "lv", "mt", "nl", "no", "pl", "pt", "ro", "se", "si", "sk",
})  # fmt: skip
_RENAMED = {"gb": "uk", "el": "gr", "eu": "eea"}
_PLACE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,3})?")
_STRICTNESS = {"notice_only": 0, "opt_out": 1, "opt_in": 2}

EUROPE = frozenset({"eea", "uk", "ch"})
"""Where TC strings are understood."""

_CONSENT, _WAY_OUT = Rule("opt_in"), Rule("opt_out", "notice")
_INTEREST, _TOLD = Rule("opt_out", "legitimate_interests"), Rule("notice_only", "notice")


def _rules(europe: Rule, us: Rule, elsewhere: Rule) -> dict[str, Rule]:
    return {"eea": europe, "uk": europe, "ch": europe, "us": us, "*": elsewhere}


_BEHAVIOUR = ("behaviour",)

BUILT_IN: Mapping[str, Purpose] = MappingProxyType({
    "personalization": Purpose(
        rules=_rules(_CONSENT, _WAY_OUT, _CONSENT), dpv="dpv:ServicePersonalisation",
        description="Choosing what you see by what you did here before.",
        profiling=True, tcf=(5, 6), categories=("Personalization", "Functional"), data_categories=_BEHAVIOUR,
    ),
    "learning": Purpose(
        rules=_rules(_CONSENT, _WAY_OUT, _CONSENT), dpv="dpv:ImproveExistingProductsAndServices",
        description="Learning from what you do what goes together, for everybody.",
        profiling=True, tcf=(5, 10), data_categories=_BEHAVIOUR,
    ),
    "analytics": Purpose(
        rules=_rules(_CONSENT, _WAY_OUT, _CONSENT), dpv="dpv:ServiceUsageAnalytics",
        description="Counting what was seen, clicked and bought.",
        tcf=(8,), categories=("Analytics",), data_categories=_BEHAVIOUR,
    ),
    "experiments": Purpose(
        rules=_rules(_CONSENT, _WAY_OUT, _CONSENT), dpv="dpv:OptimisationForController",
        description="Trying versions of the service on groups chosen by lot.",
        tcf=(8, 10), data_categories=_BEHAVIOUR,
    ),
    "surveys": Purpose(
        rules=_rules(_INTEREST, _TOLD, _INTEREST), dpv="dpv:CommunicationManagement",
        description="Asking you questions, and keeping your answers.",
        tcf=(9,), data_categories=("answers",),
    ),
    "social": Purpose(
        rules=_rules(_CONSENT, _CONSENT, _CONSENT), dpv="dpv:ServiceProvision",
        description="Showing others what you like, and you what your friends like.",
        profiling=True, data_categories=("behaviour", "relations"),
    ),
    "sharing": Purpose(
        rules=_rules(_CONSENT, _WAY_OUT, _CONSENT), dpv="dpv:TargetedAdvertising",
        description="Giving data to others, or using it for advertising elsewhere.",
        discloses=True, tcf=(3, 4), categories=("Advertising", "Marketing"), data_categories=_BEHAVIOUR,
    ),
})  # fmt: skip


def place_of(code: str) -> str:
    """The jurisdiction that `code` means: `DE` is `eea`, `US_CA` is `us-ca`; "" for what is no place."""
    place = code.strip().lower().replace("_", "-")
    place = _RENAMED.get(place, place)
    if not _PLACE.fullmatch(place):
        return ""
    country, _, region = place.partition("-")
    country = _RENAMED.get(country, country)
    if country in EEA or country == "eea":
        return "eea"
    return f"{country}-{region}" if region else country


class Purposes(Mapping[str, Purpose]):
    """All purposes of an installation, by id, ours first."""

    def __init__(self, own: Mapping[str, Purpose] | None = None) -> None:
        """own: the operator's; one under an id of ours replaces it."""
        self._all: dict[str, Purpose] = {**BUILT_IN, **(own or {})}
        self._called: dict[str, tuple[str, ...]] = {}
        for name, purpose in self._all.items():
            for category in {name, *purpose.categories}:
                known = self._called.get(category.casefold(), ())
                self._called[category.casefold()] = (*known, name)

    def __getitem__(self, purpose: str) -> Purpose:
        return self._all[purpose]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def called(self, category: str) -> tuple[str, ...]:
        """The ids of purposes that a consent platform's category stands for, whatever its case; () for none."""
        return self._called.get(category.casefold(), ())

    def rule(self, purpose: str, jurisdiction: str) -> Rule:
        """The rule for `purpose` in `jurisdiction`: the nearest that is written, the strictest for nowhere.

        Raises KeyError for a purpose that there is not.
        """
        known = self._all[purpose]
        place = place_of(jurisdiction)
        if not place:
            return max(known.rules.values(), key=lambda rule: _STRICTNESS[rule.mechanism])
        for one in (place, place.partition("-")[0]):
            if one in known.rules:
                return known.rules[one]
        return known.rules["*"]

    def key(self) -> str:
        """What this registry means, as 32 hexadecimal digits: another key, another reading of the same events."""
        return sha256(msgspec.json.encode(self._all, order="deterministic")).hexdigest()[:32]


def record_of_processing(purposes: Purposes) -> list[dict[str, object]]:
    """The list that Article 30 GDPR asks for: a row per purpose and jurisdiction, in a fixed order."""
    return [
        {
            "purpose": name,
            "description": purpose.description,
            "dpv": purpose.dpv,
            "jurisdiction": place,
            "legal_basis": rule.basis,
            "mechanism": rule.mechanism,
            "data_categories": list(purpose.data_categories),
            "special_category": purpose.special_category,
            "recipients": list(purpose.recipients),
            "retention_days": purpose.retention_days,
            "notice_version": purpose.notice.version,
        }
        for name, purpose in sorted(purposes.items())
        for place, rule in sorted(purpose.rules.items())
    ]
