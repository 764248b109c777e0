"""The audit: what an entry holds, and that no later change to the chain goes unseen."""

from __future__ import annotations

import random
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.records.audit import CHAIN, FILE, Audit, audit_of, digest, plain
from heedful.records.ledger import Entry, Head, flaw_in
from heedful.records.signing import Signer, signer
from heedful.vocabulary.errors import RecordsUnavailable
from heedful.vocabulary.time import FixedClock, Instant

NOW = Instant(1_795_433_631_000_000)


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[Audit]:
    made = audit_of(tmp_path, FixedClock(NOW))
    yield made
    made.close()


@pytest.fixture
def ours() -> Signer:
    return signer(b"s" * 32, "audit")


def filled(audit: Audit, count: int) -> None:
    for number in range(count):
        audit.tell("person:ada", "key.revoke", f"key:{number}", before={"n": number}, after=None)


def test_an_entry_says_who_did_what_to_what_and_holds_digests_only(audit: Audit, tmp_path: Path) -> None:
    before, after = {"hash": "$argon2id$old"}, {"hash": "new secret"}
    audit.tell("person:ada", "person.password", "person:bob", before=before, after=after)
    (entry,) = audit.entries(limit=9)
    assert (entry.number, entry.at) == (1, "2026-11-23T11:33:51.000000Z")
    assert (entry.actor, entry.action, entry.object) == ("person:ada", "person.password", "person:bob")
    assert (entry.before, entry.after) == (digest(before), digest(after))
    assert entry == audit.last()
    audit.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"argon2id" not in kept
    assert b"secret" not in kept
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_file_is_made_with_the_first_entry_and_goes_on_after_a_restart(
    audit: Audit, tmp_path: Path
) -> None:
    assert not (tmp_path / FILE).exists()
    filled(audit, 2)
    audit.close()
    filled(audit, 1)
    assert [one.number for one in audit.entries(limit=9)] == [1, 2, 3]
    assert [one.number for one in audit.entries(after=1, limit=1)] == [2]
    assert audit.verify() is None


def test_an_act_that_cannot_be_kept_is_refused(audit: Audit, tmp_path: Path) -> None:
    filled(audit, 1)
    audit.close()
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    with pytest.raises(Exception, match=FILE):
        audit.tell("terminal", "key.create", "key:1")


def test_a_digest_does_not_depend_on_the_order_of_fields() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})
    assert digest(None) == ""


@given(st.text())
def test_a_name_cannot_begin_a_new_line(text: str) -> None:
    assert plain(text).isprintable()


def mutated(entries: list[Entry], draw: random.Random) -> list[Entry]:
    """The chain after one change of a byte, a field, or the order; or with an entry more or less."""
    entries, place = list(entries), draw.randrange(len(entries))
    one = entries[place]
    match draw.randrange(9):
        case 0:
            at = draw.randrange(len(one.body))
            body = one.body[:at] + bytes([one.body[at] ^ 1 << draw.randrange(8)]) + one.body[at + 1 :]
            entries[place] = msgspec.structs.replace(one, body=body)
        case 1 | 2 as which:
            name = ("hash", "prev")[which - 1]
            value = bytearray(getattr(one, name))
            value[draw.randrange(32)] ^= 1 << draw.randrange(8)
            entries[place] = msgspec.structs.replace(one, **{name: bytes(value)})
        case 3:
            del entries[place]
        case 4:
            entries.insert(draw.randrange(len(entries)), one)
        case 5:
            other = draw.choice([number for number in range(len(entries)) if number != place])
            entries[place], entries[other] = entries[other], one
        case 6:
            entries = entries[:place]
        case 7:
            entries[place] = msgspec.structs.replace(one, at=Instant(one.at + draw.choice((-1, 1))))
        case _:
            entries[place] = msgspec.structs.replace(one, key=draw.randbytes(16).hex())
    return entries


def test_ten_thousand_changes_are_all_found(audit: Audit, ours: Signer) -> None:
    filled(audit, 40)
    chain, head = [*audit.ledger.entries(CHAIN)], audit.head(ours)
    assert flaw_in(CHAIN, chain, [head], ours) is None
    draw = random.Random(7)
    missed = 0
    for _ in range(10_000):
        missed += flaw_in(CHAIN, mutated(chain, draw), [head], ours) is None
    assert missed == 0


def test_a_chain_that_was_written_anew_shows_against_a_head_kept_elsewhere(
    audit: Audit, ours: Signer, tmp_path: Path
) -> None:
    filled(audit, 5)
    head = audit.head(ours)
    audit.close()
    (tmp_path / FILE).unlink()
    filled(audit, 5)  # a chain that is whole, but another one
    assert audit.verify() is None
    flaw = audit.verify([head], ours)
    assert flaw is not None
    assert flaw.code == "head_differs"


def test_a_head_that_somebody_else_signed_proves_nothing(audit: Audit, ours: Signer) -> None:
    filled(audit, 2)
    theirs = audit.head(signer(b"t" * 32, "audit"))
    forged: Head = msgspec.structs.replace(theirs, key_id=ours.key_id, algorithm=ours.algorithm)
    for head in (theirs, forged):
        flaw = audit.verify([head], ours)
        assert flaw is not None
        assert flaw.code == "head_forged"


def test_what_somebody_wrote_into_the_file_is_shown_as_unreadable_and_found(
    audit: Audit, tmp_path: Path
) -> None:
    filled(audit, 3)
    audit.close()
    file = sqlite3.connect(tmp_path / FILE)
    with file:
        file.execute("UPDATE ledger SET body = x'00' WHERE number = 2")
    file.close()
    assert [one.action for one in audit.entries(limit=9)] == ["key.revoke", "unreadable", "key.revoke"]
    flaw = audit.verify()
    assert flaw is not None
    assert (flaw.number, flaw.code) == (2, "changed")


def test_a_ledger_that_another_process_holds_refuses_and_keeps_nothing(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heedful.records.sqlite._BUSY_SECONDS", 0.05)
    filled(audit, 1)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsUnavailable):
        filled(audit, 1)
    other.execute("ROLLBACK")
    other.close()
    assert len(audit.entries(limit=9)) == 1
