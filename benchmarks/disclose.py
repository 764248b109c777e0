"""How long a person's file takes, by how much they did and by how long the log is beside them.

`python -m benchmarks.disclose [EVENTS] [OTHERS]`: one person with EVENTS events (10,000) among OTHERS events of
other people (200,000), in a log on disk. Prints the seconds of the search and of the writing, the file's size, and
the most memory that Python held for it.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import msgspec

from heedful.compose import Heedful
from heedful.vocabulary.rights import Someone


def main(events: int, others: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Heedful(Path(folder)) as shop:
        fill(shop, "ada", events)
        for start in range(0, others, 50_000):
            fill(shop, f"other{start}", min(50_000, others - start))
        disclose = shop.engine.rights.disclose
        subjects = disclose.subjects(Someone("ada"))
        began = time.perf_counter()
        places = disclose.places(subjects)
        found = time.perf_counter()
        with Path(folder, "out.zip").open("w+b") as file:
            for _ in disclose.write(subjects, places, file):
                pass
            size = file.tell()
        done = time.perf_counter()
        tracemalloc.start()
        for _ in disclose.write(subjects, places, io.BytesIO()):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        print(
            f"{events:,} events among {events + others:,}: search {found - began:.2f} s, "
            f"writing {done - found:.2f} s, {size / 1e6:.1f} MB, "
            f"{peak / 1e6:.1f} MB of memory with the file itself"
        )


def fill(shop: Heedful, who: str, count: int) -> None:
    for start in range(0, count, 1_000):
        batch = [
            {"type": "track", "event": "Product Viewed", "userId": who, "messageId": f"{who}-{n}",
             "properties": {"product_id": f"p{n % 997}", "price": 12.5, "name": f"Thing {n}", "url": f"/p/{n}"},
             "context": {"ip": "192.0.2.1", "userAgent": "Mozilla/5.0", "page": {"path": f"/p/{n}"}}}
            for n in range(start, min(count, start + 1_000))
        ]  # fmt: skip
        call = {"batch": batch}
        assert len(msgspec.json.encode(call)) < 500 << 10
        shop.send("batch", call)


if __name__ == "__main__":
    main(*(int(word) for word in [*sys.argv[1:], *("10000", "200000")[len(sys.argv) - 1 :]]))
