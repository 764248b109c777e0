"""What a benchmark says: rows with their goals, and the machine they were measured on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    """One figure. goal: as it is written in the issue, empty for a figure that explains others."""

    name: str
    value: float
    unit: str
    goal: str


def machine() -> str:
    """Interpreter, processor and cores."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    name = models[0] if models else platform.processor()
    return f"{platform.python_implementation()} {platform.python_version()} · {name} · {os.cpu_count()} cores"


def show(title: str, rows: Sequence[Row | tuple[str, float, str, str]]) -> None:
    """Print a table."""
    table = Table(title=f"{title}\n{machine()}", title_justify="left")
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("")
    table.add_column("goal", justify="right")
    for name, value, unit, goal in rows:
        digits = 0 if abs(value) >= 1_000 else 1 if abs(value) >= 10 else 3
        table.add_row(name, f"{value:,.{digits}f}", unit, goal)
    Console(width=None if sys.stdout.isatty() else 110).print(table)
