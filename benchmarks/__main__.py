"""`make bench`: every benchmark, one table each. Name one or more to run only those; `--json FILE` keeps the rows.

Each is the module of its name, whose `run` gives the rows. `loop` takes the number of events in its log from
HEEDFUL_BENCH_EVENTS (10,000,000 when unset), about eight minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path

from benchmarks.table import machine, show

BENCHMARKS = {
    "quality": "Session neighbours on published clicks",
    "baselines": "The baselines on published clicks",
    "prequential": "Prequential, beside baselines and other people's recommenders",
    "updates": "At once, hourly, daily",
    "log": "The log",
    "sessions": "The live session index",
    "forest": "Scoring fitted trees",
    "content": "What is described alike",
    "arrangement": "Arranging 20 of 100",
    "decisions": "A decision's bytes",
    "answer": "One answer in process",
    "ranking": "Fitted rankers on published clicks",
    "vault": "Keys and ciphers",
    "sealing": "Collecting and folding, with and without sealing",
    "peeking": "Looking at experiments",
    "ab": "A/B experiments with a known truth",
    "consent": "What consent costs the fold",
    "forget": "Forgetting people of 1,000 events",
    "retract": "Taking people of 1,000 events out of the views",
    "stalls": "The slowest calls of ordinary traffic",
    "loop": "The whole loop over HTTP",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="all of them when left out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the rows and the machine here")
    asked = parser.parse_args()
    kept = {}
    for name, title in BENCHMARKS.items():
        if asked.names and name not in asked.names:
            continue
        rows = import_module(f"benchmarks.{name}").run()
        show(title, rows)
        kept[name] = [list(row) for row in rows]
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine(), "rows": kept}, indent=1) + "\n")


main()
