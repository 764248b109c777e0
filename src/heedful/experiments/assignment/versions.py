"""Version numbers as texts that sort: `1.10.0` after `1.9.0`, and after `1.10.0-beta`."""

from __future__ import annotations

import re
from typing import Any

from heedful.experiments.assignment.hashing import number_text

_BUILD = re.compile(r"\+[^\n\r\u2028\u2029]*\Z")
_PARTS = re.compile(r"[-.]")
_NUMBER = re.compile(r"[0-9]+")


def padded(version: Any) -> str:
    """`version` with every number filled up to 5 places and a final release after its candidates.

    What stands after a + and a leading v do not count; what is neither text nor number, and "", is "0".
    (GrowthBook's SDK specification, "paddedVersionString"; semver.org 2.0, section 11, but for case.)
    """
    if isinstance(version, (int, float)) and not isinstance(version, bool):
        version = number_text(version)
    if not isinstance(version, str) or not version:
        version = "0"
    parts = _PARTS.split(_BUILD.sub("", version.removeprefix("v")))
    if len(parts) == 3:
        parts.append("~")
    return "-".join(part.rjust(5) if _NUMBER.fullmatch(part) else part for part in parts)
