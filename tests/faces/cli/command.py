"""The command line in this process, with what it printed."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from heedful.compose import keys_of, open_engine, rehearse_kernels, snapshot_beside
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


class Command:
    """`heedful`, run in process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> Said:
        self._capture.readouterr()
        opener = Opener(engine=open_engine, keys=keys_of, snapshot=snapshot_beside, rehearse=rehearse_kernels)
        code = run(opener, [str(argument) for argument in arguments])
        out, err = self._capture.readouterr()
        return Said(code, out, err)
