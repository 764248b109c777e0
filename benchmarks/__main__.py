"""`make bench`: every benchmark, one table each. Name one or more to run only those; `--json FILE` keeps the rows.

log, sessions, quality, variants, loop. `loop` takes the number of events in its log from HEEDFUL_BENCH_EVENTS
(10,000,000 when unset), about eight minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.table import Row, machine, show

Rows = Sequence[Row | tuple[str, float, str, str]]


def _log() -> Rows:
    from benchmarks import log

    return [Row(name, value, unit, f"{goal:,g}") for name, value, unit, goal in log.rows()]


def _sessions() -> Rows:
    from benchmarks import sessions

    return sessions.run()


def _quality() -> Rows:
    from benchmarks import quality

    return quality.run()


def _variants() -> Rows:
    from benchmarks import variants

    return variants.run()


def _loop() -> Rows:
    from benchmarks import loop

    return loop.measure(int(os.environ.get("HEEDFUL_BENCH_EVENTS", "10000000")))


BENCHMARKS: dict[str, tuple[str, Callable[[], Rows]]] = {
    "quality": ("Session neighbours on published clicks", _quality),
    "variants": ("Variants: regret", _variants),
    "log": ("The log", _log),
    "sessions": ("The live session index", _sessions),
    "loop": ("The whole loop over HTTP", _loop),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], default=[])
    parser.add_argument("--json", type=Path, help="also write the rows here")
    asked = parser.parse_args()
    kept = {}
    for name, (title, run) in BENCHMARKS.items():
        if asked.names and name not in asked.names:
            continue
        rows = run()
        show(title, rows)
        kept[name] = [list(row) for row in rows]
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine(), "rows": kept}, indent=1) + "\n")


main()
