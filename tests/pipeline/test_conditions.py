"""Conditions against an interpreter of a few lines that walks the JSON tree itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.pipeline.conditions import All, Where, compiled_condition, parse
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item, Price


def interpreted(tree: dict[str, Any], item: Item | None, name: str) -> bool:
    """The slow twin: what the module's text says, read off the tree."""
    if "all" in tree:
        return all(interpreted(part, item, name) for part in tree["all"])
    if "any" in tree:
        return any(interpreted(part, item, name) for part in tree["any"])
    if "not" in tree:
        return not interpreted(tree["not"], item, name)
    held, op, value = field(tree["field"], item, name), tree["op"], tree.get("value", True)
    if tree["field"] == "published" and op != "exists":
        value = (
            [datetime.fromisoformat(v) for v in value] if op.endswith("in") else datetime.fromisoformat(value)
        )
    if op == "exists":
        return bool((held not in (None, "", (), [])) == value)
    if op == "ne":
        return not interpreted({**tree, "op": "eq"}, item, name)
    if op == "not_in":
        return not interpreted({**tree, "op": "in"}, item, name)
    if held in (None, "", (), []):
        return False
    if op == "contains" and isinstance(held, str):
        return isinstance(value, str) and value in held
    if op == "contains" and not isinstance(held, (list, tuple)):
        return False
    for one in held if isinstance(held, (list, tuple)) else [held]:
        for other in value if op == "in" else [value]:
            if type_of(one) != type_of(other) or type_of(one) == "other":
                continue
            if op in ("eq", "in", "contains") and one == other:
                return True
            if type_of(one) != "bool" and (
                (op == "lt" and one < other)
                or (op == "le" and one <= other)
                or (op == "gt" and one > other)
                or (op == "ge" and one >= other)
            ):
                return True
    return False


def field(name: str, item: Item | None, item_id: str) -> Any:
    if name == "id":
        return item_id
    if item is None:
        return None
    if name.startswith("properties."):
        return item.properties.get(name[len("properties.") :])
    if name == "price":
        return None if item.price is None else item.price.minor
    return item.categories if name == "category" else getattr(item, name)


def type_of(value: Any) -> str:
    for name, kinds in (("bool", bool), ("number", (int, float)), ("text", str), ("time", datetime)):
        if isinstance(value, kinds):
            return name
    return "other"


words = st.sampled_from(["", "a", "ab", "b", "1", "shoes"])
numbers = st.sampled_from([0, 1, 2, -1, 1.0, 1.5, 2000, 10**30])
scalars = st.one_of(words, numbers, st.booleans())
times = st.sampled_from(
    ["2026-01-01T00:00:00+00:00", "2026-01-01T02:00:00+02:00", "2025-06-01T00:00:00+00:00"]
)
EQUAL, SIZE = ["eq", "ne"], ["lt", "le", "gt", "ge"]


def wheres(field: st.SearchStrategy[str], ops: list[str], values: Any) -> st.SearchStrategy[dict[str, Any]]:
    single = st.fixed_dictionaries({"field": field, "op": st.sampled_from(ops), "value": values})
    several = st.fixed_dictionaries(
        {"field": field, "op": st.sampled_from(["in", "not_in"]), "value": st.lists(values, max_size=3)}
    )
    exists = st.fixed_dictionaries(
        {"field": field, "op": st.just("exists")}, optional={"value": st.booleans()}
    )
    return st.one_of(single, several, exists)


properties = st.sampled_from(["properties.p", "properties.q"])
leaves = st.one_of(
    wheres(st.just("id"), EQUAL, words),
    wheres(st.sampled_from(["category", "title"]), [*EQUAL, "contains"], words),
    wheres(st.just("price"), [*EQUAL, *SIZE], st.sampled_from([0, 1, 2000])),
    wheres(st.just("published"), [*EQUAL, *SIZE], times),
    wheres(properties, [*EQUAL, "contains"], scalars),
    wheres(properties, SIZE, st.one_of(words, numbers)),
    st.fixed_dictionaries(
        {"field": st.just("available"), "op": st.sampled_from(EQUAL), "value": st.booleans()}
    ),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=8,
)
items = st.builds(
    Item,
    id=st.just(ItemId("a")),
    title=words,
    categories=st.lists(words, max_size=2).map(tuple),
    price=st.one_of(st.none(), st.builds(Price, minor=st.sampled_from([0, 1, 2000, 2001]))),
    available=st.booleans(),
    published=st.one_of(st.none(), times.map(datetime.fromisoformat)),
    properties=st.dictionaries(
        st.sampled_from(["p", "q"]),
        st.one_of(st.none(), scalars, st.lists(scalars, max_size=3), st.just({"a": 1}), st.just([["a"], {}])),
    ),
)


@settings(max_examples=150, deadline=None)
@given(tree=trees, described=st.lists(st.one_of(st.none(), items), min_size=1, max_size=6), name=words)
def test_a_compiled_condition_says_what_the_interpreter_says(
    tree: dict[str, Any], described: list[Item | None], name: str
) -> None:
    try:
        test = compiled_condition(parse(tree))
    except Invalid as error:  # drawn trees may be deeper than allowed
        assert "levels deep" in str(error)
        return
    for item in described:
        assert test(item, name) is interpreted(tree, item, name)


json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["all", "any", "not", "field", "op", "value", "x"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
shaped = st.fixed_dictionaries(
    {
        "field": st.one_of(
            st.sampled_from(["price", "title", "published", "properties.p", "category"]), json
        ),
        "op": st.one_of(st.sampled_from(["eq", "in", "lt", "contains", "exists"]), json),
        "value": json,
    }
)
THING = Item(ItemId("a"), title="ab", categories=("a",), price=Price(5), properties={"p": [1, "a", None]})


@settings(max_examples=150, deadline=None)
@given(tree=st.one_of(json, shaped, shaped.map(lambda leaf: {"not": {"all": [leaf]}})))
def test_a_hostile_tree_is_refused_with_its_path_or_works(tree: Any) -> None:
    try:
        test = compiled_condition(parse(tree))
    except Invalid as error:
        assert error.code == "filter_invalid"
        assert error.path.startswith("filter")
        assert str(error).startswith(error.path)
        return
    assert test(THING, "a") in (True, False)
    assert test(None, "a") in (True, False)


def nested(levels: int) -> Any:
    tree: Any = {"field": "price", "op": "exists"}
    for _ in range(levels - 1):
        tree = {"not": tree}
    return tree


LEAF = {"field": "price", "op": "exists"}


@pytest.mark.parametrize(
    ("tree", "path", "words"),
    [
        (nested(9), "filter.not.not.not.not.not.not.not.not", "8 levels"),
        (nested(5_000), "filter.not.not.not.not.not.not.not.not", "8 levels"),
        ({"all": [LEAF] * 100}, "filter.all[99]", "100 conditions"),
        ({"field": "title", "op": "in", "value": ["a"] * 1_001}, "filter.value", "1000 values"),
        ({"field": "title", "op": "eq", "value": "a" * 1_001}, "filter.value", "1000 characters"),
        ({"field": "price", "op": "lt", "value": 19.99}, "filter.value", "1999 for 19.99"),
        ({"field": "price", "op": "lt", "value": True}, "filter.value", "minor units"),
        ({"field": "price", "op": "contains", "value": 1}, "filter.op", "eq, ne, in, not_in, exists, lt"),
        ({"field": "colour", "op": "eq", "value": "red"}, "filter.field", "properties.<name>"),
        ({"field": "properties.", "op": "exists"}, "filter.field", "properties.<name>"),
        ({"field": "properties", "op": "exists"}, "filter.field", "properties.<name>"),
        ({"field": ["price"], "op": "exists"}, "filter.field", "must be one of"),
        ({"field": "price", "op": {}}, "filter.op", "must be one of"),
        ({"field": "published", "op": "lt", "value": "yesterday"}, "filter.value", "2026-11-23"),
        ({"field": "published", "op": "in", "value": ["2026-01-01T00:00:00Z", 5]}, "filter.value[1]", "time"),
        ({"field": "properties.p", "op": "eq", "value": float("nan")}, "filter.value", "number"),
        ({"field": "properties.p", "op": "eq", "value": None}, "filter.value", "number"),
        ({"field": "properties.p", "op": "lt", "value": True}, "filter.value", "by size"),
        ({"field": "properties.p", "op": "exists", "value": "yes"}, "filter.value", "true or false"),
        ({"any": [LEAF, {"all": {}}]}, "filter.any[1].all", "list"),
        ({"all": [], "any": []}, "filter", "exactly"),
        ({"field": "price", "op": "exists", "note": 1}, "filter", "exactly"),
        ({}, "filter", "exactly"),
        ([], "filter", "object"),
        (None, "filter", "object"),
    ],
)
def test_a_wrong_tree_is_refused_with_what_is_allowed(tree: Any, path: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(tree)
    assert (caught.value.code, caught.value.path) == ("filter_invalid", path)
    assert words in str(caught.value)


def test_the_largest_allowed_tree_is_taken() -> None:
    assert isinstance(parse({"all": [LEAF] * 99}), All)
    parse(nested(8))
    parse({"field": "title", "op": "in", "value": ["a"] * 1_000})


def test_a_time_is_compared_as_a_moment_whatever_its_offset() -> None:
    item = Item(ItemId("a"), published=datetime(2026, 1, 1, tzinfo=UTC))
    same = parse({"field": "published", "op": "eq", "value": "2026-01-01T02:00:00+02:00"})
    assert compiled_condition(same)(item, "a")
    assert same == Where("published", "eq", 1_767_225_600_000_000)
