"""What goes out to other people's recommenders and what comes back, without any of them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.beside import Notebook, Played, lists_of
from benchmarks.peers.exchange import read_lists, read_task, write_lists, write_task


def noted() -> Notebook:
    notebook = Notebook()
    notebook.learn(3, 7, 10)
    notebook.learn(4, 8, 20)
    assert not len(notebook.answer(np.array([7, 8, 7], dtype=np.int32), 25, 21, 3))
    notebook.learn(3, 8, 30)
    notebook.answer(np.array([], dtype=np.int32), 35, 20, 4)
    return notebook


def test_a_task_reads_as_it_was_written(tmp_path: Path) -> None:
    task = noted().task()
    write_task(tmp_path / "task.npz", task)
    again = read_task(tmp_path / "task.npz")
    for name, values in task._asdict().items():
        np.testing.assert_array_equal(getattr(again, name), values)
        assert getattr(again, name).dtype == values.dtype


def test_a_task_says_what_was_known_when_a_question_came() -> None:
    task = noted().task()
    assert task.learned.tolist() == [2, 3]
    assert task.asked_at.tolist() == [25, 35]
    assert task.width.tolist() == [21, 20]
    assert [task.trail_of(question).tolist() for question in range(2)] == [[7, 8, 7], []]
    assert task.subject.tolist() == [3, 4, 3]


def test_lists_read_as_they_were_written_and_play_in_their_order(tmp_path: Path) -> None:
    lists = [np.array([5, 2, 9], dtype=np.int32), np.array([], dtype=np.int32), np.array([1], dtype=np.int32)]
    write_lists(tmp_path / "lists.npz", lists, 4, 1.5)
    again, fits, seconds = read_lists(tmp_path / "lists.npz")
    assert (fits, seconds) == (4, 1.5)
    played, nothing = Played(again), np.array([], dtype=np.int32)
    assert [played.answer(nothing, 0, 2).tolist() for _ in lists] == [[5, 2], [], [1]]


def test_peers_that_are_not_there_are_skipped_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("HEEDFUL_PEERS", str(tmp_path / "python"))
    assert lists_of(noted().task()) == {}
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "make peers" in said[0]


def test_what_a_peer_answered_is_kept_and_who_fails_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    (tmp_path / "peer.py").write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from benchmarks.peers.exchange import read_task, write_lists\n"
        "_, _, _, peer, given, out = sys.argv\n"
        "if peer == 'broken': sys.exit('no such peer')\n"
        "task = read_task(Path(given))\n"
        "with Path(__file__).with_suffix('.log').open('a') as log: log.write(peer)\n"
        "write_lists(Path(out), [np.array([7, 8])[: len(task.trail_of(n))] for n in range(len(task))], 1, 0.5)\n"
    )
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/peer.py" "{root}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("HEEDFUL_PEERS", str(python))
    task = noted().task()
    for _ in range(2):
        found = lists_of(task, ("one", "broken"))
        assert {name: [list(items) for items in lists] for name, lists in found.items()} == {
            "one": [[7, 8], []]
        }
    assert (tmp_path / "peer.log").read_text() == "one"
    assert capsys.readouterr().err.count("broken skipped: no such peer") == 2
    other = noted()
    other.answer(np.array([7], dtype=np.int32), 40, 20, 4)
    lists_of(other.task(), ("one",))
    assert (tmp_path / "peer.log").read_text() == "oneone"
