"""The page on placements names every field, rule and condition there is, and its example is a good one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from heedful.pipeline.conditions import QUESTION, RULED
from heedful.pipeline.rules import read_rules
from heedful.vocabulary.placement import Attribution, Exploration, Placement, Rule, placement_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "placements.md").read_text(encoding="utf-8")
PARTS = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
SECTIONS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))


def first_cells(section: str) -> set[str]:
    rows = [line for line in SECTIONS[section].splitlines() if line.startswith("| `")]
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_every_field_is_explained_and_no_other() -> None:
    assert first_cells("Fields") == {field.encode_name for field in msgspec.structs.fields(Placement)}
    for inner in (Exploration, Attribution):
        for field in msgspec.structs.fields(inner):
            assert f"`{field.encode_name}`" in SECTIONS["Fields"]


def test_every_rule_is_explained_with_its_fields_and_no_other() -> None:
    assert first_cells("Rules") == {rule.__struct_config__.tag for rule in Rule.__args__}
    for rule in Rule.__args__:
        (row,) = [
            line for line in SECTIONS["Rules"].splitlines() if f"| `{rule.__struct_config__.tag}`" in line
        ]
        own = {field.name for field in msgspec.structs.fields(rule)} - {"name", "when"}
        assert own == set(re.findall(r"`(\w+)`", row.split("|")[3]))


def test_every_field_of_a_condition_is_explained() -> None:
    assert first_cells("Conditions") == {*QUESTION.ops, "context.<name>"}
    assert "`age_days`" in SECTIONS["Conditions"]
    api = (DOCS / "api.md").read_text(encoding="utf-8")
    for field in set(RULED.ops) - {"age_days"}:
        assert f"`{field}`" in api


def test_the_example_is_a_good_placement() -> None:
    (shown,) = re.findall(r"-d '(\{.*?\})'\n```", PAGE, re.DOTALL)
    placement = placement_of("home", json.loads(shown))
    assert len(read_rules(placement)) == 4
