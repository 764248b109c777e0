"""Signals are read as their specifications say, from published strings; whatever is wrong with one is a no."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.privacy.bits import LONGEST, Bits, Garbled
from heedful.privacy.gpp import LAYOUTS, read_gpp
from heedful.privacy.purposes import Purposes
from heedful.privacy.signals import as_sent, gpc_of, preferences_of, signals_of, well_known
from heedful.privacy.tcf import DISCLOSURE_FROM, TENTH, parse_tcf, read_tcf
from heedful.vocabulary.consent import Gpp, Signals, Tcf, Unreadable
from heedful.vocabulary.time import iso

PURPOSES = Purposes()
DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

# Strings published with the specifications and their reference implementations
SERVICE = (  # iabgpp-es, TcfEuV2.test.ts, "decode 2"
    "CPi8wgAPi8wgAAOACBENCuCoAP_AAEfAACiQJHNd_H__bX9n-f7_6ft0eY1f9_r37uQzDhfNk-8F3L_W_LwX_2E7NF36tq4KmR4ku1LBIUN"
    "tHMnUDUmxaokVrzHsak2cpzNKJ_BkknsZe2dYGF9vm5tj-QKZ7_5_d3f52T_9_9v-39z33913v3d93-_13LjdV5_9H_v9fR_b8_Kf9_5-_4v"
    "8_____3_e______8AEEggCTDVuIAuxLHAm0DCKBECMKwkKoFABBQDC0QGADg4KdlYBPrCBAAgFAEYEQIcAUYEAgAAAgCQiACQIsEAAAIgEAA"
    "IAEQiEABAwCCgAsDAIAAQDQMUQoABAkIMiAiKUwICIEggJbKhBKC6Q0wgCrLACgkRsFAAiAAAUgACAsHAMESAlYsECTFG-QAjBCgFEqFaAGG"
    "gAwABBI4RABgACCRwqADAAEEjgA"
)
GLOBAL = (  # TCF specification, "TC String Format", with all four segments
    "COw4XqLOw4XqLAAAAAENAXCAAAAAAAAAAAAAAAAAAAAA.IFukWSQgAIQwgI0QEByFAAAAeIAACAIgSAAQAIAgEQACEABAAAgAQFAEAIAAAGBAA"
    "gAAAAQAIFAAMCQAAgAAQiRAEQAAAAANAAIAAggAIYQFAAARmggBC3ZCYzU2yIA.QFukWSQgAIQwgI0QEByFAAAAeIAACAIgSAAQAIAgEQACEAB"
    "AAAgAQFAEAIAAAGBAAgAAAAQAIFAAMCQAAgAAQiRAEQAAAAANAAIAAggAIYQFAAARmggBC3ZCYzU2yIA.YAAAAAAAAAAAAAAAAAA"
)
PUBLISHER = "CPSG_8APSG_8AAAAAAENAACgAAAAAAAAAAAAAAAAAAAA.YAAAAAAAAAAA"  # iabgpp-es, "service specific"


# Bits


def test_numbers_in_fibonacci_coding_are_those_of_the_specification() -> None:
    codes = ["11", "011", "0011", "1011", "00011", "10011", "01011"]
    text = "".join(codes)
    padded = text + "0" * (-len(text) % 6)
    bits = Bits("".join(DIGITS[int(padded[n : n + 6], 2)] for n in range(0, len(padded), 6)))
    assert [bits.fibonacci() for _ in codes] == [1, 2, 3, 4, 5, 6, 7]
    with pytest.raises(Garbled):
        Bits("AAAAAAAA").fibonacci()


@settings(max_examples=100, deadline=None)
@given(numbers=st.lists(st.tuples(st.integers(1, 36), st.integers(0, 2**36 - 1)), max_size=10))
def test_numbers_are_read_back(numbers: list[tuple[int, int]]) -> None:
    fields = [(width, value % (1 << width)) for width, value in numbers]
    bits = Bits(encoded(fields))
    assert [bits.number(width) for width, _ in fields] == [value for _, value in fields]
    bits.padding()
    with pytest.raises(Garbled):
        bits.number(6)


def encoded(fields: Sequence[tuple[int, int]]) -> str:
    """Fields of (width, value) as websafe base64 of six bits a character."""
    text = "".join(f"{value:0{width}b}" for width, value in fields if width)
    text += "0" * (-len(text) % 6)
    return "".join(DIGITS[int(text[n : n + 6], 2)] for n in range(0, len(text), 6))


def mask(chosen: Sequence[int], width: int = 24) -> int:
    return sum(1 << (width - one) for one in chosen)


# TC strings


def test_a_published_string_is_read_to_its_end() -> None:
    said = parse_tcf(SERVICE)
    assert (said.policy, said.own_service) == (2, True)
    assert said.consents == {*range(1, 11)}
    assert said.interests == {2, 6, 7, 8, 9, 10}
    assert (said.forbidden, said.publisher, said.disclosed) == (frozenset(), None, False)


def test_published_segments_are_told_apart() -> None:
    said = parse_tcf(GLOBAL)
    assert (said.policy, said.own_service, said.disclosed) == (2, False, True)
    assert said.publisher == (frozenset(), frozenset())
    assert parse_tcf(PUBLISHER).publisher == (frozenset(), frozenset())
    assert iso_of(parse_tcf(PUBLISHER).created) == "2022-01-01T00:00:00.000000Z"


def iso_of(tenths: int) -> str:
    from heedful.vocabulary.time import Instant

    return iso(Instant(tenths * TENTH))


@pytest.mark.parametrize(
    ("text", "why"),
    [(SERVICE, "policy version 2"), (GLOBAL, "policy version 2"), (PUBLISHER, "policy version 2")],
)
def test_strings_of_older_policies_count_no_more(text: str, why: str) -> None:
    read = read_tcf(text)
    assert isinstance(read, Unreadable)
    assert why in read.why


AFTER = DISCLOSURE_FROM // TENTH
BEFORE = AFTER - 1
DISCLOSED = encoded([(3, 1), (16, 3), (1, 0), (3, 0b101)])


def tc(
    *,
    version: int = 2,
    created: int = BEFORE,
    updated: int = BEFORE,
    policy: int = 5,
    own: int = 1,
    consents: Sequence[int] = (5, 6),
    interests: Sequence[int] = (7,),
    vendors: Sequence[tuple[int, int]] = ((16, 0), (1, 0)),
    restrictions: Sequence[tuple[int, int, Sequence[tuple[int, int]]]] = (),
    segments: Sequence[str] = (),
    tail: Sequence[tuple[int, int]] = (),
) -> str:
    """A TC string, built by the table of the specification."""
    fields = [
        (6, version), (36, created), (36, updated), (12, 3), (12, 1), (6, 1), (12, 131), (12, 48), (6, policy),
        (1, own), (1, 0), (12, 0), (24, mask(consents)), (24, mask(interests)), (1, 0), (12, 0),
        *vendors, *vendors, (12, len(restrictions)),
    ]  # fmt: skip
    for purpose, kind, ranges in restrictions:
        fields += [(6, purpose), (2, kind), (12, len(ranges))]
        for first, last in ranges:
            fields += [(1, 1), (16, first), (16, last)]
    return ".".join([encoded([*fields, *tail]), *segments])


def publisher(consents: Sequence[int], interests: Sequence[int], custom: int = 0) -> str:
    return encoded([(3, 3), (24, mask(consents)), (24, mask(interests)), (6, custom), (2 * custom, 0)])


@settings(max_examples=150, deadline=None)
@given(
    consents=st.sets(st.integers(1, 24)),
    interests=st.sets(st.integers(1, 24)),
    own=st.one_of(st.none(), st.tuples(st.sets(st.integers(1, 24)), st.sets(st.integers(1, 24)))),
    ranges=st.booleans(),
    updated=st.sampled_from([BEFORE, AFTER]),
    restrictions=st.lists(st.tuples(st.integers(1, 24), st.integers(0, 3)), max_size=4),
)
def test_a_string_is_read_back_with_the_strictest_of_its_parts(
    consents: set[int], interests: set[int], own: tuple[set[int], set[int]] | None, ranges: bool, updated: int,
    restrictions: list[tuple[int, int]],
) -> None:  # fmt: skip
    bitfield = ((16, 9), (1, 0), (9, 0b101010101))
    ranged = ((16, 900), (1, 1), (12, 2), (1, 0), (16, 3), (1, 1), (16, 5), (16, 900))
    text = tc(
        updated=updated, consents=sorted(consents), interests=sorted(interests),
        vendors=ranged if ranges else bitfield,
        segments=[DISCLOSED, *([publisher(sorted(own[0]), sorted(own[1]), 2)] if own else [])],
        restrictions=[(purpose, kind, [(1, 9)]) for purpose, kind in restrictions],
    )  # fmt: skip
    read = read_tcf(text)
    assert isinstance(read, Tcf), read
    forbidden = {purpose for purpose, kind in restrictions if kind == 0}
    assert read.consents == (consents & (own[0] if own else consents)) - forbidden
    assert read.interests == (interests & (own[1] if own else interests)) - forbidden
    assert (read.created, read.updated, read.policy) == (BEFORE * TENTH, updated * TENTH, 5)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (tc(version=1), "version 2"),
        (tc(version=3), "version 2"),
        (tc(policy=3), "policy"),
        (tc(own=0), "service"),
        (tc(created=BEFORE + 1), "before it was created"),
        (tc(updated=AFTER), "disclosed"),
        (tc(updated=AFTER, segments=[publisher([5], [])]), "disclosed"),
        (tc(segments=[DISCLOSED, DISCLOSED]), "twice"),
        (tc(segments=[DISCLOSED] * 4), "more segments"),
        (tc(segments=[encoded([(3, 0), (16, 0), (1, 0)])]), "unknown kind"),
        (tc(segments=[""]), "early"),
        (tc(tail=[(8, 1)]), "follows"),
        (tc(vendors=((16, 65_535), (1, 0))), "early"),
        (tc(vendors=((16, 65_535), (1, 1), (12, 4_095))), "range"),
        (tc(vendors=((16, 9), (1, 1), (12, 1), (1, 1), (16, 5), (16, 10))), "range"),
        (tc(vendors=((16, 9), (1, 1), (12, 1), (1, 1), (16, 5), (16, 4))), "range"),
        (tc(vendors=((16, 9), (1, 1), (12, 1), (1, 0), (16, 0))), "range"),
        (tc(restrictions=[(0, 0, [(1, 2)])]), "unknown purpose"),
        (tc(restrictions=[(25, 0, [(1, 2)])]), "unknown purpose"),
        ("", "early"),
        (".", "early"),
        ("C", "early"),
        ("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", "version 2"),  # a published string of version 1
        (tc() + "=", "base64"),
        (tc() + "\u00e9", "base64"),
        (" " + tc(), "base64"),
        ("C" * (LONGEST + 1), "too long"),
    ],
)
def test_a_string_that_is_not_as_specified_is_unreadable(text: str, why: str) -> None:
    read = read_tcf(text)
    assert isinstance(read, Unreadable), read
    assert why in read.why


def test_a_string_that_is_cut_anywhere_never_allows_more() -> None:
    text = tc(segments=[DISCLOSED, publisher([5], [7])])
    whole = read_tcf(text)
    assert isinstance(whole, Tcf)
    for end in range(len(text)):
        cut = read_tcf(text[:end])
        # What is left over after a whole core is a core; a shorter one cannot be.
        assert isinstance(cut, Unreadable) or text[end] == ".", end


# GPP strings


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("DBAA", ()),
        ("DBABTA~1YNN", (6,)),
        ("DBACNYA~CPSG_8APSG_8ANwAAAENAwCAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA~1YNN", (2, 6)),
        ("DBABjw~CPSG_8APSG_8AAyACAENGdCgf_gfgAfgfgBgABABAAABAB4AACAC.fHHHA4444ao~1YNN", (5, 6)),
        ("DBABLA~BVVVkkkkkpFY.YA", (7,)),
        (
            "DBACOaw~CPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA~CPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAA"
            ".YAAAAAAAAAA~1---~BAAAAAAAAAA.QA~BAAAAAAA.QA~BAAAAAA~BAAAAAA.QA~BAAAAAAA~BAAAAAAA.QA",
            (2, 5, 6, 7, 8, 9, 10, 11, 12),
        ),
    ],
)  # fmt: skip
def test_published_headers_name_their_sections(text: str, sections: tuple[int, ...]) -> None:
    read, _ = read_gpp(text)
    assert isinstance(read, Gpp), read
    assert read.sections == sections


def header(*sections: int) -> str:
    """A header that names sections one by one."""
    text, last = f"{3:06b}{1:06b}{len(sections):012b}", 0
    for one in sections:
        text, last = text + "0" + fibonacci(one - last), one
    text += "0" * (-len(text) % 6)
    return "".join(DIGITS[int(text[n : n + 6], 2)] for n in range(0, len(text), 6))


def fibonacci(number: int) -> str:
    weights = [1, 2]
    while weights[-1] <= number:
        weights.append(weights[-1] + weights[-2])
    code = ""
    for weight in reversed([one for one in weights if one <= number]):
        code = ("1" if weight <= number else "0") + code
        number -= weight if weight <= number else 0
    return code + "1"


def test_the_headers_of_the_specification_are_made_alike() -> None:
    assert header(2) == "DBABM"
    assert header(2, 6) == "DBACNY"


@pytest.mark.parametrize(
    ("section", "content", "out", "gpc"),
    [
        # iabgpp-es: UsNat, UsCa, UsVa, UsUt, UsIa tests, with the fields that they name
        (7, "BVVVkkkkkpFY.YA", True, True),
        (7, "BVVVkkkkkpFY", True, False),
        (7, "BVQqAAAACg", False, False),
        (7, "BAAAAAAAAABA.QA", False, False),
        (8, "BVWSSSVY.YA", True, True),
        (8, "BAAAAABA.QA", False, False),
        (9, "BVWSSVY", True, False),
        (9, "BAAAABA", False, False),
        (11, "BVVkklW", True, False),
        (11, "BAAAAAQ", False, False),
        (18, "BVVkklWA.YA", True, True),
        (18, "BVVkklW.Y", True, True),
        (18, "BAAAAAQ.Q", False, False),
        # the fides decoder's national example: two opt-outs said not to be
        (7, "BVAoAAAAABk.QA", False, False),
        (6, "1YNN", False, False),
        (6, "1YYN", True, False),
        (6, "1---", False, False),
    ],
)  # fmt: skip
def test_published_sections_say_whether_somebody_opted_out(
    section: int, content: str, out: bool, gpc: bool
) -> None:
    read, tcf = read_gpp(f"{header(section)}~{content}")
    assert read == Gpp(opted_out=out or gpc, gpc=gpc, sections=(section,))
    assert tcf is None


@pytest.mark.parametrize("section", sorted(LAYOUTS))
def test_each_opt_out_of_each_section_is_seen(section: int) -> None:
    layout = LAYOUTS[section]
    for place in range(layout.opt_outs):
        for value, expected in ((0, False), (1, True), (2, False)):
            outs = [(2, value if n == place else 2) for n in range(layout.opt_outs)]
            core = encoded([(6, 1), *[(2, 1)] * layout.notices, *outs, (layout.least, 0)])
            read, _ = read_gpp(f"{header(section)}~{core}")
            assert isinstance(read, Gpp), read
            assert read.opted_out is expected
            signalled, _ = read_gpp(f"{header(section)}~{core}.YA")
            assert isinstance(signalled, Gpp)
            assert signalled.opted_out, "GPC is an opt-out whatever the fields say"
        core = encoded([(6, 1), *[(2, 1)] * layout.notices, *[(2, 3)] * layout.opt_outs, (layout.least, 0)])
        assert isinstance(read_gpp(f"{header(section)}~{core}")[0], Unreadable)


def test_a_section_that_nobody_knows_is_an_opt_out() -> None:
    for section in (3, 23, 40, 999):
        read, _ = read_gpp(f"{header(section)}~BAAA")
        assert read == Gpp(opted_out=True, sections=(section,))
    for section in (1, 4, 5):
        assert read_gpp(f"{header(section)}~BAAA")[0] == Gpp(sections=(section,))


def test_a_tc_string_within_is_read_as_one() -> None:
    _, tcf = read_gpp(f"{header(2)}~{tc(segments=[DISCLOSED])}")
    assert isinstance(tcf, Tcf)
    assert tcf.consents == {5, 6}
    _, old = read_gpp("DBABMA~CPSG_8APSG_8ANwAAAENAwCAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA")
    assert isinstance(old, Unreadable)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "early"),
        ("~", "early"),
        ("DBABTA", "other sections"),
        ("DBABTA~1YNN~1YNN", "other sections"),
        ("DBAA~", "other sections"),
        ("CBABTA~1YNN", "header"),
        ("DCABTA~1YNN", "header"),
        ("DBABTA~1YN", "privacy string"),
        ("DBABTA~2YNN", "privacy string"),
        ("DBABTA~1YXN", "privacy string"),
        (f"{header(7)}~z", "early"),
        (f"{header(7)}~CVVVkkkkkpFY", None),
        (f"{header(7)}~DVVVkkkkkpFY", "version"),
        (f"{header(8)}~CVWSSSVY", "version"),
        (f"{header(8)}~BVWSSSVY.QAA.QA", "too many"),
        (f"{header(8)}~BVWSSSVY.AA", "unknown kind"),
        (f"{header(8)}~BVWSSSVY.", "early"),
        (f"{header(8)}~BVWSSSVY.Yf", "follows"),
        (f"{header(8)}~BbYbGwXY.YA", "undefined"),  # published, with values that there are not
        (encoded([(6, 3), (6, 1), (12, 1), (1, 1), (2, 3), (23, 1), (1, 1)]) + "~1YNN", "sections"),
        (encoded([(6, 3), (6, 1), (12, 4_095)]), "early"),
        ("D" * (LONGEST + 1), "too long"),
        ("DBABTA~" + "1" * LONGEST, "too long"),
    ],
)
def test_a_gpp_string_that_is_not_as_specified_is_unreadable(text: str, why: str | None) -> None:
    read, _ = read_gpp(text)
    if why is None:
        assert isinstance(read, Gpp)
        return
    assert isinstance(read, Unreadable), read
    assert why in read.why


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(st.text(max_size=80), st.text(alphabet=DIGITS + ".~", max_size=120)))
def test_nothing_that_anybody_sends_breaks_the_readers(text: str) -> None:
    assert isinstance(read_tcf(text), (Tcf, Unreadable))
    read, tcf = read_gpp(text)
    assert isinstance(read, (Gpp, Unreadable))
    assert tcf is None or isinstance(tcf, (Tcf, Unreadable))


def test_strings_that_were_damaged_are_read_or_refused_and_never_break() -> None:
    dice = random.Random(23)
    whole = [
        SERVICE,
        GLOBAL,
        tc(segments=[DISCLOSED]),
        "DBABLA~BVVVkkkkkpFY.YA",
        f"{header(2, 7)}~{tc()}~BVQqAAAACg",
    ]
    for _ in range(3_000):
        text = list(dice.choice(whole))
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(len(text))
            text[place] = dice.choice((dice.choice(DIGITS + ".~"), "", dice.choice(DIGITS) * 9))
        read_tcf("".join(text))
        read_gpp("".join(text))


# Headers and contexts


@pytest.mark.parametrize(
    ("values", "on"),
    [
        ([b"1"], True), ([b"0", b"1"], True), ([b"1", b"1"], True), ([], False), ([b"0"], False), ([b""], False),
        ([b" 1"], False), ([b"01"], False), ([b"1,1"], False), ([b"true"], False), ([b"1.0"], False),
        ([b"\xef\xbc\x91"], False),
    ],
)  # fmt: skip
def test_only_the_one_character_is_global_privacy_control(values: list[bytes], on: bool) -> None:
    assert gpc_of(values) is on
    assert signals_of(b"", PURPOSES, headers=values) == Signals(gpc=on)


def test_the_well_known_file_is_what_the_specification_says() -> None:
    assert well_known("2026-11-23") == {"gpc": True, "lastUpdate": "2026-11-23"}


def context(**consent: Any) -> bytes:
    return msgspec.json.encode({"page": {}, "consent": consent})


def test_a_context_gives_every_signal_in_it() -> None:
    text = tc(segments=[DISCLOSED])
    read = signals_of(
        context(gpc=True, tcf=text, gpp="DBABLA~BVVVkkkkkpFY.YA", categoryPreferences={"Analytics": True}),
        PURPOSES,
    )
    assert read.gpc
    assert isinstance(read.tcf, Tcf)
    assert read.gpp == Gpp(opted_out=True, gpc=True, sections=(7,))
    assert isinstance(read.carried, dict)
    assert [name for name, yes in read.carried.items() if yes] == ["analytics"]


def test_a_context_without_consent_gives_none() -> None:
    for raw in (b"", b"{}", b'{"consent":null}', b'{"page":{}}'):
        assert signals_of(raw, PURPOSES) == Signals()
    assert signals_of(context(), PURPOSES) == Signals()


@pytest.mark.parametrize(
    "raw", [b"[1]", b"{", b'{"consent":1}', b'{"consent":[]}', b"[" * 5_000, b'"x"', b"\xff"]
)
def test_a_context_that_cannot_be_read_is_a_no_from_all(raw: bytes) -> None:
    read = signals_of(raw, PURPOSES)
    assert isinstance(read.tcf, Unreadable)
    assert isinstance(read.gpp, Unreadable)
    assert isinstance(read.carried, Unreadable)
    assert as_sent(raw, gpc=True) == {"gpc": True}


@pytest.mark.parametrize("value", [1, True, [], {}, ""])
def test_signals_of_another_type_are_unreadable(value: Any) -> None:
    read = signals_of(context(tcf=value, gpp=value, gpc=value if value is not True else 1), PURPOSES)
    assert isinstance(read.tcf, Unreadable)
    assert isinstance(read.gpp, Unreadable)
    assert not read.gpc, "only true is true"


def test_two_tc_strings_allow_what_both_do() -> None:
    one, other = tc(consents=[5, 6], segments=[DISCLOSED]), tc(consents=[6, 7], segments=[DISCLOSED])
    both = signals_of(context(tcf=one, gpp=f"{header(2)}~{other}"), PURPOSES)
    assert isinstance(both.tcf, Tcf)
    assert both.tcf.consents == {6}
    lost = signals_of(context(tcf=one, gpp=f"{header(2)}~C"), PURPOSES)
    assert isinstance(lost.tcf, Unreadable)
    assert as_sent(context(tcf=one, other=1), gpc=False) == {"gpc": False, "tcf": one}


@pytest.mark.parametrize(
    ("said", "yes"),
    [
        ({}, []),
        ({"Advertising": True}, ["sharing"]),
        ({"ADVERTISING": True, "analytics": True}, ["analytics", "sharing"]),
        ({"Advertising": True, "Marketing": False}, []),
        ({"Personalization": True, "Functional": False}, []),
        ({"learning": True, "surveys": "true", "social": 1, "sharing": None}, ["learning"]),
        ({"C0002": True}, []),
    ],
)
def test_categories_of_a_consent_platform_become_purposes(said: Any, yes: list[str]) -> None:
    read = preferences_of(said, PURPOSES)
    assert isinstance(read, dict)
    assert [name for name, value in read.items() if value] == yes
    assert read.keys() == PURPOSES.keys()


def test_preferences_that_are_none_and_preferences_that_are_no_object_differ() -> None:
    assert preferences_of(None, PURPOSES) is None
    said: Any
    for said in (True, [], "x", 1):
        assert isinstance(preferences_of(said, PURPOSES), Unreadable)
