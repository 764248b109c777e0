"""GPP strings of the IAB Global Privacy Platform: the opt-outs of sale, sharing and targeted advertising.

"Global Privacy Platform String" gives the header, the sections' specifications the fields. All United States
sections begin alike: a version, notices, then the opt-outs, two bits each: 0 not applicable, 1 opted out, 2 did
not opt out. What comes after is not needed and not read, so that both lengths of the national section are.

A section that we do not know may hold an opt-out, so it counts as one. Sections about consent in Europe (2) are
read as TC strings; those of TCF 1 and Canada (1, 5) and signatures (4) say nothing about sale.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from heedful.privacy.bits import LONGEST, Bits, Garbled
from heedful.privacy.tcf import read_tcf
from heedful.vocabulary.consent import Gpp, Tcf, Unreadable

_HEADER, _VERSION = 3, 1
_MOST_SECTIONS = 64
_SILENT = frozenset({1, 4, 5})
_EUROPE, _US_PRIVACY = 2, 6
_OPTED_OUT, _UNDEFINED = 1, 3
_GPC_SEGMENT = 1


class Layout(NamedTuple):
    """How a section begins: two-bit notices, then two-bit opt-outs. least: bits of its core."""

    notices: int
    opt_outs: int
    least: int
    versions: frozenset[int] = frozenset({1})


_STATE = Layout(3, 2, 38)
LAYOUTS: dict[int, Layout] = {
    **dict.fromkeys((9, 10, 12, *range(13, 18), *range(19, 23)), _STATE),
    7: Layout(6, 3, 60, frozenset({1, 2})),
    8: Layout(3, 2, 46),
    11: Layout(4, 2, 42),
    18: Layout(4, 2, 42),
}
"""By section: 7 national, 8 California, 9 Virginia, 10 Colorado, 11 Utah, 12 Connecticut, 13 Florida, 14 Montana,
15 Oregon, 16 Texas, 17 Delaware, 18 Iowa, 19 Nebraska, 20 New Hampshire, 21 New Jersey, 22 Tennessee."""

_PRIVACY_STRING = re.compile(r"1[YNyn-]([YNyn-])[YNyn-]")


def read_gpp(text: str) -> tuple[Gpp | Unreadable, Tcf | Unreadable | None]:
    """What a GPP string says, and what its TC string says where it has one."""
    try:
        return _read(text)
    except Garbled as error:
        return Unreadable(f"the GPP string cannot be used: {error}"), None


def _read(text: str) -> tuple[Gpp, Tcf | Unreadable | None]:
    if len(text) > LONGEST:
        raise Garbled("it is too long")
    header, *sections = text.split("~")
    ids = _header(Bits(header))
    if len(ids) != len(sections):
        raise Garbled("its header names other sections than follow")
    opted_out = gpc = False
    tcf: Tcf | Unreadable | None = None
    for section, content in zip(ids, sections, strict=True):
        if section == _EUROPE:
            tcf = read_tcf(content)
        elif section == _US_PRIVACY:
            opted_out |= _privacy_string(content)
        elif section in LAYOUTS:
            out, signal = _section(LAYOUTS[section], content)
            opted_out, gpc = opted_out or out, gpc or signal
        elif section not in _SILENT:
            opted_out = True
    return Gpp(opted_out=opted_out or gpc, gpc=gpc, sections=tuple(ids)), tcf


def _header(bits: Bits) -> list[int]:
    """The ids of the sections, ascending: single ones and ranges, each as the distance from the one before."""
    if bits.number(6) != _HEADER or bits.number(6) != _VERSION:
        raise Garbled("it does not begin with a header of version 1")
    ids: list[int] = []
    last = 0
    for _ in range(bits.number(12)):
        several = bits.flag()
        first = last + bits.fibonacci()
        last = first + bits.fibonacci() if several else first
        if last - first + len(ids) >= _MOST_SECTIONS:
            raise Garbled("it has more sections than there can be")
        ids.extend(range(first, last + 1))
    bits.padding()
    return ids


def _section(layout: Layout, content: str) -> tuple[bool, bool]:
    """Whether a section of the United States opts out of anything, and whether it says GPC was on."""
    core, *segments = content.split(".")
    bits = Bits(core)
    if len(bits) < layout.least:
        raise Garbled("a section of it ends too early")
    if bits.number(6) not in layout.versions:
        raise Garbled("a section of it has a version that we do not know")
    for _ in range(layout.notices):
        if bits.number(2) == _UNDEFINED:
            raise Garbled("a notice in it has an undefined value")
    values = [bits.number(2) for _ in range(layout.opt_outs)]
    if _UNDEFINED in values:
        raise Garbled("an opt-out in it has an undefined value")
    return _OPTED_OUT in values, _gpc(segments)


def _gpc(segments: list[str]) -> bool:
    if len(segments) > 1:
        raise Garbled("a section of it has too many segments")
    for segment in segments:
        bits = Bits(segment)
        if bits.number(2) != _GPC_SEGMENT:
            raise Garbled("a section of it has a segment of an unknown kind")
        on = bits.flag()
        bits.padding()
        return on
    return False


def _privacy_string(content: str) -> bool:
    """The United States privacy string, such as `1YNN`: the third character says whether they opted out."""
    match = _PRIVACY_STRING.fullmatch(content)
    if match is None:
        raise Garbled("its privacy string is not one")
    return match[1] in "Yy"
