"""The HTTP face over an engine, called in this process."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from heedful.faces.http.app import build
from heedful.faces.http.dispatch import Dispatcher
from heedful.faces.http.door import Door
from heedful.records.keys import KeyKind, Keys
from tests.faces.http.asgi import Caller, Runs
from tests.faces.http.doors import door_in
from tests.faces.http.memory_engine import MemoryEngine


@dataclass(frozen=True)
class KeyPair:
    write: str
    secret: str


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys.json")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, KeyPair]:
    """A file of keys, made once: each key is synced to disk, and every test wants two."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    keys = Keys(path)
    return path, KeyPair(keys.create(KeyKind.WRITE, "web"), keys.create(KeyKind.SECRET, "shop"))


@pytest.fixture
def pair(tmp_path: Path, keys: Keys, made: tuple[Path, KeyPair]) -> KeyPair:
    """The two keys, in `keys`."""
    shutil.copy2(made[0], tmp_path / "keys.json")
    assert len(keys.list()) == 2
    return made[1]


@pytest.fixture
def engine(keys: Keys) -> MemoryEngine:
    return MemoryEngine(keys)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """Accounts beside `keys`."""
    made = door_in(tmp_path)
    yield made
    made.administer.close()


@pytest.fixture
def app(engine: MemoryEngine, door: Door) -> Dispatcher:
    door.administer.keys = engine.keys
    return build(engine, door=door)


@pytest.fixture
def runs() -> Iterator[Runs]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def ask(app: Dispatcher, runs: Runs) -> Caller:
    return Caller(app, runs)
