"""`heedful consent`, and what `heedful serve` asks for before others may reach it."""

from __future__ import annotations

from pathlib import Path

from tests.faces.cli.command import heedful


def test_a_choice_that_came_by_letter_is_recorded_and_shown(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('[privacy]\njurisdiction = "DE"\n', encoding="utf-8")
    assert (
        heedful("consent", "set", "learning=yes", "sharing=no", "--user", "ada", "--data", tmp_path).code == 0
    )
    shown = heedful("consent", "show", "--user", "ada", "--data", tmp_path, "--json").json
    assert shown["purposes"]["learning"]["allowed"]
    assert shown["purposes"]["sharing"]["why"] == "refused"
    assert len(shown["receipts"]) == 1
    table = heedful("consent", "show", "--user", "ada", "--data", tmp_path)
    assert "2 choices, 1 receipts" in table.out
    assert heedful("consent", "set", "learning=maybe", "--user", "ada", "--data", tmp_path).code == 2
    assert heedful("consent", "set", "astrology=no", "--user", "ada", "--data", tmp_path).code == 2
    assert heedful("consent", "show", "--data", tmp_path).code == 2


def test_nothing_is_served_to_other_machines_before_consent_is_declared(tmp_path: Path) -> None:
    refused = heedful("serve", "--host", "0.0.0.0", "--port", "0", "--data", tmp_path)
    assert refused.code == 2
    for word in ("[privacy]", 'consent = "here"', 'consent = "elsewhere"'):
        assert word in refused.err
    assert heedful("verify", "--data", tmp_path).code == 0, "the folder is free again"


def test_a_setting_that_means_nothing_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('[privacy]\nconsent = "perhaps"\n', encoding="utf-8")
    refused = heedful("verify", "--data", tmp_path)
    assert refused.code == 2
    assert "consent" in refused.err
