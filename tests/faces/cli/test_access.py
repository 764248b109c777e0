"""`heedful people`, `heedful tokens` and what `heedful keys` says of restrictions."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from heedful.records.people import People
from heedful.records.sessions import Sessions
from heedful.records.subject_keys import SubjectKeys
from heedful.vocabulary.access import Role, Scope
from tests.faces.cli.command import Said, heedful

GOOD = "correct horse battery"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command with a line on its standard input."""

    def run(line: str, *arguments: object) -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(line))
        return heedful(*arguments)

    return run


def test_people_are_added_listed_given_roles_and_removed(tmp_path: Path, typed: Any) -> None:
    data = ("--data", tmp_path / "new")
    assert typed(f"{GOOD}\n", "people", "add", "ada", "--role", "privacy-officer", *data).code == 0
    (ada,) = heedful("people", "list", *data, "--json").json
    assert (ada["name"], ada["role"]) == ("ada", "privacy_officer")
    assert "hash" not in ada
    assert "ada" in heedful("people", "list", *data).out
    people = People(tmp_path / "new" / "people.json")
    person = people.check("ada", GOOD)
    assert person is not None
    session = Sessions(tmp_path / "new" / "sessions.json", people).open(person)
    assert heedful("people", "role", "ada", "editor", *data).code == 0
    assert People(tmp_path / "new" / "people.json").list()[0].role is Role.EDITOR
    said = typed("another long password\n", "people", "reset", "ada", *data)
    assert said.code == 0
    assert "1 sessions are over" in said.out
    later = People(tmp_path / "new" / "people.json")
    assert later.check("ada", GOOD) is None
    assert later.check("ada", "another long password") is not None
    assert Sessions(tmp_path / "new" / "sessions.json", later).check(session) is None
    assert heedful("people", "remove", "ada", *data).code == 0
    assert heedful("people", "list", *data, "--json").json == []


@pytest.mark.parametrize(
    ("line", "arguments", "code"),
    [
        ("seven77\n", ("add", "bob"), 2),
        ("password123\n", ("add", "bob"), 2),
        ("", ("add", "bob"), 2),
        (f"{GOOD}\n", ("add", "bob", "--role", "king"), 2),
        (f"{GOOD}\n", ("add", "b o b"), 2),
        (f"{GOOD}\n", ("add", "bob", "--password", GOOD), 2),
        (f"{GOOD}\n", ("add", "bob", GOOD), 2),
        ("", ("remove", "bob"), 1),
        ("", ("role", "bob", "viewer"), 1),
        (f"{GOOD}\n", ("reset", "bob"), 1),
    ],
)
def test_people_that_were_asked_for_wrongly(
    tmp_path: Path, typed: Any, line: str, arguments: tuple[str, ...], code: int
) -> None:
    said = typed(line, "people", *arguments, "--data", tmp_path)
    assert said.code == code
    assert not line.strip() or line.strip() not in said.out + said.err or line.strip() in arguments
    assert not (tmp_path / "people.json").exists()


def test_a_command_that_only_looks_makes_no_folder(tmp_path: Path) -> None:
    assert heedful("people", "list", "--data", tmp_path / "nowhere").code == 1
    assert heedful("tokens", "list", "--data", tmp_path / "nowhere").code == 1
    assert not (tmp_path / "nowhere").exists()


def test_verification_keys_are_made_added_listed_and_removed(tmp_path: Path) -> None:
    kid, secret = heedful("tokens", "create", "--kid", "first", "--data", tmp_path).out.split()
    public = generate_private_key(SECP256R1()).public_key()
    pem = tmp_path / "public.pem"
    pem.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    added = heedful("tokens", "add", pem, "--data", tmp_path).out.strip()
    listed = heedful("tokens", "list", "--json", "--data", tmp_path)
    assert [(one["kid"], one["algorithm"]) for one in listed.json] == [("first", "HS256"), (added, "ES256")]
    assert secret not in listed.out + heedful("tokens", "list", "--data", tmp_path).out
    assert heedful("tokens", "remove", kid, "--data", tmp_path).code == 0
    assert [key.kid for key in SubjectKeys(tmp_path / "subject-keys.json").list()] == [added]
    assert heedful("tokens", "remove", kid, "--data", tmp_path).code == 1
    assert heedful("tokens", "add", tmp_path / "subject-keys.json", "--data", tmp_path).code == 2


def test_a_key_is_made_with_what_it_may_do(tmp_path: Path) -> None:
    made = heedful(
        "keys", "create", "--scope", "items:write", "--scope", "items:read", "--origin", "https://shop.example",
        "--per-minute", 60, "--data", tmp_path,
    )  # fmt: skip
    assert made.code == 0
    heedful("keys", "create", "--data", tmp_path)
    limited, whole = heedful("keys", "list", "--json", "--data", tmp_path).json
    assert limited["scopes"] == ["items:read", "items:write"]
    assert (limited["origins"], limited["per_minute"]) == (["https://shop.example"], 60)
    assert limited["last_used"] == ""
    assert set(whole["scopes"]) == set(Scope)
    assert "everything" in heedful("keys", "list", "--data", tmp_path).out
    assert heedful("keys", "create", "--scope", "items:eat", "--data", tmp_path).code == 2
    assert heedful("keys", "create", "--kind", "write", "--scope", "admin", "--data", tmp_path).code == 2
