"""Run as a program: kills a writer again and again and looks whether anything acknowledged is gone.

`python -m tests.log.killing FOLDER KILLS SEED` forks a writer, kills it at a random moment with signal 9,
opens the log and compares it with the journal, in which the writer had noted, synced, each acknowledged id.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import NoReturn

from heedful.log.claims import Claims
from heedful.log.commit import GroupCommit
from heedful.log.cursor import Cursor
from heedful.log.sqlite import SqliteLog
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.errors import LogUnavailable
from tests.contracts.log_contract import read_all, record


def open_log(path: Path) -> SqliteLog:
    log = SqliteLog(path, Pseudonyms(bytes(32)), Claims(), checkpoint_pages=20)
    log.recover(Cursor())
    return log


def write_until_killed(path: Path, journal: int, turn: int) -> NoReturn:
    """Append batches, and note in the journal what was acknowledged."""
    log, random = open_log(path), Random(turn)
    commit = GroupCommit(log, stored=lambda _: None)
    number = 0
    while True:
        batch = [record(f"{turn}.{number + i}", body=bytes(300)) for i in range(random.choice([1, 3, 40]))]
        number += len(batch)

        def note(answer: object, names: str = " ".join(sent.id for sent in batch)) -> None:
            if isinstance(answer, LogUnavailable):
                os._exit(3)
            os.write(journal, f"{names}\n".encode())
            os.fsync(journal)

        commit.submit(batch, note)


def until_grown(journal: Path) -> None:
    """Wait until something more is acknowledged."""
    size, deadline = journal.stat().st_size, time.monotonic() + 60
    while journal.stat().st_size == size and time.monotonic() < deadline:
        time.sleep(0.001)


def main(folder: Path, kills: int, seed: int) -> None:
    random, path = Random(seed), folder / "log.db"
    open_log(path).close()
    journal = os.open(folder / "journal", os.O_CREAT | os.O_APPEND | os.O_RDWR)
    for turn in range(kills):
        child = os.fork()
        if child == 0:
            write_until_killed(path, journal, turn)
        if turn % 2:  # in the midst of writing; otherwise also while the log is being opened
            until_grown(folder / "journal")
        time.sleep(random.uniform(0.0, 0.05))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"seed {seed}, turn {turn}: the writer ended by itself ({status})"
        acknowledged = set((folder / "journal").read_text().split())
        with open_log(path) as log:
            found = [stored.record.id for stored in read_all(log)]
        assert len(found) == len(set(found)), f"seed {seed}, turn {turn}: stored twice"
        assert acknowledged <= set(found), f"seed {seed}, turn {turn}: lost {acknowledged - set(found)}"
    print(len(acknowledged))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
