"""The page about metrics says what the code says."""

from __future__ import annotations

from pathlib import Path

from heedful.models.baselines.built_in import BUILT_IN
from heedful.models.metrics.definitions import DEFINITIONS
from heedful.models.metrics.protocol import Repeats
from heedful.models.metrics.ranking import Ranking

PAGE = (Path(__file__).parents[2] / "docs/figures.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    lines = PAGE.split(f"## {heading}\n", 1)[1].splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    return table[2:]


def test_every_figure_stands_on_the_page_as_it_is_defined() -> None:
    defined = [[d.name, d.formula, d.unit, d.better.value, d.interval.value] for d in DEFINITIONS.values()]
    assert rows("Figures") == defined


def test_every_ranking_metric_has_a_definition() -> None:
    assert set(Ranking._fields) <= set(DEFINITIONS)


def test_every_rule_about_repeats_and_every_baseline_stands_on_the_page() -> None:
    assert [row[0] for row in rows("Rules that must be equal")] == [rule.value for rule in Repeats]
    assert {row[0] for row in rows("Baselines")} == set(BUILT_IN)
