"""Keys: what they are kept as, who may use them, and which are refused."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.faces.http.serve import ServeSettings, check
from heedful.records.keys import KeyKind, Keys
from heedful.records.strength import weakness
from heedful.vocabulary.errors import Corrupt, NotFound, SettingsError

STRONG = "w7Kq2ZxP9mRt4VbN8sLd"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_new_key_has_192_random_bits_and_is_found_again_after_a_restart(path: Path) -> None:
    raw = Keys(path).create(KeyKind.SECRET, "shop server")
    assert raw.startswith("sk_")
    assert len(raw) == 36
    assert raw[3:].isalnum()
    key = Keys(path).check(raw)
    assert key is not None
    assert (key.kind, key.label, key.source) == (KeyKind.SECRET, "shop server", "shop server")
    assert key.shown == f"sk_…{raw[-4:]}"


def test_a_write_key_says_so_in_its_prefix(path: Path) -> None:
    keys = Keys(path)
    raw = keys.create(KeyKind.WRITE)
    found = keys.check(raw)
    assert raw.startswith("pk_")
    assert found is not None
    assert found.label == "write"


def test_the_file_holds_the_hash_and_never_the_key(path: Path) -> None:
    raw = Keys(path).create(KeyKind.WRITE)
    content = path.read_text()
    assert raw not in content
    assert raw[3:-4] not in content
    assert hashlib.sha256(raw.encode()).hexdigest() in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_mode_does_not_depend_on_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        Keys(path).create(KeyKind.WRITE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.fixture(scope="module")
def one_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Keys, str]:
    keys = Keys(tmp_path_factory.mktemp("keys") / "keys.json")
    return keys, keys.create(KeyKind.SECRET)


@given(presented=st.text(max_size=300))
def test_nothing_but_the_key_is_taken(one_key: tuple[Keys, str], presented: str) -> None:
    keys, raw = one_key
    assert (keys.check(presented) is not None) == (presented == raw)


@pytest.mark.parametrize(
    "change", [lambda k: k[:-1], lambda k: k + "x", lambda k: k.swapcase(), lambda k: " " + k]
)
def test_a_near_miss_is_a_miss(path: Path, change: object) -> None:
    keys = Keys(path)
    raw = keys.create(KeyKind.SECRET)
    assert callable(change)
    assert keys.check(change(raw)) is None


def test_a_revoked_key_works_no_more_and_stays_in_the_list(path: Path) -> None:
    keys = Keys(path)
    raw = keys.create(KeyKind.SECRET)
    key = keys.check(raw)
    assert key is not None
    revoked = keys.revoke(key.id)
    assert revoked.revoked
    assert keys.check(raw) is None
    assert Keys(path).check(raw) is None
    assert [each.id for each in keys.list()] == [key.id]
    assert keys.revoke(key.id) == revoked, "revoking twice keeps the first time"


def test_revoking_an_unknown_key_says_so(path: Path) -> None:
    with pytest.raises(NotFound):
        Keys(path).revoke("000000000000")


def test_a_running_server_learns_that_another_process_revoked_a_key(path: Path) -> None:
    server, terminal = Keys(path), Keys(path)
    raw = terminal.create(KeyKind.SECRET)
    server.list()  # what `check` does by itself once a second
    key = server.check(raw)
    assert key is not None
    terminal.revoke(key.id)
    server.list()
    assert server.check(raw) is None


def test_processes_that_make_keys_at_the_same_time_lose_none(path: Path) -> None:
    raws: list[str] = []

    def make() -> None:
        keys = Keys(path)
        raws.extend(keys.create(KeyKind.WRITE) for _ in range(5))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = Keys(path)
    assert len(keys.list()) == 20
    assert all(keys.check(raw) for raw in raws)


def test_a_key_from_outside_is_adopted_once(path: Path) -> None:
    keys = Keys(path)
    first = keys.adopt(KeyKind.WRITE, STRONG)
    assert keys.adopt(KeyKind.WRITE, STRONG) == first
    assert len(keys.list()) == 1
    assert keys.check(STRONG) == first
    assert first.shown == f"…{STRONG[-4:]}"


def test_one_key_cannot_be_public_and_secret(path: Path) -> None:
    keys = Keys(path)
    keys.adopt(KeyKind.WRITE, STRONG)
    with pytest.raises(SettingsError, match="must differ"):
        keys.adopt(KeyKind.SECRET, STRONG)


def test_a_revoked_key_is_not_adopted_again(path: Path) -> None:
    keys = Keys(path)
    keys.revoke(keys.adopt(KeyKind.SECRET, STRONG).id)
    with pytest.raises(SettingsError, match="revoked"):
        keys.adopt(KeyKind.SECRET, STRONG)


@pytest.mark.parametrize(
    "weak",
    [
        "", "short", "changeme", "Password1", "secret-key", "write_key_12", "w7Kq2ZxP9mRt4VbN:sLd",
        "w7Kq2ZxP9mRt 4VbN8sLd", "w7Kq2ZxP9mRt4VbN8sLé", "x" * 201,
    ],
)  # fmt: skip
def test_an_impossible_key_is_refused_without_being_repeated(path: Path, weak: str) -> None:
    keys = Keys(path)
    with pytest.raises(SettingsError) as refused:
        keys.adopt(KeyKind.SECRET, weak)
    assert len(weak) < 6 or weak not in str(refused.value)
    assert keys.list() == ()


@pytest.mark.parametrize(
    "weak",
    [
        "w7Kq2ZxP9mRt4Vb", "changemechangeme", "CHANGE-ME-please-now", "aaaaaaaaaaaaaaaaaaaa",
        "passwordpassword1", "0123456789abcdef", "abcdefghijklmnopqrst", "your_write_key_goes_here",
        "1234567812345678", "zyxwvutsrqponmlk", "wk_test_1",
    ],
)  # fmt: skip
def test_a_guessable_key_works_on_this_machine_only(path: Path, weak: str) -> None:
    keys = Keys(path)
    assert keys.adopt(KeyKind.SECRET, weak).guessable
    assert keys.check(weak) is not None
    check(ServeSettings(host="127.0.0.1"), keys)
    with pytest.raises(SettingsError, match="easy to guess"):
        check(ServeSettings(host="0.0.0.0"), keys)


def test_no_key_that_we_make_is_weak(path: Path) -> None:
    keys = Keys(path)
    assert all(weakness(keys.create(KeyKind.SECRET)) is None for _ in range(20))


def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    Keys(path).create(KeyKind.WRITE)
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        Keys(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"version":9,"keys":[]}',
     b'{"version":1,"keys":[{"id":"a","kind":"write","hash":"zz","shown":"","label":"x","created":""}]}'],
)  # fmt: skip
def test_a_file_that_is_not_ours_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Corrupt):
        Keys(path)
    assert path.read_bytes() == content


def test_a_running_server_keeps_its_keys_while_the_file_cannot_be_read(path: Path) -> None:
    keys = Keys(path)
    raw = keys.create(KeyKind.SECRET)
    path.write_bytes(b"{")
    keys.list()
    assert keys.check(raw) is not None


@pytest.mark.parametrize("label", ["a:b", "x" * 41, "line\nbreak", " lead"])
def test_a_label_is_short_and_plain(path: Path, label: str) -> None:
    with pytest.raises(SettingsError, match="label"):
        Keys(path).create(KeyKind.WRITE, label)
