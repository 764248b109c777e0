"""The ledger finds every way of changing it, keeps what was acknowledged, and says which entry is bad."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heedful.records.ledger import (
    BEGINNING,
    Draft,
    Entry,
    Flaw,
    Head,
    Ledger,
    canonical,
    flaw_in,
    follow,
    sign_head,
    sqlite_ledger,
)
from heedful.records.signing import Ed25519Signer, HmacSigner, Signer, signer
from heedful.vocabulary.errors import Conflict, Corrupt, RecordsUnavailable, SettingsError
from heedful.vocabulary.time import Instant

SECRET = bytes(range(32))
NOW = Instant(1_000)


def draft(number: int, **body: Any) -> Draft:
    return Draft(f"web:{number}", Instant(number), {"state": "given", "number": number, **body})


def chain_of(count: int, name: str = "consent", **body: Any) -> list[Entry]:
    entries: list[Entry] = []
    for number in range(1, count + 1):
        entries.append(follow(entries[-1] if entries else None, name, draft(number, **body)))
    return entries


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = sqlite_ledger(tmp_path / "ledger.sqlite3")
    yield made
    made.close()


@pytest.fixture(params=[HmacSigner, Ed25519Signer])
def ours(request: pytest.FixtureRequest) -> Signer:
    made: Signer = request.param(SECRET)
    return made


# Mutations


def flip(entries: list[Entry], dice: random.Random) -> int:
    """One bit of one field of one entry."""
    place = dice.randrange(len(entries))
    field = dice.choice(("number", "at", "key", "body", "prev", "hash", "chain"))
    value = getattr(entries[place], field)
    if isinstance(value, int):
        value ^= 1 << dice.randrange(40)
    else:
        raw = bytearray(value.encode() if isinstance(value, str) else value)
        raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(7)
        value = raw.decode() if isinstance(value, str) else bytes(raw)
    entries[place] = msgspec.structs.replace(entries[place], **{field: value})
    return place + 1


def delete(entries: list[Entry], dice: random.Random) -> int:
    place = dice.randrange(len(entries))
    del entries[place]
    return place + 1


def insert(entries: list[Entry], dice: random.Random) -> int:
    """A copy of one, or a new one that follows rightly on what is before it (at the end that is no mutation)."""
    place = dice.randrange(1, len(entries) + 1)
    last = entries[place - 1]
    copies = last, entries[0]
    right = (follow(last, last.chain, draft(9_999)),) if place < len(entries) else ()
    entries.insert(place, dice.choice((*copies, *right)))
    return place + 1


def swap(entries: list[Entry], dice: random.Random) -> int:
    one, other = sorted(dice.sample(range(len(entries)), 2))
    entries[one], entries[other] = entries[other], entries[one]
    return one + 1


def truncate(entries: list[Entry], dice: random.Random) -> int:
    place = dice.randrange(len(entries))
    del entries[place:]
    return place + 1


def fork(entries: list[Entry], dice: random.Random) -> int:
    """Another history from some entry on, with hashes that fit, shorter, as long or longer."""
    place = dice.randrange(len(entries))
    count = len(entries) - place + dice.randrange(-2, 3)
    del entries[place:]
    for number in range(max(1, count)):
        last = entries[-1] if entries else None
        entries.append(follow(last, "consent", draft(place + number + 1, state="refused")))
    return place + 1


MUTATIONS: tuple[Callable[[list[Entry], random.Random], int], ...] = (
    flip,
    delete,
    insert,
    swap,
    truncate,
    fork,
)


def test_ten_thousand_mutations_are_all_found_and_named() -> None:
    dice, ours = random.Random(27560), HmacSigner(SECRET)
    chains = {count: chain_of(count) for count in (2, 3, 5, 12)}
    heads = {
        count: [sign_head("consent", one, NOW, ours) for one in (entries[count // 2 - 1], entries[-1])]
        for count, entries in chains.items()
    }
    for count, entries in chains.items():
        assert flaw_in("consent", entries, heads[count], ours) is None
    found: dict[str, int] = {}
    for turn in range(10_000):
        count = dice.choice((2, 3, 5, 12))
        mutated = list(chains[count])
        mutate = MUTATIONS[turn % len(MUTATIONS)]
        first = mutate(mutated, dice)
        flaw = flaw_in("consent", mutated, heads[count], ours)
        assert flaw is not None, (mutate.__name__, count, first)
        if mutate is fork:  # a fork that is found by a head is named where the head stands
            assert first <= flaw.number <= count, (flaw, first)
        elif mutate is insert:
            assert flaw.number in (first, first + 1)
        else:
            assert flaw.number == first, (mutate.__name__, flaw, first)
        found[flaw.code] = found.get(flaw.code, 0) + 1
    assert found.keys() == {"foreign", "number", "unlinked", "changed", "head_differs", "cut_off"}


def test_without_a_head_only_the_end_can_be_lost_unseen() -> None:
    dice = random.Random(3)
    for mutate in (flip, swap):
        for _ in range(500):
            mutated = chain_of(4)
            mutate(mutated, dice)
            assert flaw_in("consent", mutated) is not None
    assert flaw_in("consent", chain_of(4)[:2]) is None


def test_a_head_that_somebody_wrote_or_changed_is_no_head(ours: Signer) -> None:
    entries = chain_of(3)
    head = sign_head("consent", entries[-1], NOW, ours)
    assert flaw_in("consent", entries, [head], ours) is None
    other = signer(bytes(32), "consent")
    wrong: list[Head] = [
        sign_head("consent", entries[-1], NOW, other),
        *(
            msgspec.structs.replace(head, **{name: value})
            for name, value in [
                ("number", 2), ("hash", "00" * 32), ("at", NOW + 1), ("signature", ""), ("signature", "zz"),
                ("algorithm", "none"), ("key_id", ""), ("signature", "00" * 64),
            ]
        ),
    ]  # fmt: skip
    for one in wrong:
        flaw = flaw_in("consent", entries, [one], ours)
        assert flaw is not None
        assert flaw.code == "head_forged", one
    foreign = flaw_in("audit", [], [head], ours)
    assert foreign is not None
    assert foreign.code == "head_foreign"


def test_the_head_of_an_empty_chain_holds_for_whatever_follows(ours: Signer) -> None:
    empty = sign_head("consent", None, NOW, ours)
    assert (empty.number, empty.hash) == (0, BEGINNING.hex())
    assert flaw_in("consent", [], [empty], ours) is None
    assert flaw_in("consent", chain_of(2), [empty], ours) is None


# On disk


def test_entries_are_read_back_as_they_were_sealed(ledger: Ledger, ours: Signer) -> None:
    made = ledger.append("consent", [draft(1), draft(2)])
    made += ledger.append("consent", [draft(3)])
    other = ledger.append("audit", [draft(1)])
    assert made == chain_of(3)
    assert [*ledger.entries("consent")] == made
    assert [*ledger.entries("consent", after=2)] == made[2:]
    assert [*ledger.entries("audit")] == other == chain_of(1, "audit")
    assert (ledger.count("consent"), ledger.count("none")) == (3, 0)
    head = ledger.head("consent", NOW, ours)
    assert (head.number, head.hash) == (3, made[-1].hash.hex())
    assert ledger.verify("consent", [head], ours) is None


def test_many_entries_are_read_in_pages(ledger: Ledger) -> None:
    drafts = [draft(number) for number in range(1, 2_501)]
    ledger.append("consent", drafts)
    assert [one.number for one in ledger.entries("consent")] == [*range(1, 2_501)]
    assert ledger.verify("consent") is None


def test_adding_a_key_again_changes_nothing_and_another_body_is_refused(ledger: Ledger) -> None:
    (first,) = ledger.append("consent", [draft(1)])
    assert ledger.append("consent", [draft(1), draft(2), draft(2)])[0] == first
    assert ledger.count("consent") == 2
    with pytest.raises(Conflict, match="web:1"):
        ledger.append("consent", [draft(3), Draft("web:1", Instant(1), {"state": "refused"})])
    assert ledger.count("consent") == 2, "nothing of what was refused stays"
    assert ledger.get("consent", "web:1") == first
    assert ledger.get("consent", "web:9") is None


@pytest.mark.parametrize(
    ("statement", "number", "code"),
    [
        ("UPDATE ledger SET body = '{}' WHERE number = 2", 2, "changed"),
        ("UPDATE ledger SET at = at + 1 WHERE number = 3", 3, "changed"),
        ("DELETE FROM ledger WHERE number = 1", 1, "number"),
        ("DELETE FROM ledger WHERE number = 4", 4, "cut_off"),
        ("DELETE FROM ledger", 1, "cut_off"),
        ("UPDATE ledger SET prev = zeroblob(32) WHERE number = 4", 4, "unlinked"),
        ("UPDATE ledger SET key = 'web:x' WHERE number = 2", 2, "changed"),
    ],
)
def test_who_writes_into_the_file_is_found(
    tmp_path: Path, ours: Signer, statement: str, number: int, code: str
) -> None:
    path = tmp_path / "ledger.sqlite3"
    ledger = sqlite_ledger(path)
    ledger.append("consent", [draft(n) for n in range(1, 5)])
    head = ledger.head("consent", NOW, ours)
    ledger.close()
    with sqlite3.connect(path) as file:
        file.execute(statement)
    file.close()
    again = sqlite_ledger(path)
    flaw = again.verify("consent", [head], ours)
    again.close()
    assert isinstance(flaw, Flaw)
    assert (flaw.number, flaw.code) == (number, code)


def test_whatever_is_done_to_the_rows_of_a_file_is_found(tmp_path: Path, ours: Signer) -> None:
    ledger = sqlite_ledger(tmp_path / "ledger.sqlite3")
    heads = {}
    for chain in ("audit", "consent"):
        ledger.append(chain, [draft(number) for number in range(1, 13)])
        heads[chain] = ledger.head(chain, NOW, ours)
    ledger.close()
    file = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    file.row_factory = sqlite3.Row
    dice, missed = random.Random(ours.algorithm), []
    for turn in range(5_000):  # with each of two signers
        chain = dice.choice(("audit", "consent"))
        one, other = dice.sample(range(1, 13), 2)
        column = dice.choice(("chain", "at", "key", "body", "prev", "hash"))
        here, there = f"chain = '{chain}' AND number = {one}", f"chain = '{chain}' AND number = {other}"
        statements = dice.choice((
            (f"UPDATE ledger SET {column} = x'{dice.randbytes(32).hex()}' WHERE {here}",),
            (f"UPDATE ledger SET at = at + {dice.choice((-1, 1, 1 << 40))} WHERE {here}",),
            (f"UPDATE ledger SET body = replace(CAST(body AS TEXT), 'granted', 'refused') || ' ' WHERE {here}",),
            (f"DELETE FROM ledger WHERE {here}",),
            (f"DELETE FROM ledger WHERE chain = '{chain}' AND number >= {one}",),
            (f"UPDATE ledger SET number = {100 + one} WHERE {here}",),
            (f"UPDATE ledger SET body = (SELECT body || 'x' FROM ledger WHERE {there}) WHERE {here}",),
            (f"UPDATE ledger SET number = -1 WHERE {here}", f"UPDATE ledger SET number = {one} WHERE {there}",
             f"UPDATE ledger SET number = {other} WHERE chain = '{chain}' AND number = -1"),
            ("INSERT INTO ledger SELECT chain, 13, at, 'new', body, hash, prev FROM ledger "
             f"WHERE chain = '{chain}' AND number = 12", f"DELETE FROM ledger WHERE {here}"),
        ))  # fmt: skip
        file.execute("BEGIN")
        for statement in statements:
            file.execute(statement)
        query = "SELECT * FROM ledger WHERE chain = ? AND number > 0 ORDER BY number"
        rows = [Entry(**dict(row)) for row in file.execute(query, (chain,))]
        file.execute("ROLLBACK")
        if flaw_in(chain, rows, [heads[chain]], ours) is None:
            missed.append((turn, statements))
    file.close()
    assert not missed


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from heedful.records.ledger import Draft, sqlite_ledger\n"
        "made = sqlite_ledger(Path(sys.argv[1])).append('consent', [Draft('a', 7, {'x': 1})])\n"
        "print(made[0].hash.hex(), flush=True)\n"
        "os._exit(9)\n"
    )
    path = tmp_path / "ledger.sqlite3"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        check=False, timeout=60, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 9, done.stderr
    ledger = sqlite_ledger(path)
    (entry,) = ledger.entries("consent")
    ledger.close()
    assert entry.hash.hex() == done.stdout.strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_processes_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    program = (
        "import sys; from pathlib import Path; from heedful.records.ledger import Draft, sqlite_ledger\n"
        "ledger = sqlite_ledger(Path(sys.argv[1]))\n"
        "for n in range(40): ledger.append('consent', [Draft(f'{sys.argv[2]}:{n}', n, {'n': n})])\n"
    )
    sqlite_ledger(path).close()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(path), name], env=env) for name in ("a", "b")
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    ledger = sqlite_ledger(path)
    assert ledger.count("consent") == 80
    assert ledger.verify("consent") is None
    ledger.close()


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database at all" * 100)
    with pytest.raises(Corrupt):
        sqlite_ledger(tmp_path / "ledger.sqlite3")
    with pytest.raises(SettingsError):
        sqlite_ledger(tmp_path / "nowhere" / "ledger.sqlite3")


def test_a_ledger_that_another_holds_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.records.sqlite._BUSY_SECONDS", 0.05)
    ledger = sqlite_ledger(tmp_path / "ledger.sqlite3")
    other = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsUnavailable, match="the ledger"):
        ledger.append("consent", [draft(1)])
    other.execute("ROLLBACK")
    other.close()
    assert len(ledger.append("consent", [draft(1)])) == 1
    ledger.close()


# What is hashed and signed


def test_json_is_written_in_one_way() -> None:
    assert canonical({"b": 1, "a": [True, None, "ü"]}) == canonical({"a": (True, None, "ü"), "b": 1})
    assert canonical({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()
    for value in (0.1, {"a": [1.0]}, {"a": {"b": float("nan")}}):
        with pytest.raises(TypeError):
            canonical(value)


def test_fields_cannot_borrow_bytes_from_each_other() -> None:
    one = Entry("ab", 1, NOW, "c", b"", BEGINNING, b"")
    other = Entry("a", 1, NOW, "bc", b"", BEGINNING, b"")
    assert one.sealed() != other.sealed()


def test_the_hash_of_an_entry_never_changes() -> None:
    entry = follow(None, "consent", Draft("web:1", Instant(5), {"a": 1}))
    assert entry.hash.hex() == GOLDEN


GOLDEN = "ae9fedfc3cc49f6a2e9faf63dfce16b76f043c1b0cd783ace3387380b9681c17"


def test_keys_for_different_uses_differ_and_short_secrets_are_refused() -> None:
    one, other = signer(SECRET, "consent"), signer(SECRET, "audit")
    assert one.key_id != other.key_id
    assert one.verifies(b"m", one.sign(b"m"))
    assert not other.verifies(b"m", one.sign(b"m"))
    assert signer(SECRET, "consent").sign(b"m") == one.sign(b"m")
    for kind in (HmacSigner, Ed25519Signer):
        with pytest.raises(ValueError, match="32"):
            kind(b"short")


def test_anybody_with_the_public_key_can_check_a_head() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    made = Ed25519Signer(SECRET)
    head = sign_head("consent", chain_of(1)[0], NOW, made)
    Ed25519PublicKey.from_public_bytes(made.public).verify(bytes.fromhex(head.signature), head.message())
