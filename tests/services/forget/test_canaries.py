"""Strings planted in every field of a person's events are in no file afterwards, in no encoding; a process that is
killed in the middle of the saga finishes it when it starts again."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import numpy as np

from heedful.compose import Heedful
from heedful.models.shelf import Facts
from heedful.vocabulary.erasure import Alias, ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, FixedClock, Instant, iso
from tests.faces.cli.command import heedful

NOW = Instant(400 * DAY)
ROOT = Path(__file__).parents[3]


def planted(h: Heedful, people: int) -> list[str]:
    """Canaries in every field that a sender can fill, of several people, each event between other people's."""
    found: list[str] = []

    def canary(field: str) -> str:
        found.append(f"canary{len(found):04d}{field}")
        return found[-1]

    moment = 0
    for person in range(people):
        user, anonymous = canary("user"), canary("anonymous")
        for turn in range(4):
            moment += 1
            common = {
                "userId": user, "messageId": canary("message"), "timestamp": iso(Instant(NOW - DAY + moment)),
                "context": {"ip": canary("ip"), "page": {"url": canary("url")}},
            }  # fmt: skip
            product = {"product_id": canary("item"), "name": canary("title"), "note": canary("note") * 40}
            h.send("track", {**common, "event": "Product Viewed", "properties": product})
            order = {"order_id": canary("order"), "products": [{"product_id": canary("line"), "price": 3}]}
            common["messageId"] = canary("message")
            h.send("track", {**common, "event": "Order Completed", "properties": order})
            common["messageId"] = canary("message")
            h.send("track", {**common, "event": canary("Event Name"), "properties": {canary("key"): turn}})
            common["messageId"] = canary("message")
            h.send("identify", {**common, "traits": {"email": canary("mail")}})
            common["messageId"] = canary("message")
            h.send("page", {**common, "name": canary("page")})
            h.send("track", {"anonymousId": anonymous, "event": "Product Viewed", "messageId": canary("message"),
                             "properties": {"product_id": canary("item")}})  # fmt: skip
            for other in range(5):
                h.track(
                    "Product Viewed", properties={"product_id": f"i{other}"}, user_id=f"other-{moment % 7}"
                )
        h.recommend(user_id=user, limit=3, placement=canary("placement"))
        h.decide(user_id=user, placement=canary("place"), variants=[canary("variant"), "b"])
        assert person >= 0
    return found


def forms(start: str) -> list[bytes]:
    """How what begins with `start` could stand in a file: raw, hexadecimal, UTF-16, base64 in three phases."""
    raw = start.encode()
    phases = [base64.b64encode(b"\0" * n + raw)[4 if n else 0 : -4] for n in range(3)]
    return [raw, raw.hex().encode(), raw.hex().upper().encode(), start.encode("utf-16-le"), *phases]


def leaks(folder: Path, start: str) -> list[str]:
    """The file of everything found that begins with `start`, also within gzip."""
    found = []
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        content = file.read_bytes()
        for place in re.finditer(b"\x1f\x8b\x08", content):
            try:
                content += gzip.decompress(content[place.start() :])
            except (OSError, EOFError):
                continue
        found += [file.name for form in forms(start) for _ in range(content.count(form))]
    return found


def test_no_canary_is_left_in_any_file(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Heedful(folder, clock=FixedClock(NOW), settings=Settings(holdout=0.0)) as h:
        canaries = planted(h, people=4)
        shelf = h.engine.forgetting._kept.shelf
        assert shelf is not None
        names = "".join(canaries[:20]).encode()
        shelf.add(Facts("linear", "v1.1", {}, 1, ()), {"learned": np.frombuffer(names, dtype=np.uint8)})
        h.engine.snapshot()
        assert len(canaries) >= 100
        assert len(leaks(folder, "canary0")) >= len(canaries), "they are there before"
        users = [one for one in canaries if one.endswith("user")]
        anonymous = [one for one in canaries if one.endswith("anonymous")]
        # One at a time, so that what one purge moves another must still find.
        for user, other in zip(users, anonymous, strict=True):
            outcome: list[ErasureStatus | HeedfulError] = []
            asked = ForgetRequest(user_id=user, aliases=(Alias(anonymous_id=other),))
            h.engine.forget(asked, outcome.append)
            assert isinstance(outcome[0], ErasureStatus)
            assert outcome[0].state == "done"
        held = {*h.engine.fold.items.ids, *h.engine.fold.kinds.names}
        assert not [one for one in canaries if one in held]
        assert leaks(folder, "canary0") == []
        assert h.engine.verify().agrees
    assert leaks(folder, "canary0") == []
    with Heedful(folder, clock=FixedClock(NOW), settings=Settings(holdout=0.0)) as h:
        assert h.engine.verify().agrees
        h.engine.snapshot()
    assert leaks(folder, "canary0") == []


def test_a_killed_process_finishes_what_it_began(tmp_path: Path) -> None:
    lines = tmp_path / "history.jsonl"
    with lines.open("w") as out:
        for n in range(6_000):
            out.write(json.dumps({
                "type": "track", "event": "Product Viewed", "userId": f"p{n % 3}",
                "messageId": f"canary-{n % 3}-{n}",
                "timestamp": f"2011-12-{1 + n % 28:02}T12:00:00Z", "properties": {"product_id": f"i{n % 50}"},
            }) + "\n")  # fmt: skip
    data, random = tmp_path / "data", Random(5)
    assert heedful("import", "--data", data, lines).code == 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "heedful", "forget", "--data", str(data), "--json"]
    for person in range(2):
        process = subprocess.Popen(
            [*command, "--user", f"p{person}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        ledger, deadline = data / "erasures.sqlite3-wal", time.monotonic() + 60
        before = ledger.stat().st_size if ledger.exists() else 0
        while process.poll() is None and time.monotonic() < deadline:
            if (ledger.stat().st_size if ledger.exists() else 0) > before:
                break
            time.sleep(0.001)
        time.sleep(random.uniform(0.0, 0.3))
        process.kill()
        said = b"".join(process.communicate())
        assert b"canary" not in said
        with Heedful(data) as h:
            states = [one.state for one in h.engine.erasures()]
            assert set(states) <= {"done"}
            assert h.engine.verify().agrees
    receipt = tmp_path / "receipt.json"
    again = heedful("forget", "--data", data, "--user", "p0", "--json")
    receipt.write_text(again.out)
    assert again.code == 0, again.err
    assert heedful("forget", "--data", data, "--user", "p1").code == 0
    doubted = heedful("verify", "--data", data, "--forgotten", receipt, "--json")
    assert doubted.code == 0, doubted.out
    assert not [one for one in doubted.json if one["ok"] is False]
    assert leaks(data, "canary-0-") == leaks(data, "canary-1-") == []
    assert leaks(data, "canary-2-"), "somebody else's stay"
