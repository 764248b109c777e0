"""The page about sending events says what is so: its examples are taken and its codes are those we give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heedful.services import collect
from heedful.services.collect.commerce import NAMES
from heedful.vocabulary.receipt import KEY_DESTROYED, Status
from tests.services.collect.memory import Door

PAGE = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"POST /v1/(\w+)\n\n```json\n(.*?)```", PAGE, re.DOTALL)
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in Path(collect.__file__).parent.glob("*.py"))


def test_the_page_has_examples() -> None:
    assert [method for method, _ in EXAMPLES] == ["track", "batch"]


@pytest.mark.parametrize(("method", "body"), EXAMPLES)
def test_every_example_is_accepted(method: str, body: str) -> None:
    assert {fate.status for fate in Door().send(method, body.encode()).events} == {Status.ACCEPTED}


def test_every_code_is_explained_and_no_other() -> None:
    found = set(re.findall(r'(?:Invalid|Problem)\(\s*"([a-z_]+)"', SOURCE))
    given = found | {"conflict", KEY_DESTROYED, "suppressed"}
    rows = PAGE.partition("## Codes")[2].splitlines()
    explained = {
        code for row in rows if row.startswith("| `") for code in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert given == explained


@pytest.mark.parametrize(("name", "kind"), NAMES.items())
def test_every_name_is_in_the_table(name: str, kind: str) -> None:
    rows = [row for row in PAGE.splitlines() if row.startswith("| ") and re.search(rf"\b{name}\b", row)]
    assert any(kind in row.split("|")[2] for row in rows)
