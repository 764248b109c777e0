"""Regular expressions mean what JavaScript means by them, or are refused, and never take long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.experiments.assignment.patterns import MOST_STATES, Pattern, Refused, pattern

from .node import NEEDED, run

PATTERNS = [
    "abc", "^abc$", "^$", "", "a*", "(a|b)*c", "(Mobile|Tablet)", "-12-25$", r"\d{3}-\d{4}",
    r"^\w+@\w+\.(com|org)$",
    "a{2,3}b", "a{2,}b", "a{2}b?", "[a-c]+[^a-c]", "[^]", "x|", "(?:a|b)+?c", r"\bcat\b", r"\Bat\b", "(a*)*b",
    "(a?){3}a{3}",
    r"[\d-]+", r"[\w.]+\/", r"\S+\s\S+", r"\x41\u00e9", "é+", "^[é-ñ]$", ".", "^.$", "^..$", r"\.", "a.c",
    r"[.]", "(?<year>\\d+)",
    "[^\\d]", "[\\D]", "^(?:(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}", "]", "}", "a-z", "[a\\-z]", "[-a]",
    "[a-]", "\\$", "[$]",
    "https?://", "/path/", "(|a)b", "\\0",
]  # fmt: skip
TEXTS = [
    "", "abc", "ABC", "xabcx", "a", "aab", "aaab", "aaaaab", "c", "abababc", "Android Mobile Browser",
    "1980-12-25", "555-1234",
    "me@example.com", "me@example.net", "cat", "concat cat", "bat at", "A\u00e9", "éé", "ñ", "\n", "a\nc",
    "😀", "a.c", ".", "-", "]",
    "}", "a-z", "192.168.0.1", "999.1.1.1.", "https://x/path/", "two words", "b", "ab", "$5", "z", "E", "é",
    "É", "\0",
]  # fmt: skip


@NEEDED
@pytest.mark.parametrize("insensitive", [False, True])
def test_node_finds_the_same(insensitive: bool) -> None:
    pairs = [[source, text] for source in PATTERNS for text in TEXTS]
    said = run(f"([p, t]) => new RegExp(p, '{'i' if insensitive else ''}').test(t)", pairs)
    got = [pattern(source, insensitive).found(text) for source, text in pairs]
    assert [pair for pair, one, other in zip(pairs, got, said, strict=True) if one != other] == []


simple = st.recursive(
    st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", "^", "$", r"\b", r"\w", ""]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        inner.map(lambda one: f"(?:{one})*"),
        inner.map(lambda one: f"(?:{one}){{1,2}}"),
        inner.map(lambda one: f"(?:{one})?"),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(simple, st.text("abc \n", max_size=8))
def test_the_automaton_agrees_with_backtracking(source: str, text: str) -> None:
    """Python's engine as the slow twin, with JavaScript's meaning of $ and of the dot."""
    twin = source.replace("$", r"\Z").replace(".", r"[^\n\r\u2028\u2029]")
    assert Pattern(source).found(text) is bool(re.search(twin, text))


@pytest.mark.parametrize(
    "source",
    ["/???***[)", "(a", "a)", "[a", "a**", "*a", "(?=a)b", "(?!a)b", "(?<=a)b", "(?<!a)b", r"(a)\1", r"\k<a>",
    r"\p{L}",
     r"\cA", "a{2,1}", "a{", "{1}", "[b-a]", "^*", r"\u12", "a" * 201, "\\", r"\01", r"[\w-z]"],
)  # fmt: skip
def test_what_is_not_linear_or_not_a_pattern_is_refused(source: str) -> None:
    with pytest.raises(Refused):
        Pattern(source)


def test_a_pattern_that_blows_up_is_refused_at_once() -> None:
    for source in ("(?:(?:a{99}){99}){99}", "(?:(?:(?:){9999}){9999}){9999}b{9999}"):
        with pytest.raises(Refused, match=str(MOST_STATES)):
            Pattern(source)
    assert Pattern("(?:(?:(?:){9999}){9999}){9999}").found("")


def test_what_takes_backtracking_for_ever_takes_a_step_for_each_character() -> None:
    """`(a+)+$` on a's and a b: 2^n ways. The states that are kept stay few."""
    evil = Pattern("(a+)+$")
    assert not evil.found("a" * 900 + "b")
    assert len(evil._sets) < 10


def test_what_is_kept_of_a_pattern_has_an_end() -> None:
    one = Pattern("(?:[^a]b|a){3}")
    texts = ["".join(map(chr, range(start, start + 900))) for start in range(0x3400, 0x3400 + 900 * 14, 900)]
    for text in [*texts, *texts]:
        assert not one.found(text)
        assert one._kept <= 10_000 + 901
    assert one.found("xb" + "a" + "yb")


def test_a_text_that_is_too_long_matches_nothing() -> None:
    assert pattern("a").found("a" * 1_000)
    assert not pattern("a").found("a" * 1_001)
    assert not pattern(".").found("😀" * 501)
