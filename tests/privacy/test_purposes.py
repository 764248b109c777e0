"""The registry resolves places and rules, refuses what means nothing, and can be printed as Article 30 asks."""

from __future__ import annotations

import tomllib

import msgspec
import pytest

from heedful.privacy.purposes import BUILT_IN, Purposes, place_of, record_of_processing
from heedful.vocabulary.consent import Notice, PrivacySettings, Purpose, Rule

OPEN = Purpose(rules={"*": Rule("notice_only", "notice")})


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("DE", "eea"), ("fr", "eea"), ("NO", "eea"), ("EL", "eea"), ("EU", "eea"), ("eea", "eea"),
        ("DE-BY", "eea"),
        ("GB", "uk"), ("UK", "uk"), ("gb-sct", "uk-sct"), ("CH", "ch"), ("US", "us"), ("us_ca", "us-ca"),
        (" US-CA ", "us-ca"), ("JP", "jp"), ("", ""), ("?", ""), ("deutschland", ""), ("us-", ""), ("u", ""),
        ("D\u00c9", ""),
    ],
)  # fmt: skip
def test_a_code_means_a_place_or_none(code: str, place: str) -> None:
    assert place_of(code) == place


def test_the_nearest_rule_holds() -> None:
    own = Purpose(
        rules={"us-ca": Rule("opt_in"), "us": Rule("opt_out"), "uk": Rule("opt_in"), "*": Rule("notice_only")}
    )
    purposes = Purposes({"own": own})
    assert purposes.rule("own", "US-CA").mechanism == "opt_in"
    assert purposes.rule("own", "US-TX").mechanism == "opt_out"
    assert purposes.rule("own", "GB-SCT").mechanism == "opt_in"
    assert purposes.rule("own", "JP").mechanism == "notice_only"
    assert purposes.rule("own", "").mechanism == "opt_in", "nowhere is the strictest of all"
    with pytest.raises(KeyError):
        purposes.rule("astrology", "DE")


def test_an_operators_purpose_is_added_and_replaces_ours() -> None:
    purposes = Purposes({"astrology": OPEN, "surveys": OPEN})
    assert [*purposes] == [*BUILT_IN, "astrology"]
    assert purposes.rule("surveys", "DE").mechanism == "notice_only"
    assert purposes.key() != Purposes().key() == Purposes({}).key()


def test_settings_are_read_from_toml() -> None:
    text = """
        jurisdiction = "DE"
        strict_gpc = true
        [purposes.credit]
        dpv = "dpv:CreditChecking"
        retention_days = 90
        categories = ["C0007"]
        [purposes.credit.rules]
        eea = {mechanism = "opt_in"}
        "*" = {mechanism = "opt_out", basis = "notice"}
        [purposes.credit.notice]
        id = "credit"
        version = 4
        valid_from = 2
    """
    read = msgspec.convert(tomllib.loads(text), PrivacySettings)
    purposes = Purposes(read.purposes)
    assert (read.jurisdiction, read.strict_gpc, read.directed_to_children) == ("DE", True, False)
    assert purposes.called("c0007") == ("credit",)
    assert purposes["credit"].notice == Notice(id="credit", version=4, valid_from=2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[purposes.Credit]\nrules = {'*' = {mechanism = 'opt_in'}}", "Credit"),
        ("[purposes.credit]\nrules = {eea = {mechanism = 'opt_in'}}", "wherever no other"),
        ("[purposes.credit]\nrules = {'*' = {mechanism = 'maybe'}}", "maybe"),
        ("[purposes.credit]\nrules = {'*' = {mechanism = 'opt_in', basis = 'because'}}", "because"),
        ("[purposes.credit]\ntcf = [25]\nrules = {'*' = {mechanism = 'opt_in'}}", "24"),
        ("[purposes.credit]\nwhim = 1\nrules = {'*' = {mechanism = 'opt_in'}}", "whim"),
        ("[purposes.credit]\nrules = {'*' = {mechanism = 'opt_in'}}\nnotice = {valid_from = 2}", "later"),
    ],
)
def test_settings_that_mean_nothing_are_refused(text: str, why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(tomllib.loads(text), PrivacySettings)


def test_a_category_may_stand_for_several_purposes() -> None:
    purposes = Purposes({"astrology": Purpose(rules=OPEN.rules, categories=("Functional",))})
    assert purposes.called("FUNCTIONAL") == ("personalization", "astrology")
    assert purposes.called("astrology") == ("astrology",)
    assert purposes.called("C0002") == ()


def test_the_record_of_processing_has_a_row_for_every_purpose_and_place() -> None:
    rows = record_of_processing(Purposes())
    assert len(rows) == sum(len(purpose.rules) for purpose in BUILT_IN.values())
    assert rows == sorted(rows, key=lambda row: (str(row["purpose"]), str(row["jurisdiction"])))
    assert rows[0] == {
        "purpose": "analytics", "description": "Counting what was seen, clicked and bought.",
        "dpv": "dpv:ServiceUsageAnalytics", "jurisdiction": "*", "legal_basis": "consent", "mechanism": "opt_in",
        "data_categories": ["behaviour"], "special_category": False, "recipients": [], "retention_days": 0,
        "notice_version": 1,
    }  # fmt: skip
