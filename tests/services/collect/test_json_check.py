"""What JSON is taken: the compiled pass against its slow twin, on honest and on hostile bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heedful.services.collect.json_check import elements, members, parsed, problem_in
from heedful.services.collect.json_scan import MAX_DEPTH, Look, looks
from heedful.vocabulary.errors import Invalid

LONG = 32_768

keys = st.text("abcd_ :{}[],", max_size=4)
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
numbers = st.integers(-(10**17), 10**17) | st.floats(width=32, allow_nan=False, allow_infinity=False)
trees = st.recursive(
    st.none() | st.booleans() | numbers | values,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)
pieces = st.sampled_from(
    [
        *'{}[]:,"\\/-+.eE0123456789 \t\n\r\x00\x1fab',
        *["true", "false", "null", "NaN", "Infinity", "1e999", "1E-7", "-0", "01", "1.", "9" * 18, "9" * 19],
        *[
            '"a":',
            '"a":1',
            '"b":{}',
            "{}",
            "[]",
            '""',
            '"a"',
            "\\u0000",
            "\\ud83d\\ude00",
            "\\ud800",
            "\\udc00",
        ],
        *["\\u00e9", "\\n", "\\x", "\\u12", "\\u 123", "\ufeff", "é", "😀", "[" * 33, "]" * 33, '{"a":' * 33],
    ]
)
texts = st.lists(pieces, max_size=12).map("".join)
wrapped = texts.map(lambda text: f'{{"k": [{text}]}}')
spoiled = st.builds(
    lambda tree, place, piece: (
        (text := json.dumps(tree))[: place % len(text)] + piece + text[place % len(text) :]
    ),
    trees,
    st.integers(0, 200),
    pieces,
)
bodies = spoiled.map(str.encode) | st.binary(max_size=40) | texts.map(str.encode) | wrapped.map(str.encode)


def depth_of(tree: Any) -> int:
    if isinstance(tree, dict):
        return 1 + max(map(depth_of, tree.values()), default=0)
    if isinstance(tree, list):
        return 1 + max(map(depth_of, tree), default=0)
    return 0


def slowly(body: bytes) -> bool:
    """Whether `body` is JSON that nobody can object to: the twin of CLEAN."""
    try:
        text = parsed(body)
    except Invalid:
        return False
    return problem_in(text) is None and depth_of(json.loads(text)) <= MAX_DEPTH


@given(bodies)
@settings(max_examples=500, deadline=None)
@example(b"")
@example(b'"\\')
@example(b'"\\u')
@example(b'"\\ud83d\\u')
@example(b'{"a')
@example(b"tru")
@example(b"-")
@example(b"1.5e")
@example(b'{"a":1,"a":2}')
@example(b'{"a":1,"\\u0061":2}')
@example(b"\xff\xfe")
@example(b"\xed\xa0\x80")
def test_clean_is_only_said_of_bodies_that_the_slow_reading_takes(body: bytes) -> None:
    if looks(body, long=LONG) is Look.CLEAN:
        assert slowly(body), body


@given(trees, st.booleans(), st.sampled_from([None, 2]))
@settings(max_examples=150, deadline=None)
def test_honest_bodies_are_clean(tree: Any, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(tree, ensure_ascii=ascii_only, indent=indent).encode()
    assert looks(body, long=LONG) is Look.CLEAN


@pytest.mark.parametrize("control", range(32))
@pytest.mark.parametrize("frame", [b'["%c"]', b'{"%c":1}', b"[1]%c", b"[%c1]", b"[1%c]"])
def test_control_characters_stand_only_where_white_space_may(frame: bytes, control: int) -> None:
    taken = control in b"\t\n\r" and b'"' not in frame
    assert looks(frame % control, long=LONG) is (Look.CLEAN if taken else Look.DOUBTFUL)
    assert slowly(frame % control) is taken


@pytest.mark.parametrize("depth", [1, 31, 32, 33, 100, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_thirty_two_levels_are_taken_and_thirty_three_are_not(depth: int, opening: str, closing: str) -> None:
    body = (opening * depth + "1" + closing * depth).encode()
    assert looks(body, long=LONG) is (Look.CLEAN if depth <= 32 else Look.TOO_DEEP)


def test_brackets_inside_strings_do_not_count_as_depth() -> None:
    assert looks(b'["' + b"[" * 100 + b'\\"[{"]', long=LONG) is Look.CLEAN


def test_depth_is_seen_behind_a_repeated_key() -> None:
    body = b'{"a":1,"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    assert looks(body, long=LONG) is Look.TOO_DEEP


def test_the_same_key_in_two_objects_is_no_repetition() -> None:
    assert looks(b'[{"a":{"a":{"a":1}}},{"a":1,"b":{"a":2}}]', long=LONG) is Look.CLEAN


def test_objects_of_many_keys_are_read_slowly_and_taken() -> None:
    body = json.dumps({f"k{n}": n for n in range(5_000)}).encode()
    assert looks(body, long=10**9) is Look.DOUBTFUL
    assert slowly(body)


def test_a_long_element_of_a_batch_is_doubtful() -> None:
    body = b'{"batch":[{"a":"' + b"x" * 100 + b'"}]}'
    assert looks(body, long=200) is Look.CLEAN
    assert looks(body, long=50) is Look.DOUBTFUL


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ('{"a":{"b":["x","\\u0000"]}}', "json_nul", "a.b[1]"),
        ('{"a":"\\ud800"}', "json_surrogate", "a"),
        ('{"a":"\\udc00\\ud800"}', "json_surrogate", "a"),
        ('{"\\ud800":1}', "json_surrogate", ""),
        ('{"\\u0000":1}', "json_nul", ""),
        ('{"a":[9223372036854775808]}', "json_number_range", "a[0]"),
        ('{"a":-9223372036854775809}', "json_number_range", "a"),
        ('{"a":' + "9" * 5_000 + "}", "json_number_range", "a"),
        ('{"a":1e999}', "json_number_range", "a"),
        ('{"a":-1e999}', "json_number_range", "a"),
        ('{"o":{"a":1,"b":2,"a":3}}', "json_duplicate_key", "o.a"),
        ('{"a":1,"\\u0061":3}', "json_duplicate_key", "a"),
    ],
)
def test_what_spoils_an_event_is_named_with_its_place(text: str, code: str, path: str) -> None:
    problem = problem_in(text)
    assert problem is not None
    assert (problem.code, problem.path) == (code, path)
    assert looks(text.encode(), long=LONG) is Look.DOUBTFUL


@pytest.mark.parametrize(
    "text",
    [
        '{"a":9223372036854775807,"b":-9223372036854775808}',
        '{"a":1e308,"b":1e-999}',
        '{"a":"\\ud83d\\ude00 😀"}',
        '{"a":"\\\\u0000"}',
    ],
)
def test_what_only_looks_dangerous_is_taken(text: str) -> None:
    assert problem_in(text) is None


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"NaN", b'{"a":Infinity}', b'{"a":-Infinity}', b"\xef\xbb\xbf{}", b"{} x", b'{"a":"\x01"}',
     b"\xff", b'"\xed\xa0\x80"', b"{'a':1}", b'{"a":1,}', b"[1,]", b"[01]"],
)  # fmt: skip
def test_what_is_no_json_is_no_body(body: bytes) -> None:
    assert looks(body, long=LONG) is Look.DOUBTFUL
    with pytest.raises(Invalid) as raised:
        parsed(body)
    assert raised.value.code == "json_invalid"


@given(st.dictionaries(st.text(max_size=5), trees, max_size=5), st.lists(trees, max_size=5))
@settings(max_examples=100, deadline=None)
def test_taking_a_text_apart_loses_nothing(tree: dict[str, Any], row: list[Any]) -> None:
    apart = {key: json.loads(text) for key, text in members(" " + json.dumps(tree, indent=1) + " ")}
    assert apart == tree
    assert [json.loads(text) for text in elements("\n" + json.dumps(row, indent=1))] == row
