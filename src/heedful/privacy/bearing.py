"""Age and place, read from what is said of somebody: the traits of an `identify` call.

`age` is whole years, `ageBracket` a word for who keeps no ages; `jurisdiction` a place as in the settings. From
years to a bracket it takes the age of consent to data processing where they are: Article 8 GDPR lets Member States
choose 13 to 16, of which we take the highest; 13 in the United Kingdom (Data Protection Act 2018, section 9) and
the United States (COPPA, 15 U.S.C. 6501); and the highest where no place is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from heedful.privacy.purposes import place_of
from heedful.views.who import ADULT, CHILD, NOBODY_SAID, TEEN, UNKNOWN, UNSAID, Who
from heedful.vocabulary.consent import Age
from heedful.vocabulary.event import Event
from heedful.vocabulary.kinds import IDENTIFY

_BRACKETS: Mapping[str, int] = {"child": CHILD, "teen": TEEN, "adult": ADULT, "unknown": UNKNOWN}
_AGES: Mapping[int, Age] = {CHILD: "child", TEEN: "teen", ADULT: "adult", UNKNOWN: "unknown"}
_CONSENTING: Mapping[str, int] = {"uk": 13, "us": 13}
_HIGHEST = 16
_GROWN = 18
_OLDEST = 150
_LONGEST = 20


class _Traits(msgspec.Struct, frozen=True, rename="camel", gc=False):
    age: Any = None
    age_bracket: Any = None
    jurisdiction: Any = None


_read_traits = msgspec.json.Decoder(_Traits).decode


def who_of(event: Event) -> Who:
    """What an event says of its person's age and place; `NOBODY_SAID` for nothing."""
    traits = event.traits
    if event.kind != IDENTIFY or not traits:
        return NOBODY_SAID
    try:
        said = _read_traits(traits)
    except (msgspec.DecodeError, RecursionError):
        return NOBODY_SAID
    place = said.jurisdiction
    if place is not None:  # what is no place is a place that is unknown, which has the strictest rules
        place = place[:_LONGEST].replace("\n", " ") if isinstance(place, str) else ""
    return Who(_age(said), place)


def age_in(who: Who, jurisdiction: str) -> Age:
    """The bracket of somebody in a place."""
    if who.age == UNSAID:
        return "unknown"
    if who.age > _OLDEST:
        return _AGES.get(who.age, "unknown")
    place = place_of(jurisdiction)
    if who.age < _CONSENTING.get(place.partition("-")[0], _HIGHEST):
        return "child"
    return "teen" if who.age < _GROWN else "adult"


def _age(said: _Traits) -> int:
    if isinstance(said.age_bracket, str) and said.age_bracket in _BRACKETS:
        return _BRACKETS[said.age_bracket]
    years = said.age
    if isinstance(years, str) and years.isascii() and years.isdigit() and len(years) < 4:
        years = int(years)
    if type(years) in (int, float) and 0 <= years <= _OLDEST:
        return int(years)
    return UNSAID
