"""A choice becomes a record that proves it, in the ledger, and a receipt that nobody can change unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from heedful.privacy.purposes import Purposes
from heedful.privacy.receipts import CHAIN, is_genuine, receipt_of, record_of, shortened
from heedful.records.ledger import Draft, sqlite_ledger
from heedful.records.signing import Ed25519Signer, HmacSigner
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.consent import (
    ALL,
    ConsentChange,
    ConsentRecord,
    Controller,
    Notice,
    Purpose,
    Receipt,
    Rule,
)
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.time import DAY, Instant

SUBJECT = Pseudonyms(bytes(32)).user("ada@example.org")
NEWS = Purpose(
    rules={"*": Rule("opt_in")}, dpv="dpv:Marketing", data_categories=("contact",), retention_days=365,
    notice=Notice(id="n", version=3, hash="ab" * 32, language="de"), recipients=("post office",),
)  # fmt: skip
PURPOSES = Purposes({"news": NEWS})
AT = Instant(1_795_428_000_000_000)


def record(*changes: ConsentChange, **more: Any) -> ConsentRecord:
    return record_of(EventId("web:m-1"), SUBJECT, changes, PURPOSES, **{"jurisdiction": "DE", **more})


def test_a_record_says_who_what_when_how_and_which_text() -> None:
    made = record(
        ConsentChange("news", "given", AT, AT, Instant(AT + DAY), 3, True, True),
        method="accept", origin="banner", served_notice_id="s-1",
        controller=Controller(name="Shop", contact="a@b.c"),
        signals={"gpc": False}, anonymized_ip=shortened("203.0.113.77"),
    )  # fmt: skip
    assert made.subject == SUBJECT.hex()
    assert "ada" not in msgspec.json.encode(made).decode()
    assert made.notice == NEWS.notice
    (purpose,) = made.purposes
    assert (purpose.purpose_id, purpose.dpv, purpose.legal_basis, purpose.jurisdiction, purpose.storage) == (
        "news", "dpv:Marketing", "consent", "eea", "365 days",
    )  # fmt: skip
    assert purpose.recipients == ("post office",)
    (event,) = made.events
    assert (event.state, event.type, event.expressed_by, event.method) == (
        "given",
        "explicit",
        "guardian",
        "accept",
    )
    assert (event.time[:4], event.duration > event.time) == ("2026", True)
    assert (made.origin, made.served_notice_id, made.user_geography) == ("banner", "s-1", "eea")
    assert made.anonymized_ip == "203.0.113.0"


def test_a_record_has_the_fields_of_the_standard() -> None:
    assert set(ConsentRecord.__struct_fields__) == {
        "schema_version", "record_id", "subject", "tenant", "notice", "purposes", "controller", "events", "origin",
        "served_notice_id", "user_geography", "signals", "conflicts_with_gpc", "anonymized_ip", "ua",
        "prev_record_hash",
    }  # fmt: skip


def test_a_choice_about_everything_names_every_purpose() -> None:
    made = record(ConsentChange(ALL, "refused", AT, AT))
    assert [one.purpose_id for one in made.purposes] == sorted(PURPOSES)
    assert [one.purpose_id for one in made.events] == [ALL]


def test_an_older_notice_is_named_without_the_hash_of_the_newer() -> None:
    assert record(ConsentChange("news", "given", AT, AT, notice=2)).notice == Notice(
        id="n", version=2, language="de"
    )
    assert record(ConsentChange("news", "given", AT, AT, notice=3)).notice == NEWS.notice


@pytest.mark.parametrize(
    ("purpose", "state", "gpc", "conflict"),
    [
        ("sharing", "given", True, True), ("sharing", "given", False, False), ("sharing", "refused", True, False),
        ("news", "given", True, False), (ALL, "given", True, True),
    ],
)  # fmt: skip
def test_a_yes_to_what_global_privacy_control_forbids_is_kept_as_a_conflict(
    purpose: str, state: Any, gpc: bool, conflict: bool
) -> None:
    assert record(ConsentChange(purpose, state, AT, AT), signals={"gpc": gpc}).conflicts_with_gpc is conflict


def test_a_record_without_a_choice_is_none() -> None:
    with pytest.raises(ValueError, match="at least one"):
        record()


def test_the_ledger_keeps_records_and_gives_them_back_whole(tmp_path: Path) -> None:
    made = record(ConsentChange("news", "given", AT, AT), signals={"gpc": True, "gpp": "DBAA"})
    ledger = sqlite_ledger(tmp_path / "ledger.sqlite3")
    (entry,) = ledger.append(CHAIN, [Draft(made.record_id, AT, made)])
    assert msgspec.json.decode(entry.body, type=ConsentRecord) == made
    assert ledger.verify(CHAIN) is None
    ledger.close()


@pytest.mark.parametrize("kind", [HmacSigner, Ed25519Signer])
def test_a_receipt_is_genuine_until_anything_in_it_changes(kind: Any) -> None:
    ours, other = kind(bytes(range(32))), kind(bytes(32))
    made = record(ConsentChange("news", "given", AT, AT))
    receipt = receipt_of(made, AT, ours)
    assert receipt == receipt_of(made, AT, ours)
    assert (receipt.record_id, receipt.record) == (made.record_id, made)
    assert is_genuine(receipt, ours)
    assert is_genuine(msgspec.json.decode(msgspec.json.encode(receipt), type=Receipt), ours)
    assert not is_genuine(receipt, other)
    later = receipt_of(record(ConsentChange("news", "refused", AT, AT)), AT, ours)
    for name in Receipt.__struct_fields__:
        if name == "record":
            changed = msgspec.structs.replace(receipt, record=later.record)
        else:
            changed = msgspec.structs.replace(receipt, **{name: f"{getattr(receipt, name)}0"})
        assert not is_genuine(changed, ours), name


@pytest.mark.parametrize(
    ("address", "cut"),
    [
        ("203.0.113.77", "203.0.113.0"), ("2001:db8:1:2::3", "2001:db8:1::"), ("", ""), ("localhost", ""),
        ("203.0.113.77/8", ""), ("::ffff:203.0.113.77", "203.0.113.0"),
    ],
)  # fmt: skip
def test_addresses_are_cut_before_they_are_kept(address: str, cut: str) -> None:
    assert shortened(address) == cut
