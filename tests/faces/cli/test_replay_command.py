"""`heedful replay` on a data folder, on files and on a data set: tables, JSON, a plot, and what it refuses."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality import data_folder
from tests.faces.cli.command import heedful


@pytest.fixture
def data(history: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    assert heedful("import", history, "--data", folder, "--json").code == 0
    return folder


def test_a_folders_log_is_replayed_in_two_tables(data: Path) -> None:
    said = heedful("replay", "--data", data, "--systems", "default,markov", "--warm-up", "0.2")
    assert said.code == 0, said.err
    assert "40 events, prequential" in said.out
    assert "Repeats allowed" in said.out
    assert "Repeats removed" in said.out
    assert "Difference to default, paired" in said.out


def test_a_replay_changes_nothing_in_the_folder(data: Path) -> None:
    before = heedful("verify", "--data", data, "--json").json
    assert heedful("replay", "--data", data).code == 0
    assert heedful("verify", "--data", data, "--json").json == before


def test_a_file_of_events_gives_the_figures_of_its_import(data: Path, history: Path) -> None:
    tables = []
    for source in (("--data", data), ("--events", history)):
        found = heedful("replay", *source, "--systems", "popular,default", "--json").json
        assert (found["events"], found["protocol"], found["reference"]) == (40, "prequential", "popular")
        tables.append(found["tables"])
    assert tables[0] == tables[1]
    assert tables[0][0]["questions"] == 30


def test_the_same_command_says_the_same(data: Path) -> None:
    command = ("replay", "--data", data, "--sample", "9", "--seed", "3", "--json")
    assert heedful(*command).out == heedful(*command).out


@pytest.mark.parametrize("ending", [".png", ".svg"])
@pytest.mark.parametrize("protocol", ["prequential", "last-item"])
def test_a_plot_is_drawn(ending: str, protocol: str, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / f"replay{ending}"
    said = heedful("replay", "--data", data, "--protocol", protocol, "--update", "instant,daily"
                   if protocol == "prequential" else "instant", "--plot", file)  # fmt: skip
    assert said.code == 0, said.err
    assert file.read_bytes()[:5] == {".png": b"\x89PNG\r", ".svg": b"<?xml"}[ending]


def test_without_matplotlib_a_plot_is_refused_before_anything_is_replayed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    said = heedful("replay", "--data", data, "--plot", tmp_path / "a.png")
    assert (said.code, said.out) == (2, "")
    assert "heedful[plot]" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say one of --data, --events and --dataset"),
        (("--dataset", "netflix"), "no data set 'netflix'"),
        (("--dataset", "otto", "--systems", "magic"), "no system 'magic'"),
        (("--dataset", "otto", "--update", "weekly"), "--update: 'weekly'"),
        (("--dataset", "otto", "--repeats", ""), "--repeats needs"),
        (("--dataset", "otto", "--plot", "a.pdf"), "--plot draws .png or .svg"),
        (("--dataset", "otto", "--at", "101"), "--at"),
        (("--dataset", "otto", "--protocol", "guessing"), "--protocol"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_two(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    (tmp_path / "train.jsonl").write_text('{"session":0,"events":[{"aid":5,"ts":1,"type":"clicks"}]}\n' * 2)
    said = heedful("replay", "--folder", tmp_path, *arguments)
    assert said.code == 2
    assert words in said.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dataset", "yoochoose"), "yoochoose-clicks.dat"),
        (("--data", "nowhere"), "there is no folder nowhere"),
    ],
)
def test_what_is_not_there_is_refused_with_one(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    said = heedful("replay", "--folder", tmp_path, *arguments)
    assert said.code == 1
    assert words in said.err.replace("\n", "")


def test_a_damaged_file_is_said_to_be_so(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl.gz"
    file.write_bytes(b"\x1f\x8b\x08\x00 no more")
    said = heedful("replay", "--events", file)
    assert said.code == 1
    assert "damaged" in said.err


@pytest.mark.skipif(
    not data_folder().is_dir(), reason="the data sets are not there: set HEEDFUL_DATA to the data folder"
)
def test_a_data_folder_in_the_environment_does_not_stand_in_a_data_sets_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEEDFUL_DATA_DIR", str(tmp_path))
    folder = data_folder().parent
    found = heedful("replay", "--dataset", "otto", "--folder", folder, "--systems", "popular", "--json")
    assert found.code == 0, found.err
    assert found.json["source"] == "otto"
