"""Each choice becomes an entry of the ledger, also after a crash between the log and the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from heedful.compose import Heedful, open_engine
from heedful.privacy.receipts import CHAIN, is_genuine
from heedful.records.ledger import sqlite_ledger
from heedful.services.allowed import Allowed
from heedful.vocabulary.consent import LEARNING, PrivacySettings
from heedful.vocabulary.errors import RecordsUnavailable
from heedful.vocabulary.settings import Settings

SETTINGS = Settings(holdout=0.0, privacy=PrivacySettings(jurisdiction="DE"))


def opened(where: Path) -> Heedful:
    return Heedful(where, settings=SETTINGS)


def entries(where: Path) -> list[str]:
    ledger = sqlite_ledger(where / "ledger.sqlite3")
    try:
        assert ledger.verify(CHAIN) is None
        return [entry.key for entry in ledger.entries(CHAIN)]
    finally:
        ledger.close()


def test_choices_are_proven_and_receipts_are_genuine(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        made.consent({"learning": True}, user_id="ada", message_id="one", notice_version=3)
        made.consent({"learning": "withdrawn"}, user_id="ada", message_id="two")
        made.track("Product Viewed", properties={"product_id": "tent"}, user_id="ada")
        told = made.consent_of("ada")
        assert [(one.purpose, one.state) for one in told.choices] == [
            ("learning", "given"),
            ("learning", "withdrawn"),
        ]
        assert told.purposes["learning"].why == "withdrawn"
        assert told.purposes["surveys"].allowed
        assert [receipt.record_id for receipt in told.receipts] == ["client:one", "client:two"]
        signer = made.engine.proof.signer
        assert signer is not None
        assert all(is_genuine(receipt, signer) for receipt in told.receipts)
        first = told.receipts[0].record
        assert first.subject == made.engine.recommending._pseudonyms.user("ada").hex()
        assert first.purposes[0].legal_basis == "consent"
        assert made.consent_of("bo").receipts == []
    assert entries(tmp_path) == ["client:one", "client:two"]


def test_what_a_crash_kept_from_the_ledger_is_written_at_the_next_start(tmp_path: Path) -> None:
    made = opened(tmp_path)
    made.consent({"learning": True}, user_id="ada", message_id="one")
    made.engine.proof._fold.chose = None  # from here on the ledger hears of nothing, as if the process died
    made.consent({"analytics": True}, user_id="bo", message_id="two")
    made.track("Segment Consent Preference Updated", user_id="cy", message_id="three")
    made.engine.proof.ledger.close()  # type: ignore[union-attr]
    made.engine._commits.close()
    made.engine._log.close()
    assert entries(tmp_path) == ["client:one"]
    for _ in range(2):
        opened(tmp_path).close()
        assert entries(tmp_path) == ["client:one", "client:two", "client:three"]


def test_a_ledger_that_cannot_be_written_does_not_undo_a_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as made:
        ledger = made.engine.proof.ledger
        assert ledger is not None

        def broken(*_: object) -> None:
            raise RecordsUnavailable("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(ledger, "append", broken)
            made.consent({"personalization": True}, user_id="ada", message_id="one")
            assert made.recommend("ada").withheld == ""
        assert ledger.count(CHAIN) == 0
        assert len(made.consent_of("ada").receipts) == 1
        assert ledger.count(CHAIN) == 1


def test_what_a_fit_reads_of_the_log_is_what_may_be_learned_from(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        made.put_item("tent", title="Tent")
        made.consent({"learning": True}, user_id="ada")
        for who in ("ada", "bo"):
            made.track("Product Viewed", properties={"product_id": "tent"}, user_id=who, message_id=who)
        made.consent({"personalization": True, "analytics": True}, user_id="bo")
        engine = made.engine
        allowed = Allowed(engine._log, engine.fold.usable(LEARNING))
        found = [one.record.id for one in allowed.read(engine.fold.cursor.__class__(), limit=2)]
        assert "client:bo" not in [
            one.record.id for one in allowed.read(engine.fold.cursor.__class__(), limit=10)
        ]
        assert found
        assert "client:ada" in [
            one.record.id for one in allowed.read(engine.fold.cursor.__class__(), limit=10)
        ]
        assert allowed.end() == engine.fold.cursor


def test_a_restart_judges_as_before(tmp_path: Path) -> None:
    with opened(tmp_path) as made:
        made.consent({"*": True}, user_id="ada", expires_in_days=1)
        made.track("Product Viewed", properties={"product_id": "tent"}, user_id="ada")
        before = made.engine.fold.digests()
        made.engine.snapshot()
    engine = open_engine(tmp_path, settings=SETTINGS)
    try:
        assert engine.fold.digests() == before
        assert engine.verify().agrees
    finally:
        engine.close()
