"""JavaScript itself as the slow twin: runs a few lines in Node, where there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

NODE = shutil.which("node")
NEEDED = pytest.mark.skipif(NODE is None, reason="needs node, to compare with JavaScript itself")


def run(expression: str, rows: list[Any]) -> list[Any]:
    """What `expression`, a function of a row, gives for each of `rows` (plain JSON)."""
    program = (
        "const rows = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        f"const f = {expression};"
        "process.stdout.write(JSON.stringify(rows.map(f)));"
    )
    done = subprocess.run(
        [NODE or "node", "-e", program],
        input=json.dumps(rows).encode(),
        check=True,
        capture_output=True,
        timeout=60,
    )
    found: list[Any] = json.loads(done.stdout)
    return found
