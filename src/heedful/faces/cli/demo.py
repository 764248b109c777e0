"""`heedful demo`: a simulated shop to try things on."""

from __future__ import annotations

import typer


def add_to(app: typer.Typer) -> None:
    del app
