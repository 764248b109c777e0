"""The secret of a data folder: made once, never replaced, never shared."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from heedful.vault.secret import SIZE, installation_secret
from heedful.vocabulary.errors import SettingsError


def test_the_first_start_makes_it_and_the_next_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    first = installation_secret(path)
    assert len(first) == SIZE
    assert installation_secret(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["secret"]


def test_two_folders_have_two_secrets(tmp_path: Path) -> None:
    assert installation_secret(tmp_path / "a") != installation_secret(tmp_path / "b")


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        installation_secret(tmp_path / "secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_starts_at_the_same_time_agree_on_one(tmp_path: Path) -> None:
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(installation_secret(tmp_path / "secret")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_one_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    installation_secret(path)
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        installation_secret(path)


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_one_of_another_size_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="32 bytes"):
        installation_secret(path)
    assert path.read_bytes() == content


def test_a_missing_one_is_not_made_where_data_depends_on_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="backup"):
        installation_secret(tmp_path / "secret", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_or_a_pipe_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("folder", "pipe"):
        with pytest.raises(SettingsError):
            installation_secret(tmp_path / name)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="file"):
        installation_secret(tmp_path / "file" / "secret")
