"""Sealing over HTTP, as an operator has it: what lies on the disk, what happens without keys, and rotations."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from heedful.compose import Heedful, open_engine, snapshot_beside
from heedful.faces.http.app import build
from heedful.faces.http.serve import Server, ServeSettings
from heedful.records.keys import KeyKind, Keys
from heedful.services.engine import Engine
from heedful.vault import key_services
from heedful.vault.key_database import SqliteKeyStore
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import installation_secret
from heedful.vocabulary.errors import SettingsError
from tests.vault.services import Aws, Hands

LEASE = 0.4


class Served:
    """A server over a folder in a thread, spoken to over a socket."""

    def __init__(self, folder: Path) -> None:
        self.keys = Keys(folder / "keys.json")
        self.secret = self.keys.create(KeyKind.SECRET)
        self.write = self.keys.create(KeyKind.WRITE)
        self.folder = folder
        self.engine: Engine
        self._up = threading.Event()
        self._server: Server
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        assert self._up.wait(60)

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        self.engine = open_engine(self.folder, post=loop.call_soon_threadsafe)
        self.engine.later = loop.call_later
        self.engine.keys = self.keys
        try:
            self._server = Server(build(self.engine), self.keys, ServeSettings(port=0))
            await self._server.serve(lambda _: self._up.set())
        finally:
            self.engine.close()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.socket.getsockname()[1], timeout=20)
        with closing(connection):
            headers = {"Authorization": f"Bearer {self.secret}"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), json.loads(answer.read())

    def view(self, who: str, item: str, **more: Any) -> tuple[int, dict[str, str], Any]:
        return self.ask("POST", "/v1/track", viewed(who, item, **more))

    def recommend(self, who: str) -> tuple[int, dict[str, str], Any]:
        return self.ask("POST", "/v1/recommend", {"userId": who, "placement": "home", "limit": 5})

    def counters(self) -> dict[str, float]:
        return dict(self.engine.status().counters)

    def stop(self) -> None:
        self._server.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()


def viewed(who: str, item: str, **more: Any) -> dict[str, Any]:
    return {"event": "Product Viewed", "userId": who, "properties": {"product_id": item}, **more}


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    server = Served(folder)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Aws:
    """A key service with the key of `tmp_path`, and short leases."""
    service = Aws(Hands())
    monkeypatch.setattr(key_services, "_aws_client", lambda _: service)
    settings = f'holdout = 0.0\n[vault]\nmaster = "aws:{Aws.arn}"\nlease_minutes = {LEASE / 60}\n'
    (tmp_path / "settings.toml").write_text(settings)
    return service


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_the_key_service_nothing_is_written_and_it_comes_back_by_itself(
    service: Aws, tmp_path: Path
) -> None:
    with served(tmp_path) as server:
        for who in ("ann", "bob"):
            for item in ("tent", "stove", "lamp"):
                assert server.view(who, item)[0] == 200
        assert server.view("eve", "tent")[0] == 200
        status, _, told = server.recommend("eve")
        assert status == 200 and told["items"]
        until(lambda: server.engine._commits.idle)
        place, dropped = server.engine.place(), server.counters()["decisions_dropped_total"]

        service.enabled = False
        time.sleep(1.5 * LEASE)
        status, headers, problem = server.view("ann", "rope")
        assert (status, problem["code"]) == (503, "key_unavailable")
        assert int(headers["retry-after"]) >= 1
        status, _, without = server.recommend("eve")
        assert status == 200
        assert [item["itemId"] for item in without["items"]] == [item["itemId"] for item in told["items"]]
        until(lambda: server.counters()["decisions_dropped_total"] > dropped)
        status, _, problem = server.ask("GET", f"/v1/decisions/{told['decisionId']}")
        assert (status, problem["code"]) == (503, "key_unavailable")
        assert server.engine.place() == place

        service.enabled = True
        until(lambda: server.view("ann", "rope")[0] == 200)
        assert server.ask("GET", f"/v1/decisions/{told['decisionId']}")[0] == 200
        assert server.engine.place() == place + 1
        assert server.engine.verify().agrees


def test_a_start_without_the_key_service_is_refused_with_its_reason(service: Aws, tmp_path: Path) -> None:
    with Heedful(tmp_path) as shop:
        shop.track("Product Viewed", user_id="ann", properties={"product_id": "tent"})
    service.enabled = False
    with pytest.raises(Exception, match="DisabledException"):
        Heedful(tmp_path)
    service.enabled = True
    with Heedful(tmp_path) as shop:
        assert shop.engine.verify().agrees


def test_nothing_personal_stands_in_the_clear_in_the_data_folder(tmp_path: Path) -> None:
    def canary(name: str) -> str:
        return f"canary-{name}-7d1f"

    event = {
        "type": "track",
        "event": canary("event"),
        "userId": canary("user"),
        "anonymousId": canary("anonymous"),
        "messageId": "message-1",
        "properties": {
            "product_id": canary("item"), "order_id": canary("order"), "value": 4, canary("key"): canary("value"),
            "products": [{"product_id": canary("line"), "price": 3, "name": canary("title")}],
        },
        "traits": {"email": canary("mail"), "deep": {"er": [canary("deep")]}},
        "context": {"ip": canary("address"), "userAgent": canary("agent"), "page": {"url": canary("page")}},
    }  # fmt: skip
    batch = [event, {**event, "event": "Order Completed", "messageId": "message-2"}]
    batch += [
        {"type": "identify", "userId": canary("user"), "messageId": "m3", "traits": {"name": canary("name")}},
        {"type": "page", "userId": canary("user"), "messageId": "m4", "name": canary("pagename")},
        {"type": "group", "userId": canary("user"), "messageId": "m5", "groupId": canary("group")},
        {"type": "alias", "userId": canary("user"), "messageId": "m6", "previousId": canary("previous")},
    ]
    with served(tmp_path) as server:
        status, _, answer = server.ask("POST", "/v1/batch", {"batch": batch, "context": {"os": canary("os")}})
        assert status == 200
        assert [fate["status"] for fate in answer["events"]] == ["accepted"] * 6
        assert server.recommend(canary("user"))[0] == 200
        until(lambda: server.engine._commits.idle)
        assert snapshot_beside(tmp_path) is not None
        read = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert {"log.sqlite3", "log.sqlite3-wal", "vault.sqlite3", "master.1.key"} <= {p.name for p in read}
        assert any(path.name.startswith("fold-") for path in read)
        assert not [path.name for path, content in read.items() if b"canary" in content]
        # What may be found is found, so that looking means something.
        assert any(b"message-1" in content for content in read.values())
        assert server.engine.verify().agrees
        names = Pseudonyms(installation_secret(tmp_path / "pseudonym.key"))
        assert any(bytes(names.user(canary("user"))) in content for content in read.values())
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert not [path.name for path, content in after.items() if b"canary" in content]
    with Heedful(tmp_path) as shop:  # and all of it is there
        (found, *_) = shop.engine.stored()
        assert b"canary-deep-7d1f" in found.record.body and b"canary-os-7d1f" in found.record.body


def test_a_lost_key_store_is_said_and_nothing_takes_its_place(tmp_path: Path) -> None:
    with Heedful(tmp_path) as shop:
        shop.track("Product Viewed", user_id="ann", properties={"product_id": "tent"})
    (tmp_path / "vault.sqlite3").rename(tmp_path / "kept")
    with pytest.raises(SettingsError, match=r"vault\.sqlite3 is missing"):
        Heedful(tmp_path)
    assert not (tmp_path / "vault.sqlite3").exists()
    (tmp_path / "kept").rename(tmp_path / "vault.sqlite3")
    (tmp_path / "master.1.key").rename(tmp_path / "kept")
    with pytest.raises(SettingsError, match="master key"):
        Heedful(tmp_path)
    assert not (tmp_path / "master.1.key").exists()
    (tmp_path / "kept").rename(tmp_path / "master.1.key")
    with Heedful(tmp_path) as shop:
        assert shop.engine.place() == 1


def test_a_snapshot_begun_before_a_forgetting_does_not_outlive_it(tmp_path: Path) -> None:
    with Heedful(tmp_path) as shop:
        shop.track("Product Viewed", user_id="ann", properties={"product_id": "tent"})
        engine = shop.engine
        assert engine.snapshots is not None
        files = engine.vault.files
        before = files.epoch()
        first = engine.snapshot()
        assert first is not None
        from heedful.services import remember

        epoch = files.turn()
        last = remember.take(engine.fold, engine.snapshots)
        remember.destroy_before(0, engine.snapshots, epoch=epoch)
        assert remember.epoch_of(engine.snapshots.folder, last) == before + 1
        assert engine.snapshots.folder.names("fold-") == [last]
        with pytest.raises(Exception, match="destroyed"):
            remember.take(engine.fold, engine.snapshots, epoch=before)
        assert remember.load(engine.empty_fold(), engine.snapshots, end=engine.log.end()) == last


def test_destroying_a_key_leaves_the_others_and_says_when_it_is_wiped(tmp_path: Path) -> None:
    with Heedful(tmp_path) as shop:
        for who in ("ann", "bob"):
            shop.track("Product Viewed", user_id=who, properties={"product_id": "tent"})
        ann = Pseudonyms(installation_secret(tmp_path / "pseudonym.key")).user("ann")
        mine = [one for one in shop.engine.stored() if one.record.subject == ann]
        shop.engine.fold.retract(mine)
        shop.engine.log.purge([one.position for one in mine])
        other = SqliteKeyStore(tmp_path / "vault.sqlite3")  # as a backup that is being read
        reading = other._connection.execute("SELECT * FROM keys")
        next(reading)
        shop.engine.vault.store._connection.set_busy_timeout(1)  # type: ignore[attr-defined]  # do not wait for it
        (tomb,) = shop.engine.vault.destroy([ann])
        assert tomb.subject == ann
        assert not shop.engine.vault.wiped()
        reading.close()
        other.close()
        assert shop.engine.vault.wiped()
        assert shop.engine.verify().agrees
        answer = shop.track("Product Viewed", user_id="ann", properties={"product_id": "tent"})
        assert [(fate.status, fate.code) for fate in answer.events] == [("refused", "key_destroyed")]
    with Heedful(tmp_path) as shop:
        assert shop.engine.verify().agrees
        assert len(shop.engine.fold.subjects) == 1
