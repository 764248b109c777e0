"""The OpenFeature SDKs with their OFREP providers, as they are published, against a server process.

`make openfeature` fetches them; without it, or without node, this is skipped.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faces.cli.serving import ROOT, SECRET, WRITE, Serving, call, environment

PLACE = ROOT / ".openfeature"
SCRIPTS = Path(__file__).parent / "openfeature"
PYTHON = PLACE / "python" / "bin" / "python"
NODE = shutil.which("node")

JAVASCRIPT = pytest.mark.skipif(
    NODE is None or not (PLACE / "node_modules").is_dir(),
    reason="needs node and the OpenFeature SDKs: `make openfeature` fetches them",
)
PYTHONIC = pytest.mark.skipif(
    not PYTHON.is_file(), reason="needs OpenFeature's provider for Python: `make openfeature` fetches it"
)

FLAGS: dict[str, dict[str, Any]] = {
    "plain": {"default": "on"},
    "off": {"enabled": False},
    "size": {"type": "number", "variations": {"s": 1, "l": 2.5}, "default": "l"},
    "layout": {"type": "object", "variations": {"wide": {"columns": 4}}, "default": "wide"},
    "greeting": {
        "type": "string", "variations": {"hi": "Hello", "gruss": "Moin"}, "default": "hi",
        "rules": [{"id": "north", "condition": {"country": "DE"}, "serve": "gruss"}],
    },
    "button": {
        "type": "string", "variations": {"grey": "#888", "blue": "#00f"}, "default": "grey",
        "rules": [{"experiment": "colours", "arms": {"control": "grey", "blue": "blue"}}],
    },
}  # fmt: skip
COLOURS = {
    "on": {"kind": "flag", "name": "button"},
    "arms": [{"key": "control"}, {"key": "blue"}],
    "metrics": ["converted"],
}


class Shop:
    """A server with flags and an experiment that runs."""

    def __init__(self, server: Serving) -> None:
        self.address = f"http://127.0.0.1:{server.port}"
        self._connection = server.connect()
        self._server = server
        self.put("/v1/experiments/colours", COLOURS)
        for key, flag in FLAGS.items():
            self.put(f"/v1/flags/{key}", flag)
        status, answer = call(server.connect(), "/v1/experiments/colours/start", {}, SECRET)
        assert status == 200, answer

    def put(self, path: str, body: object) -> None:
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
        self._connection.request("PUT", path, json.dumps(body), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text

    def units(self, least: int = 0) -> int:
        """How many the experiment counts, once they are `least`: exposures are not waited for by who asks."""
        until = time.monotonic() + 20
        while (found := self._units()) < least and time.monotonic() < until:
            time.sleep(0.05)
        return found

    def _units(self) -> int:
        self._connection.request(
            "GET",
            "/v1/experiments/colours/results",
            headers={"X-API-Key": SECRET, "Connection": "keep-alive"},
        )
        answer = self._connection.getresponse()
        told = json.loads(answer.read())
        assert answer.status == 200, told
        return sum(arm["units"] or 0 for arm in told["arms"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    data = tmp_path_factory.mktemp("shop")
    (data / "settings.toml").write_text("holdout = 0.0\n[metrics]\nsmallest_group = 2\n")
    with Serving(data) as server:
        yield Shop(server)
        listening = listened(server)
        code, complaints = server.stop()
        assert code == 0
        assert "graceful" not in complaints, "a stream that is open must not hold up the stop"
        with pytest.raises(http.client.IncompleteRead):
            listening.read()  # it was cut off, which a page takes as a reason to come back


def listened(server: Serving) -> http.client.HTTPResponse:
    """A stream that is open and has begun to speak."""
    status, flags = call(server.connect(), "/ofrep/v1/evaluate/flags", {}, WRITE)
    assert status == 200, flags
    connection = server.connect()
    connection.request("GET", flags["eventStreams"][0]["endpoint"]["requestUri"])
    answer = connection.getresponse()
    assert answer.status == 200
    while answer.readline().strip():
        pass
    return answer


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The scripts where node finds the packages."""
    place = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, place)
    (place / "node_modules").symlink_to(PLACE / "node_modules")
    return place


def outcome(*arguments: object) -> Any:
    done = subprocess.run(
        list(map(str, arguments)), env=environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def expected_of_a_server(said: Any, units: int) -> None:
    """What both server SDKs make of the same flags."""

    def short(name: str) -> tuple[Any, ...]:
        one = said[name]
        return one["value"], one["variant"], one["reason"], one.get("errorCode")

    assert short("plain") == (True, "on", "STATIC", None)
    assert short("text") == ("Moin", "gruss", "TARGETING_MATCH", None)
    assert short("abroad") == ("Hello", "hi", "UNKNOWN", None)
    assert short("number") == (2.5, "l", "STATIC", None)
    assert short("object") == ({"columns": 4}, "wide", "STATIC", None)
    assert said["text"]["metadata"] == {"rule": "north"}
    assert said["off"]["value"] is True
    assert (said["missing"]["value"], said["missing"].get("errorCode")) == (True, "FLAG_NOT_FOUND")
    assert (said["wrong"]["value"], said["wrong"].get("errorCode")) == ("mine", "TYPE_MISMATCH")
    assert (said["nobody"]["value"], said["nobody"].get("errorCode")) == ("mine", "TARGETING_KEY_MISSING")
    assert set(said["arms"].values()) == {"grey", "blue"}
    assert units == len(said["arms"]) == 40


@JAVASCRIPT
def test_the_server_sdk_for_javascript(shop: Shop, scripts: Path) -> None:
    before = shop.units()
    said = outcome(NODE, scripts / "server.mjs", shop.address, SECRET)
    expected_of_a_server(said, shop.units(before + 40) - before)
    assert said["bearer"]["value"] is True
    assert (said["stranger"]["value"], said["stranger"]["errorCode"]) == (True, "GENERAL")


@PYTHONIC
def test_the_sdk_for_python(shop: Shop) -> None:
    before = shop.units()
    said = outcome(PYTHON, SCRIPTS / "provider.py", shop.address, SECRET)
    expected_of_a_server(said, shop.units(before + 40) - before)
    assert (said["off"]["reason"], said["off"]["errorCode"]) == ("DISABLED", None)


@JAVASCRIPT
def test_the_web_sdk_hears_of_a_change_and_is_not_kept_on_old_flags(shop: Shop, scripts: Path) -> None:
    assert NODE is not None
    knows = subprocess.run([NODE, "--experimental-eventsource", "-e", ""], capture_output=True, check=False)
    if knows.returncode:
        pytest.skip("needs node 20.18 or newer, which has an EventSource as browsers do")
    before = shop.units()
    page = subprocess.Popen(
        [NODE, "--experimental-eventsource", "--no-warnings", scripts / "web.mjs", shop.address, WRITE],
        env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        _walk_through(page, shop)
        assert page.wait(timeout=30) == 0
    finally:
        page.kill()
        page.communicate()
    assert shop.units() == before, "all flags at once are not used yet"


def _walk_through(page: subprocess.Popen[str], shop: Shop) -> None:
    assert page.stdin is not None
    assert page.stdout is not None

    def said() -> Any:
        assert page.stdout is not None
        line = page.stdout.readline()
        assert line, page.communicate()[1]
        return json.loads(line)

    def on() -> None:
        assert page.stdin is not None
        page.stdin.write("\n")
        page.stdin.flush()

    first = said()
    assert (first["plain"]["value"], first["plain"]["reason"]) == (True, "STATIC")
    assert first["greeting"]["value"] == "Moin"
    assert (first["size"]["value"], first["layout"]["value"]) == (2.5, {"columns": 4})
    assert first["off"]["value"] is True
    assert first["button"]["variant"] in ("grey", "blue")
    assert first["missing"]["errorCode"] == "FLAG_NOT_FOUND"
    assert [one["status"] for one in first["asked"]] == [200]
    on()
    abroad = said()
    assert abroad["greeting"]["value"] == "Hello"
    assert [(one["status"], one["tag"] is None) for one in abroad["asked"]] == [(200, False)]
    on()
    assert said() == {"listening": True}
    shop.put("/v1/flags/plain", {"default": "off"})
    assert said() == {"changed": ["plain"]}
    after = said()
    assert after["plain"]["value"] is False
    (asked,) = after["asked"]
    assert asked["status"] == 200
    assert asked["query"].startswith("?flagConfigEtag=")
