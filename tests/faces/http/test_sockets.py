"""The same over real sockets: limits of time and room, stopping, and what must be refused before starting."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heedful.faces.http import connections
from heedful.faces.http.app import build
from heedful.faces.http.serve import Server, ServeSettings, check, loopback
from heedful.records.keys import KeyKind, Keys
from heedful.vocabulary.errors import SettingsError
from tests.faces.http.conftest import KeyPair
from tests.faces.http.memory_engine import MemoryEngine

BODY = json.dumps({"userId": "u-1", "event": "Product Viewed", "messageId": "m-1"})


@contextmanager
def running(engine: MemoryEngine, settings: ServeSettings | None = None) -> Iterator[Server]:
    server = Server(build(engine), engine.keys, settings or ServeSettings(port=0))
    up = threading.Event()
    thread = threading.Thread(target=server.run, args=(lambda _: up.set(),))
    thread.start()
    try:
        assert up.wait(10)
        yield server
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def server(engine: MemoryEngine) -> Iterator[Server]:
    with running(engine) as server:
        yield server


def port(server: Server) -> int:
    found: int = server.socket.getsockname()[1]
    return found


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port(server)), timeout=20)


def everything(peer: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    got = b""
    try:
        while piece := peer.recv(65_536):
            got += piece
    except ConnectionResetError:
        pass
    return got


def test_one_connection_serves_many_requests(server: Server, pair: KeyPair) -> None:
    peer = http.client.HTTPConnection("127.0.0.1", port(server), timeout=20)
    headers = {"Authorization": f"Bearer {pair.secret}"}
    for method, path, status in [
        ("POST", "/v1/track", 200),
        ("POST", "/v1/recommend", 400),
        ("GET", "/v1/nothing", 404),
        ("GET", "/health/live", 200),
        ("HEAD", "/health/live", 200),
        ("GET", "/docs", 200),
        ("POST", "/v1/track", 200),
    ]:
        peer.request(method, path, body=BODY if method == "POST" else None, headers=headers)
        answer = peer.getresponse()
        body = answer.read()
        assert answer.status == status
        assert answer.getheader("server") is None
        assert bool(body) is (method != "HEAD")
    peer.close()


def test_requests_sent_at_once_are_answered_in_order(server: Server, pair: KeyPair) -> None:
    request = (
        f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {pair.write}\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
    )
    last = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with connect(server) as peer:
        peer.sendall((request * 3 + last).encode())
        got = everything(peer)
    assert got.count(b"HTTP/1.1 200 OK") == 4
    assert got.index(b'"accepted"') < got.index(b'"duplicate"') < got.index(b'{"live":true}')


def test_a_body_beyond_the_limit_ends_the_connection(
    server: Server, engine: MemoryEngine, pair: KeyPair
) -> None:
    with connect(server) as peer:
        peer.sendall(
            f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {pair.write}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(2_000):
                peer.sendall(piece)
    assert engine.calls == []


@pytest.mark.parametrize(
    "head",
    [
        "POST /v1/t HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n{}{}",
        "POST /v1/track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\n{}{}",
        "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\x00c\r\n\r\n",
        "GET /%00\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        "NONSENSE\r\n\r\n",
    ],
)
def test_a_head_that_two_parsers_could_read_differently_is_refused(server: Server, head: str) -> None:
    with connect(server) as peer:
        peer.sendall(head.encode("latin-1"))
        peer.shutdown(socket.SHUT_WR)
        got = everything(peer)
    assert got.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404"))
    assert got.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("pieces", [1, 9])
def test_a_large_head_is_refused(server: Server, pieces: int) -> None:
    fields = "".join(f"X-{place}: {'y' * 200}\r\n" for place in range(90))
    head = f"GET /health/live HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode()
    with connect(server) as peer:
        step = len(head) // pieces + 1
        try:
            for place in range(0, len(head), step):
                peer.sendall(head[place : place + step])
                time.sleep(0.01)
        except (BrokenPipeError, ConnectionResetError):
            pass
        got = everything(peer)
    assert got.startswith(b"HTTP/1.1 431") or got == b""  # a reset may overtake the answer
    assert b"200 OK" not in got


def test_one_endless_field_does_not_fill_the_memory(server: Server) -> None:
    with connect(server) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(2_000):
                peer.sendall(b"y" * 65_536)


def test_a_large_body_is_not_taken_for_a_large_head(server: Server, pair: KeyPair) -> None:
    peer = http.client.HTTPConnection("127.0.0.1", port(server), timeout=20)
    body = json.dumps({**json.loads(BODY), "properties": {"text": "x" * 200_000}})
    for _ in range(2):
        peer.request("POST", "/v1/track", body=body, headers={"Authorization": f"Bearer {pair.write}"})
        assert peer.getresponse().read().startswith(b'{"success":true')
    peer.close()


@pytest.mark.parametrize(
    "start", [b"", b"GET / HT", b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"]
)
def test_a_caller_who_takes_too_long_is_let_go(
    engine: MemoryEngine, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.2)
    with running(engine) as server, connect(server) as peer:
        peer.sendall(start)
        assert b"200 OK" not in everything(peer)


def test_an_answer_under_way_is_finished_before_the_server_stops(engine: MemoryEngine, pair: KeyPair) -> None:
    engine.holding = []
    with running(engine) as server, connect(server) as peer:
        peer.sendall(
            f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {pair.write}\r\n"
            f"Content-Length: {len(BODY)}\r\n\r\n{BODY}".encode()
        )
        while not engine.holding:
            time.sleep(0.01)
        server.stop()
        time.sleep(0.2)
        finish = engine.holding.pop()
        _in_loop_of(server, finish)
        got = everything(peer)
    assert got.startswith(b"HTTP/1.1 200 OK")
    with pytest.raises(ConnectionRefusedError):
        connect_again(server)


def _in_loop_of(server: Server, call: object) -> None:
    assert callable(call)
    connection = next(iter(server._uvicorn.server_state.connections))
    connection.loop.call_soon_threadsafe(call)


def connect_again(server: Server) -> None:
    port_text = server.address.rpartition(":")[2]
    socket.create_connection(("127.0.0.1", int(port_text)), timeout=5).close()


_PROGRAM = """
import sys, pathlib
from heedful.faces.http import logs
from heedful.faces.http.app import build
from heedful.faces.http.serve import Server, ServeSettings
from heedful.records.keys import Keys
from tests.faces.http.memory_engine import MemoryEngine
logs.configure()
engine = MemoryEngine(Keys(pathlib.Path(sys.argv[1])))
Server(build(engine), engine.keys, ServeSettings(port=0)).run(lambda address: print(address, flush=True))
print("closed the log", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_and_lets_the_program_finish(tmp_path: Path, number: int) -> None:
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    program = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "keys.json")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert program.stdout is not None
    assert program.stdout.readline().startswith("http://127.0.0.1:")
    program.send_signal(number)
    said, logged = program.communicate(timeout=30)
    assert said == "closed the log\n"
    assert program.returncode == 0
    assert [json.loads(line)["event"] for line in logged.splitlines()] == ["listening", "stopped"]


def test_the_server_speaks_tls_with_a_certificate(engine: MemoryEngine, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("making a certificate needs the openssl program")
    certificate, private = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", private, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    settings = ServeSettings(port=0, certificate=certificate, private_key=private)
    with running(engine, settings) as server:
        assert server.address.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(certificate))
        peer = http.client.HTTPSConnection("localhost", port(server), timeout=20, context=trusting)
        peer.request("GET", "/health/live")
        assert peer.getresponse().read() == b'{"live":true}'
        peer.close()


def test_a_port_that_is_taken_is_said_at_once(server: Server, keys: Keys, engine: MemoryEngine) -> None:
    with pytest.raises(SettingsError, match="cannot listen"):
        Server(build(engine), keys, ServeSettings(port=port(server)))


def test_only_this_machine_gets_in_without_keys(keys: Keys, engine: MemoryEngine) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "shop.example", ""):
        with pytest.raises(SettingsError, match="keys create"):
            check(ServeSettings(host=host), keys)
    check(ServeSettings(), keys)
    raw = keys.create(KeyKind.SECRET)
    check(ServeSettings(host="0.0.0.0"), keys)
    key = keys.check(raw)
    assert key is not None
    keys.revoke(key.id)
    with pytest.raises(SettingsError):
        check(ServeSettings(host="0.0.0.0"), keys)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_these_addresses_are_this_machine(host: str) -> None:
    assert loopback(host)


def test_half_a_certificate_is_refused(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "certificate.pem"
    with pytest.raises(SettingsError, match="both"):
        check(ServeSettings(certificate=file), keys)
    with pytest.raises(SettingsError, match="no file"):
        check(ServeSettings(certificate=file, private_key=file), keys)
