"""A small file of history for the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Forty lines that can be taken, one that cannot, and an empty one."""
    file = tmp_path / "history.jsonl"
    lines = [
        json.dumps({
            "type": "track", "event": "Product Viewed", "userId": f"p{n // 4}",
            "timestamp": f"2011-12-0{1 + n // 10}T12:{n:02}:00Z",
            "properties": {"product_id": f"i{n % 4}"},
        })
        for n in range(40)
    ]  # fmt: skip
    file.write_text("\n".join([*lines, "{not json", "", ""]))
    return file
