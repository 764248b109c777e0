"""One real Kafka broker from Kafka's own jars, on free ports of 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

JARS = Path(os.environ.get("HEEDFUL_KAFKA_JARS") or Path(__file__).parents[2] / ".kafka")
CLUSTER = "heedfulHeedfulHeedfulg"  # 22 digits of base 64, as Kafka wants them


def missing() -> str | None:
    """Why there can be no broker here, or None."""
    if shutil.which("java") is None:
        return "there is no java"
    if not list(JARS.glob("kafka_*.jar")):
        return f"there are no Kafka jars in {JARS.name}: `make kafka` fetches them"
    return None


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A broker that keeps its data in `folder`; gives its address."""
    if (why := missing()) is not None:
        pytest.skip(why)
    port, controller = _free_port(), _free_port()
    settings = folder / "server.properties"
    settings.write_text(
        "\n".join(
            [
                "process.roles=broker,controller",
                "node.id=1",
                f"controller.quorum.voters=1@127.0.0.1:{controller}",
                f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
                f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}",
                "controller.listener.names=CONTROLLER",
                "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
                f"log.dirs={folder / 'kafka'}",
                "offsets.topic.replication.factor=1",
                "auto.create.topics.enable=false",
                "log.flush.interval.messages=1",  # one broker: nobody else has what it has not synced
            ]
        )
    )
    java = ["java", "-Xmx256m", "-cp", f"{JARS}/*"]
    formatting = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(settings)]
    subprocess.run(formatting, check=True, capture_output=True)
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen([*java, "kafka.Kafka", str(settings)], stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "broker.log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"the broker ended: {log.read_text()[-2_000:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the broker did not listen within a minute")
