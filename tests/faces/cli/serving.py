"""`heedful serve` in a process of its own, and a client that keeps its connection."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[3]
WRITE, SECRET = "pk_a-write-key-for-the-tests-0001", "sk_a-secret-key-for-the-tests-0001"
_ADDRESS = re.compile(r"https?://127\.0\.0\.1:(\d+)")


def environment(*, keys: bool = True) -> dict[str, str]:
    given = {"HEEDFUL_WRITE_KEY": WRITE, "HEEDFUL_SECRET_KEY": SECRET} if keys else {}
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200", **given}


def command(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "heedful", *map(str, arguments)],
        env=environment(), capture_output=True, text=True, check=False, timeout=60, **options,
    )  # fmt: skip


class Serving:
    """A running server over `data`, from the moment it listens."""

    def __init__(self, data: Path, *, keys: bool = True) -> None:
        self._connections: list[http.client.HTTPConnection] = []
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "heedful", "serve", "--data", str(data), "--port", "0"],
            env=environment(keys=keys), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := _ADDRESS.search(line):
                self.port = int(found[1])
                return
        raise AssertionError(f"it never listened: {self.said} {self.process.communicate()[1]}")

    def connect(self) -> http.client.HTTPConnection:
        self._connections.append(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20))
        return self._connections[-1]

    def kill(self) -> None:
        """As a power cut for the process: nothing is finished."""
        self.process.kill()
        self.process.communicate()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Ask it to stop; its exit code and what it said on standard error."""
        self.process.send_signal(by)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()
        if self.process.poll() is None:
            self.kill()


def call(
    connection: http.client.HTTPConnection, path: str, body: object, key: str = WRITE
) -> tuple[int, Any]:
    """One POST; the status and the answer."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())
