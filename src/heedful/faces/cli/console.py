"""What commands print: tables and progress for people on a terminal, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

out = Console()
err = Console(stderr=True)

FIRST_START = "Starting. The first time, kernels are compiled for this machine, which takes a minute or two."
"""Said where no progress bar is drawn."""

Told = Callable[[str, int, int], None]


def readable(text: str) -> str:
    """`text` with a question mark for each part that no encoding can hold."""
    return text.encode(errors="replace").decode()


def say_error(text: str) -> None:
    """Print `text` in red on standard error."""
    err.print(readable(text), style="red", markup=False, highlight=False, soft_wrap=True)


def say_json(value: Any) -> None:
    """Print `value` as one JSON document."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def say_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a small table; numbers stand right."""
    if title:
        out.print(title, style="bold", highlight=False, markup=False)
    table = Table(header_style="bold")
    for place, name in enumerate(head):
        numeric = bool(rows) and all(isinstance(row[place], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    out.print(table)


@contextmanager
def progress() -> Iterator[Told]:
    """A progress bar on a terminal, nothing elsewhere: yields (what, done, total) -> None; total 0 is unknown."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    tasks: dict[str, Any] = {}

    def told(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=total or None)
        bar.update(tasks[what], completed=done, total=total or None)

    with bar:
        yield told
