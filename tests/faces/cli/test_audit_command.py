"""`heedful audit`, and that what is done at a terminal is written down."""

from __future__ import annotations

import io
import json
import sqlite3
from pathlib import Path

import pytest

from heedful.vault.secret import installation_secret
from tests.faces.cli.command import heedful

GOOD = "correct horse battery"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which one of everything was done."""
    folder = tmp_path / "data"
    installation_secret(folder / "pseudonym.key")
    option = ("--data", folder)

    def run(*arguments: object, line: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(line))
        said = heedful(*arguments, *option)
        assert said.code == 0, said.err
        return said.out

    run("keys", "create", "--label", "shop")
    (key,) = json.loads(run("keys", "list", "--json"))
    run("keys", "revoke", key["id"])
    run("people", "add", "ada", line=f"{GOOD}\n")
    run("people", "role", "ada", "editor")
    run("people", "reset", "ada", line="another long password\n")
    run("people", "remove", "ada")
    run("tokens", "create", "--kid", "first")
    run("tokens", "remove", "first")
    return folder


def test_what_is_done_at_a_terminal_is_written_down(data: Path) -> None:
    listed = heedful("audit", "list", "--json", "--data", data).json
    assert [one["action"] for one in listed] == [
        "key.create", "key.revoke", "person.add", "person.role", "person.password", "person.remove",
        "token.create", "token.remove",
    ]  # fmt: skip
    assert {one["actor"] for one in listed} == {"terminal"}
    assert [one["number"] for one in listed] == [*range(1, 9)]
    some = heedful("audit", "list", "--after", 2, "--limit", 2, "--json", "--data", data).json
    assert some == listed[2:4]
    assert "person.add" in heedful("audit", "list", "--data", data).out
    kept = b"".join(file.read_bytes() for file in data.glob("audit*"))
    for canary in (GOOD, "another long password", "argon2", '"ada"'):
        assert canary.encode() not in kept


def test_a_whole_audit_passes_and_a_changed_one_does_not(data: Path, tmp_path: Path) -> None:
    assert heedful("audit", "verify", "--data", data).code == 0
    entries = tmp_path / "entries.jsonl"
    exported = heedful("audit", "export", "--entries", entries, "--data", data)
    assert exported.code == 0
    head = tmp_path / "head.json"
    head.write_text(exported.out, encoding="utf-8")
    assert exported.json["number"] == 8 == len(entries.read_text().splitlines())
    assert heedful("audit", "verify", "--head", head, "--data", data).code == 0
    with sqlite3.connect(data / "audit.sqlite3") as file:
        file.execute("DELETE FROM ledger WHERE number = 8")
    file.close()
    assert heedful("audit", "verify", "--data", data).code == 0, "nobody misses an end that was cut off"
    cut = heedful("audit", "verify", "--head", head, "--data", data)
    assert (cut.code, "entries 8 to 8 are gone" in cut.err) == (1, True)
    with sqlite3.connect(data / "audit.sqlite3") as file:
        file.execute("UPDATE ledger SET at = at + 1 WHERE number = 3")
    file.close()
    found = heedful("audit", "verify", "--json", "--data", data)
    assert found.code == 1
    assert (found.json["whole"], found.json["flaw"]["number"]) == (False, 3)


def test_what_is_no_head_and_a_folder_without_its_secret_are_refused(data: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}", encoding="utf-8")
    assert heedful("audit", "verify", "--head", wrong, "--data", data).code == 2
    assert heedful("audit", "list", "--data", tmp_path / "nowhere").code == 1
    (data / "pseudonym.key").unlink()
    assert heedful("audit", "export", "--data", data).code == 2
    assert heedful("audit", "verify", "--data", data).code == 0
