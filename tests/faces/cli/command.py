"""The command line in this process, with what it printed."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

import structlog

from heedful.compose import (
    fit_beside,
    keys_of,
    open_engine,
    read_settings,
    replaying,
    rotating,
    snapshot_beside,
    taste_beside,
)
from heedful.faces.cli.app import run
from heedful.faces.cli.opener import Opener


class Said(NamedTuple):
    """What one command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def heedful(*arguments: object) -> Said:
    """Run one command here. The logs go back to where they went before."""
    before = structlog.get_config()
    out, err = io.StringIO(), io.StringIO()
    opener = Opener(
        open_engine, keys_of, snapshot_beside, fit_beside, taste_beside, rotating, replaying, read_settings
    )
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run(opener, [str(argument) for argument in arguments])
    finally:
        structlog.configure(**before)
    return Said(code, out.getvalue(), err.getvalue())
