"""What a key may do, from where, and when it was last used."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from heedful.records.keys import KeyKind, Keys, Restrictions
from heedful.vocabulary.access import Scope
from heedful.vocabulary.errors import SettingsError
from heedful.vocabulary.time import HOUR, FixedClock, Instant

OLD = """{"version": 1, "keys": [
  {"id": "0123456789ab", "kind": "secret", "shown": "sk_…", "label": "shop", "created": "2026-01-01T00:00:00Z",
   "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}]}""".encode()
"""A file of the program before there were scopes; the key is `test`."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_secret_key_from_before_there_were_scopes_may_do_everything(path: Path) -> None:
    path.write_bytes(OLD)
    path.chmod(0o600)
    key = Keys(path).check("test")
    assert key is not None
    assert key.allowed == set(Scope)
    assert not key.restricted


def test_a_key_may_do_what_it_was_made_for_also_after_a_restart(path: Path) -> None:
    raw = Keys(path).create(
        KeyKind.SECRET,
        limits=Restrictions((Scope.ITEMS_WRITE, Scope.ITEMS_READ), ("https://shop.example",), 30),
    )
    key = Keys(path).check(raw)
    assert key is not None
    assert key.allowed == {Scope.ITEMS_READ, Scope.ITEMS_WRITE}
    assert (key.origins, key.per_minute) == (("https://shop.example",), 30)


def test_a_write_key_may_send_and_nothing_else(path: Path) -> None:
    keys = Keys(path)
    key = keys.check(keys.create(KeyKind.WRITE))
    assert key is not None
    assert key.allowed == {Scope.EVENTS_WRITE}


def test_an_older_program_refuses_a_file_with_restrictions_it_would_not_hold_to(path: Path) -> None:
    keys = Keys(path)
    keys.create(KeyKind.SECRET)
    assert msgspec.json.decode(path.read_bytes())["version"] == 1
    keys.create(KeyKind.SECRET, limits=Restrictions(scopes=(Scope.ITEMS_READ,)))
    assert msgspec.json.decode(path.read_bytes())["version"] == 2


def test_a_scope_of_a_newer_program_is_kept_and_allows_nothing_here(path: Path) -> None:
    newer = OLD.replace(b'"label"', b'"scopes": ["surveys:write", "items:read"], "label"')
    path.write_bytes(newer.replace(b'"version": 1', b'"version": 2'))
    path.chmod(0o600)
    keys = Keys(path)
    key = keys.check("test")
    assert key is not None
    assert key.allowed == {Scope.ITEMS_READ}
    keys.create(KeyKind.WRITE)
    assert b"surveys:write" in path.read_bytes()


@pytest.mark.parametrize(
    ("kind", "limits", "match"),
    [
        (KeyKind.WRITE, Restrictions(scopes=(Scope.EVENTS_WRITE,)), "public"),
        (KeyKind.SECRET, Restrictions(scopes=()), "nothing"),
        (KeyKind.SECRET, Restrictions(per_minute=-1), "number"),
        *(
            (KeyKind.WRITE, Restrictions(origins=(origin,)), "origin")
            for origin in ("*", "null", "", "shop.example", "https://shop.example/", "https://*.shop.example",
                           "HTTPS://shop.example", "https://shop.example:0", "https://a@b.example", "ftp://a.b")
        ),
    ],
)  # fmt: skip
def test_a_restriction_that_means_nothing_is_refused(
    path: Path, kind: KeyKind, limits: Restrictions, match: str
) -> None:
    with pytest.raises(SettingsError, match=match):
        Keys(path).create(kind, limits=limits)
    assert not path.exists()


def test_last_use_is_known_to_the_hour_and_written_once_an_hour(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heedful.records.shared_file.LOOK_AGAIN", 0.0)
    clock = FixedClock(Instant(100 * HOUR + 5))
    keys = Keys(path, clock)
    raw, idle = keys.create(KeyKind.SECRET), keys.create(KeyKind.SECRET)
    used, unused = keys.list()
    assert keys.last_used(used.id) == ""
    for _ in range(3):
        assert keys.check(raw) is not None
    assert keys.last_used(used.id) == "1970-01-05T04:00:00.000000Z"
    assert keys.last_used(unused.id) == ""
    beside = path.with_name("keys-used.json")
    written = beside.stat().st_mtime_ns
    assert keys.check(raw) is not None
    assert beside.stat().st_mtime_ns == written
    clock.at = Instant(103 * HOUR)
    for _ in range(3):
        assert keys.check(raw) is not None
    assert Keys(path, clock).last_used(used.id) == "1970-01-05T07:00:00.000000Z"
    assert idle
    assert raw not in beside.read_text()


def test_a_key_works_where_its_last_use_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heedful.records.shared_file.LOOK_AGAIN", 0.0)
    keys = Keys(path)
    raw = keys.create(KeyKind.SECRET)
    path.with_name("keys-used.json").mkdir()
    assert keys.check(raw) is not None
    assert keys.check(raw) is not None
