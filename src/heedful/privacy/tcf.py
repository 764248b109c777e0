"""TC strings of the IAB Europe Transparency and Consent Framework, versions 2.2 and 2.3, read strictly.

"Transparency and Consent String with Global Vendor List Format" names the fields. We read what a site needs for
its own purposes: consents, legitimate interests, times and restrictions; vendors only to know where they end. A
string is never made or changed here. Anything that is not exactly as specified is Unreadable, a no:

- version 2, policy version 4 or later (2.2), and made for this service alone;
- each segment at most once; from 1 March 2026 on the segment of disclosed vendors must be there (2.3);
- a purpose that the publisher restricts flatly (type 0) for any vendor is not allowed, whatever was consented to;
- where the publisher's own segment is there, it must say yes as well.
"""

from __future__ import annotations

from typing import NamedTuple

from heedful.privacy.bits import Bits, Garbled
from heedful.vocabulary.consent import Tcf, Unreadable
from heedful.vocabulary.time import Instant

TENTH = 100_000
"""Microseconds in the tenths of a second that TC strings count."""

DISCLOSURE_FROM = Instant(1_772_323_200_000_000)
"""2026-03-01T00:00Z: strings updated from then on need disclosed vendors (TCF 2.3)."""

_OLDEST_POLICY = 4
_DISCLOSED, _ALLOWED, _PUBLISHER = 1, 2, 3
_PURPOSES = 24


class TcString(NamedTuple):
    """The fields that we read, as they stand. created, updated: tenths of a second. own_service: for it alone.

    forbidden: purposes with a restriction of type 0. publisher: consents and interests of that segment, or None.
    disclosed: whether the segment of disclosed vendors is there.
    """

    created: int
    updated: int
    policy: int
    own_service: bool
    consents: frozenset[int]
    interests: frozenset[int]
    forbidden: frozenset[int]
    publisher: tuple[frozenset[int], frozenset[int]] | None
    disclosed: bool


def read_tcf(text: str) -> Tcf | Unreadable:
    """What a TC string allows, or why it cannot be used."""
    try:
        return _usable(parse_tcf(text))
    except Garbled as error:
        return Unreadable(f"the TC string cannot be used: {error}")


def _usable(said: TcString) -> Tcf:
    if said.policy < _OLDEST_POLICY:
        raise Garbled(f"its policy version {said.policy} is older than {_OLDEST_POLICY}")
    if not said.own_service:
        raise Garbled("it was not made for this service alone")
    if said.created > said.updated:
        raise Garbled("it was updated before it was created")
    if said.updated * TENTH >= DISCLOSURE_FROM and not said.disclosed:
        raise Garbled("it does not say which vendors were disclosed")
    consents, interests = said.consents - said.forbidden, said.interests - said.forbidden
    if said.publisher is not None:
        consents, interests = consents & said.publisher[0], interests & said.publisher[1]
    return Tcf(Instant(said.created * TENTH), Instant(said.updated * TENTH), said.policy, consents, interests)


def parse_tcf(text: str) -> TcString:
    """The fields of a TC string of version 2. Raises Garbled where it is not exactly as specified."""
    core, *segments = text.split(".")
    if len(segments) > 3:
        raise Garbled("it has more segments than there are kinds")
    bits = Bits(core)
    if bits.number(6) != 2:
        raise Garbled("it is not of version 2")
    created, updated = bits.number(36), bits.number(36)
    bits.number(12 + 12 + 6 + 12 + 12)  # platform, its version, screen, language, vendor list
    policy, own_service = bits.number(6), bits.flag()
    bits.number(1 + 12)  # stacks, special features
    consents, interests = bits.chosen(_PURPOSES), bits.chosen(_PURPOSES)
    bits.number(1 + 12)  # purpose one treatment, country
    _skip_vendors(bits)
    _skip_vendors(bits)
    forbidden = _restrictions(bits)
    bits.padding()
    kinds = {}
    for segment in segments:
        kind, found = _segment(Bits(segment))
        if kind in kinds:
            raise Garbled("it has a segment twice")
        kinds[kind] = found
    return TcString(
        created, updated, policy, own_service, consents, interests, forbidden,
        kinds.get(_PUBLISHER), _DISCLOSED in kinds,
    )  # fmt: skip


def _segment(bits: Bits) -> tuple[int, tuple[frozenset[int], frozenset[int]]]:
    """The kind of a segment, and the consents and interests in it where it is the publisher's."""
    kind = bits.number(3)
    consents: frozenset[int] = frozenset()
    interests: frozenset[int] = frozenset()
    if kind in (_DISCLOSED, _ALLOWED):
        _skip_vendors(bits)
    elif kind == _PUBLISHER:
        consents, interests = bits.chosen(_PURPOSES), bits.chosen(_PURPOSES)
        custom = bits.number(6)
        bits.number(2 * custom)
    else:
        raise Garbled(f"it has a segment of the unknown kind {kind}")
    bits.padding()
    return kind, (consents, interests)


def _skip_vendors(bits: Bits) -> None:
    """Vendors as bits or as ranges."""
    highest = bits.number(16)
    if not bits.flag():
        bits.number(highest)
        return
    _skip_ranges(bits, highest)


def _skip_ranges(bits: Bits, highest: int) -> None:
    for _ in range(bits.number(12)):
        several = bits.flag()
        first = bits.number(16)
        last = bits.number(16) if several else first
        if not 1 <= first <= last <= highest:
            raise Garbled("a range of vendors in it means nothing")


def _restrictions(bits: Bits) -> frozenset[int]:
    """The purposes that the publisher forbids flatly."""
    forbidden = set()
    for _ in range(bits.number(12)):
        purpose, kind = bits.number(6), bits.number(2)
        if not 1 <= purpose <= _PURPOSES:
            raise Garbled(f"it restricts the unknown purpose {purpose}")
        _skip_ranges(bits, 0xFFFF)
        if kind == 0:
            forbidden.add(purpose)
    return frozenset(forbidden)
