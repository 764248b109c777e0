"""kill -9 of the whole product: what was acknowledged is there, and nothing counts twice.

HEEDFUL_LONG=1 kills more often.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

from heedful.log.cursor import Cursor
from heedful.log.log import LogReader
from heedful.log.sqlite import SqliteLog
from heedful.vocabulary.errors import HeedfulError
from tests.faces.cli.command import heedful
from tests.faces.cli.serving import Serving, call, environment

LONG = bool(os.environ.get("HEEDFUL_LONG"))
KILLS = 40 if LONG else 2
IMPORT_KILLS = 20 if LONG else 2
LINES = 60_000 if LONG else 8_000


def ids_in(log: LogReader) -> list[str]:
    """The message id of every event, in order of position; not those of decisions."""
    found, cursor = [], Cursor()
    while batch := log.read(cursor, limit=5_000):
        found += [str(stored.record.id).partition(":")[2] for stored in batch]
        cursor = cursor.advanced(batch[-1].position)
    return found


class Sender(threading.Thread):
    """Posts batches until the server dies and remembers every id that was acknowledged."""

    def __init__(self, server: Serving, name: str) -> None:
        super().__init__()
        self._connection = server.connect()
        self._name = name
        self.acknowledged: set[str] = set()
        self.strange: list[object] = []

    def _event(self, turn: int, number: int) -> dict[str, object]:
        return {
            "type": "track",
            "event": "Product Viewed" if number else "Order Completed",
            "userId": f"p{turn % 50}",
            "messageId": f"{self._name}.{turn}.{number}",
            "properties": {"product_id": f"i{(turn * 7 + number) % 90}"},
        }

    def run(self) -> None:
        for turn in range(100_000):
            batch = [self._event(turn, number) for number in range(20)]
            try:
                status, answer = call(self._connection, "/v1/batch", {"batch": batch})
            except (OSError, http.client.HTTPException):
                return
            if status != 200 or {event["status"] for event in answer["events"]} != {"accepted"}:
                self.strange.append((status, answer))
            self.acknowledged |= {event["messageId"] for event in answer["events"]}


def test_a_killed_server_has_every_acknowledged_event(tmp_path: Path) -> None:
    random = Random(2)
    acknowledged: set[str] = set()
    for turn in range(KILLS):
        with Serving(tmp_path) as server:
            senders = [Sender(server, f"{turn}.{number}") for number in range(2)]
            for sender in senders:
                sender.start()
            deadline = time.monotonic() + 30
            while min(len(sender.acknowledged) for sender in senders) < 40 and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(random.uniform(0.0, 0.4))
            server.kill()
            for sender in senders:
                sender.join()
                assert not sender.strange
                assert sender.acknowledged
                acknowledged |= sender.acknowledged
        with SqliteLog.reader(tmp_path / "log.sqlite3") as log:
            found = ids_in(log)
        assert len(found) == len(set(found))
        assert acknowledged <= set(found)
    verified = heedful("verify", "--data", tmp_path, "--json")
    assert verified.code == 0, verified.err
    assert verified.json["events"] == len(found)


def write_history(file: Path) -> None:
    """Lines without message ids, exact repeats among them."""
    random = Random(3)
    with file.open("w") as out:
        for number in range(LINES):
            who, item = f"p{random.randrange(300)}", f"i{random.randrange(400)}"
            event: dict[str, object] = {
                "type": "track", "event": "Product Viewed", "userId": who, "properties": {"product_id": item},
                "timestamp": f"2011-{1 + number * 11 // LINES:02}-{1 + number % 28:02}T12:00:00Z",
            }  # fmt: skip
            if number % 9 == 0:
                event |= {"event": "Order Completed"}
                event["properties"] = {"products": [{"product_id": item}], "order_id": f"o{number // 2}"}
            out.write(json.dumps(event) + "\n")
            if number % 100 == 0:
                out.write(json.dumps(event) + "\n")


def kill_when(importing: subprocess.Popen[bytes], log_file: Path, stored: int) -> bool:
    """Kill the import once the log holds more than `stored`; False if it was done before."""
    while importing.poll() is None:
        try:
            with SqliteLog.reader(log_file) as log:
                if log.last() > stored:
                    importing.kill()
                    break
        except HeedfulError:
            pass  # not made yet
        time.sleep(0.005)
    return importing.wait() < 0


def test_an_import_that_was_killed_is_completed_without_counting_twice(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    write_history(file)
    lines = len(file.read_bytes().splitlines())
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    once = heedful("import", file, "--data", whole, "--json")
    assert once.code == 0, once.err
    assert once.json[str(file)]["accepted"] == lines
    killed.mkdir(mode=0o700)
    shutil.copy2(whole / "pseudonym.key", killed)  # so that digests can be compared
    random = Random(4)
    kills = 0
    for turn in range(IMPORT_KILLS):
        importing = subprocess.Popen(
            [sys.executable, "-m", "heedful", "import", str(file), "--data", str(killed)],
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        limit = (turn + 1) * lines // (IMPORT_KILLS + 2) + random.randrange(400)
        kills += kill_when(importing, killed / "log.sqlite3", limit)
    assert kills >= max(1, IMPORT_KILLS // 2)
    with SqliteLog.reader(killed / "log.sqlite3") as log:
        there = log.last()
    assert 0 < there < lines
    again = heedful("import", file, "--data", killed, "--json")
    assert again.code == 0, again.err
    counts = again.json[str(file)]
    assert (counts["accepted"], counts["duplicate"]) == (lines - there, there)
    first = heedful("verify", "--data", whole, "--json").json
    second = heedful("verify", "--data", killed, "--json").json
    assert first["agrees"]
    assert second["agrees"]
    assert second["live"] == first["live"]
    assert second["events"] == first["events"] == lines
