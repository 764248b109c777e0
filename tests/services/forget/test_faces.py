"""Forgetting over HTTP and to a webhook, through the real application and a real receiver."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heedful.compose import Heedful
from heedful.records.signing import signer
from heedful.services.forget.proof import genuine
from heedful.vocabulary.erasure import ErasureReceipt, ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import HeedfulError, SettingsError
from heedful.vocabulary.settings import ForgettingSettings, Settings
from tests.faces.cli.command import heedful
from tests.faces.cli.serving import SECRET, Serving, call
from tests.faces.http.test_measuring import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    for number in range(4):
        event = {"userId": f"u{number}", "event": "Product Viewed", "properties": {"product_id": "tent"}}
        assert server.call("POST", "/v1/track", event)[0] == 200
    yield server
    server.engine.close()
    server.loop.close()


def test_the_receipt_comes_over_http_and_nobody_is_known_afterwards(server: Server) -> None:
    status, receipt = server.call("POST", "/v1/privacy/forget", {"userId": "u1"})
    assert (status, receipt["records"], receipt["suppression"]) == (200, 1, "forever")
    status, answer = server.call("POST", "/v1/recommend", {"userId": "u1", "limit": 2})
    assert (status, answer["personalized"]) == (200, False)
    event = {"userId": "u1", "event": "Product Viewed", "properties": {"product_id": "tent"}}
    status, told = server.call("POST", "/v1/track", event)
    assert (status, told["events"][0]["status"], told["events"][0]["code"]) == (200, "refused", "suppressed")
    status, one = server.call("GET", f"/v1/privacy/erasures/{receipt['subjectRequestId']}")
    assert (status, one["state"], one["receipt"]) == (200, "done", receipt)
    status, every = server.call("GET", "/v1/privacy/erasures")
    assert [each["id"] for each in every["erasures"]] == [receipt["subjectRequestId"]]
    assert server.call("GET", "/v1/privacy/erasures/er_none")[0] == 404
    assert server.call("POST", "/v1/privacy/forget", {})[0] == 400
    assert server.call("POST", "/v1/privacy/forget", {"userId": "u2"}, key=server.write)[0] == 403
    assert server.engine.verify().agrees


class Receiver(BaseHTTPRequestHandler):
    """Takes whatever comes."""

    taken: list[tuple[dict[str, Any], str]] = []  # noqa: RUF012 (of this test alone)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((json.loads(body), self.headers["Heedful-Signature"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_receiver_is_told_of_keyed_hashes_and_can_check_who_says_it(tmp_path: Path) -> None:
    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{receiver.server_port}/forgotten"
    settings = Settings(holdout=0.0, forgetting=ForgettingSettings(webhook=address))
    with Heedful(tmp_path, settings=settings) as h:
        h.track("Product Viewed", properties={"product_id": "tent"}, user_id="bo")
        outcome: list[ErasureStatus | HeedfulError] = []
        h.engine.forget(ForgetRequest(user_id="bo"), outcome.append)
        status = outcome[0]
        assert isinstance(status, ErasureStatus)
        assert status.webhook not in {"none", "pending"}
        receipt = status.receipt
    receiver.shutdown()
    receiver.server_close()
    ((said, signature),) = Receiver.taken
    ours = signer((tmp_path / "pseudonym.key").read_bytes(), "erasure receipts")
    algorithm, _, hexadecimal = signature.partition("=")
    assert algorithm == ours.algorithm
    assert ours.verifies(msgspec.json.encode(said), bytes.fromhex(hexadecimal))
    assert isinstance(receipt, ErasureReceipt)
    assert said["subjects"] == list(receipt.subjects)
    assert genuine(receipt, ours)
    assert "bo" not in json.dumps(said).split('"')


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "https://user:pw@example.com/", "https://example.com:22/",
        "https:///x", "https://example.com/#f", "http://0.0.0.0/", "http://169.254.169.254/latest",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_right_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError):
        Heedful(settings=Settings(forgetting=ForgettingSettings(webhook=url)))


def test_a_running_server_has_its_snapshots_made_beside_it(tmp_path: Path) -> None:
    data, lines = tmp_path / "data", tmp_path / "history.jsonl"
    event = {"type": "track", "event": "Product Viewed", "timestamp": "2011-12-01T12:00:00Z"}
    lines.write_text("\n".join(
        json.dumps({**event, "userId": f"p{n % 9}", "properties": {"product_id": f"i{n % 30}"}})
        for n in range(1_500)
    ))  # fmt: skip
    assert heedful("import", "--data", data, lines).code == 0
    assert heedful("snapshot", "--data", data).code == 0
    assert list((data / "snapshots").iterdir())
    with Serving(data) as server:
        connection = server.connect()
        status, said = call(connection, "/v1/privacy/forget", {"userId": "p3"}, key=SECRET)
        assert status in (200, 202)
        deadline = time.monotonic() + 60
        while status != 200 and time.monotonic() < deadline:
            time.sleep(0.2)
            headers = {"Authorization": f"Bearer {SECRET}"}
            connection.request("GET", f"/v1/privacy/erasures/{said['id']}", headers=headers)
            found = json.loads(connection.getresponse().read())
            status = 200 if found["state"] == "done" else 202
        assert status == 200, found
        server.stop()
    checked = heedful("verify", "--data", data, "--json")
    assert (checked.code, checked.json["agrees"]) == (0, True)
