"""What sealing costs: `run()` gives (name, value, unit, goal). Bodies and ids are as long as collecting's."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from heedful.vault.cipher import Cipher, Entry
from heedful.vault.key_database import SqliteKeyStore
from heedful.vault.keys import Keys, Rotation
from heedful.vault.master import KeyFolder
from heedful.vault.sealed_files import SealedFiles
from heedful.vault.wrapping import WrappingKeys
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.time import SystemClock

Row = tuple[str, float, str, str]

BATCH = 1_000
BODY = 250
_ROUNDS = 7


def run(people: int = 20_000) -> list[Row]:
    """Measure over the SQLite store in a temporary folder. Times are the least of several rounds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        store = SqliteKeyStore(path / "vault.sqlite3")
        wrapping = WrappingKeys(store, KeyFolder(path).masters())
        clock = SystemClock()
        keys = Keys(store, wrapping, clock)
        cipher = Cipher(keys)
        rows = _first(cipher, people) + _warm(cipher) + _cold(cipher, keys, people) + _files(keys)
        rows += _destroying(keys) + _rotating(Rotation(store, wrapping, clock), people)
        store.close()
    return rows


def entries(subjects: list[SubjectId]) -> list[Entry]:
    dice = random.Random(1)
    return [
        (EventId(f"web:{i:016x}-0123-4567-89ab-cdef"), dice.choice(subjects), dice.randbytes(BODY))
        for i in range(BATCH)
    ]


def subjects(count: int) -> list[SubjectId]:
    return [SubjectId(i.to_bytes(16, "big")) for i in range(count)]


def _seconds(do: Callable[[], object], rounds: int = _ROUNDS) -> float:
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        do()
        took.append(time.perf_counter() - start)
    return min(took)


def _each(do: Callable[[], object]) -> float:
    """Microseconds for one of the `BATCH` events that `do` handles."""
    return _seconds(do) / BATCH * 1e6


def _first(cipher: Cipher, people: int) -> list[Row]:
    """Everybody's first event, in batches: makes the keys."""
    new = subjects(people)
    took = _seconds(
        lambda: [
            cipher.seal_many([(EventId("a"), subject, bytes(BODY)) for subject in new[first : first + BATCH]])
            for first in range(0, people, BATCH)
        ],
        1,
    )
    return [("seal a person's first event, key made and durable", took / people * 1e6, "µs", "")]


def _warm(cipher: Cipher) -> list[Row]:
    batch = entries(subjects(300))
    sealed = [
        (event, subject, body or b"")
        for (event, subject, _), body in zip(batch, cipher.seal_many(batch), strict=True)
    ]
    one, closed = batch[:1], sealed[:1]
    return [
        ("seal an event, in batches of 1,000", _each(lambda: cipher.seal_many(batch)), "µs", ""),
        ("open an event, in batches of 1,000", _each(lambda: cipher.open_many(sealed)), "µs", "≤ 3"),
        ("seal an event alone", _each(lambda: [cipher.seal_many(one) for _ in range(BATCH)]), "µs", ""),
        ("open an event alone", _each(lambda: [cipher.open_many(closed) for _ in range(BATCH)]), "µs", ""),
    ]


def _cold(cipher: Cipher, keys: Keys, people: int) -> list[Row]:
    """Opening as a fold from zero does where nobody is held: a key for ten events."""
    batch = entries(subjects(people)[:100])
    sealed = [
        (event, subject, body or b"")
        for (event, subject, _), body in zip(batch, cipher.seal_many(batch), strict=True)
    ]

    def cold() -> None:
        keys.forget()
        cipher.open_many(sealed)

    return [("open an event, each person's key for 10", _each(cold), "µs", "≤ 3")]


def _files(keys: Keys) -> list[Row]:
    files, content = SealedFiles(keys, SystemClock()), bytes(1 << 25)
    with tempfile.TemporaryFile() as file:
        for piece in files.seal([content], b"x"):
            file.write(piece)
        seal = _seconds(lambda: [len(piece) for piece in files.seal([content], b"x")], 3)
        into = bytearray(len(content))
        opening = _seconds(lambda: files.open(file, b"x").readinto(into), 3)
    return [
        ("seal a file", len(content) / seal / 1e6, "MB/s", ""),
        ("open a file", len(content) / opening / 1e6, "MB/s", ""),
    ]


def _destroying(keys: Keys) -> list[Row]:
    took = [_seconds(lambda one=one: keys.destroy([one]), 1) for one in subjects(40)]  # type: ignore[misc]  # a default
    return [("destroy a key, durable and overwritten, median", sorted(took)[20] * 1e3, "ms", "")]


def _rotating(rotation: Rotation, people: int) -> list[Row]:
    rotation.begin()
    took = _seconds(lambda: sum(rotation.run()), 1)
    return [("close a data key anew, in batches of 500", took / people * 1e6, "µs", "")]
