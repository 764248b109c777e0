"""People: passwords, logins and sessions."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from heedful.records import passwords
from heedful.records.logins import FREE, Logins
from heedful.records.passwords import refusal
from heedful.records.people import People, Person
from heedful.records.sessions import ABSOLUTE, COARSE, IDLE, MOST, Sessions
from heedful.vocabulary.access import GRANTS, Role, Scope
from heedful.vocabulary.errors import Conflict, Corrupt, Invalid, NotFound, SettingsError
from heedful.vocabulary.time import DAY, HOUR, MINUTE, SECOND, FixedClock, Instant

GOOD = "correct horse battery"
NOW = Instant(1_800_000_000 * SECOND)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def people(tmp_path: Path, clock: FixedClock) -> People:
    return People(tmp_path / "people.json", clock)


@pytest.fixture
def ada(people: People) -> Person:
    return people.add("ada@shop.example", Role.ADMIN, GOOD)


@pytest.fixture
def sessions(tmp_path: Path, people: People, clock: FixedClock) -> Sessions:
    return Sessions(tmp_path / "sessions.json", people, clock)


# Passwords


def test_a_password_is_kept_as_argon2id_with_the_parameters_of_the_reference() -> None:
    kept = passwords.hashed(GOOD)
    parameters = extract_parameters(kept)
    assert kept.startswith("$argon2id$v=19$")
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)
    assert passwords.matches(kept, GOOD)
    assert not passwords.matches(kept, GOOD + " ")
    assert kept != passwords.hashed(GOOD)


@pytest.mark.parametrize(
    "password",
    ["", "1234567", "12345678", "PASSWORD1", "qwertyuiop", "aaaaaaaaaaaa", "ababababab", "x" * 257,
     "ada12345", "Ada-2026!", "shop2026!!", "letmein123", "p@ssw0rd", "éééééééé"],
)  # fmt: skip
def test_what_anybody_would_try_first_is_refused_without_being_repeated(password: str) -> None:
    wrong = refusal(password, "ada@shop.example")
    assert wrong is not None
    assert len(password) < 2 or password not in wrong


@pytest.mark.parametrize(
    "password", [GOOD, "all lower case words", "x7#kQ2vn", "пароль из слов", "🐎🔋📎🌧️🧦🪐🥁🎈", "long " * 51]
)
def test_there_are_no_rules_of_composition_and_long_ones_are_taken(password: str) -> None:
    assert refusal(password, "ada") is None
    assert passwords.matches(passwords.hashed(password), password)


def test_two_spellings_of_one_password_are_one() -> None:
    assert passwords.matches(passwords.hashed("cafe\u0301 au lait"), "caf\u00e9 au lait")


def test_every_listed_password_could_be_typed_and_would_be_refused() -> None:
    assert len(passwords._COMMONEST) > 150
    for word in passwords._COMMONEST:
        assert word == word.casefold()
        assert refusal(word) is not None


@given(st.text(max_size=300))
def test_no_text_breaks_the_rules(text: str) -> None:
    assert (refusal(text) is None) or isinstance(refusal(text), str)


# People


def test_there_is_nobody_at_first_and_no_default_password(people: People) -> None:
    assert people.list() == ()
    for name in ("admin", "root", "heedful", ""):
        for password in ("admin", "password", "changeme", ""):
            assert people.check(name, password) is None


def test_somebody_logs_in_with_name_and_password_also_after_a_restart(
    people: People, ada: Person, tmp_path: Path
) -> None:
    assert People(tmp_path / "people.json").check("ADA@shop.example", GOOD) == ada
    assert people.check("ada@shop.example", GOOD.upper()) is None
    assert people.check("bob", GOOD) is None
    assert people.check("ada@shop.example", "x" * 10_000_000) is None


def test_the_file_is_private_and_holds_no_password(people: People, ada: Person, tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert GOOD not in path.read_text()
    assert "hash" not in ada.told()
    path.chmod(0o644)
    with pytest.raises(SettingsError):
        People(path)
    path.chmod(0o600)
    path.write_text('{"version": 9, "people": []}')
    with pytest.raises(Corrupt):
        People(path)


def test_a_name_is_in_use_once_however_it_is_written(people: People, ada: Person) -> None:
    with pytest.raises(Conflict):
        people.add("Ada@Shop.example", Role.VIEWER, GOOD)
    for name in ("", "a b", "a\nb", "x" * 101, "<b>"):
        with pytest.raises(Invalid):
            people.add(name, Role.VIEWER, GOOD)
    assert people.list() == (ada,)


def test_who_is_removed_logs_in_no_more(people: People, ada: Person) -> None:
    people.remove("ada@shop.example")
    assert people.check(ada.name, GOOD) is None
    for verb in (people.remove, lambda name: people.set_role(name, Role.ADMIN)):
        with pytest.raises(NotFound):
            verb(ada.name)


def test_a_weak_hash_is_renewed_at_the_next_login(people: People, ada: Person, tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)
    path.write_text(path.read_text().replace(ada.hash, weak))
    found = people.check(ada.name, GOOD)
    assert found is not None
    assert found.hash != weak
    assert not passwords.stale(found.hash)
    assert found.turn == ada.turn, "a renewed hash ends no session"


def test_only_two_roles_see_what_concerns_one_person() -> None:
    personal = {Scope.DECISIONS_READ, Scope.PRIVACY_READ, Scope.RECOMMEND_READ}
    assert {role for role in Role if GRANTS[role] & personal} == {Role.PRIVACY_OFFICER, Role.ADMIN}
    assert {role for role in Role if Scope.ADMIN in GRANTS[role]} == {Role.ADMIN}


# Sessions


def test_a_session_is_known_again_and_only_its_hash_is_kept(
    sessions: Sessions, people: People, ada: Person, tmp_path: Path
) -> None:
    raw = sessions.open(ada)
    assert len(raw) >= 43, "256 bits"
    assert sessions.check(raw) == ada
    assert Sessions(tmp_path / "sessions.json", people, FixedClock(NOW)).check(raw) == ada
    assert raw not in (tmp_path / "sessions.json").read_text()
    for other in ("", raw[:-1], raw + "x", "x" * 1_000_000, "é"):
        assert sessions.check(other) is None


def test_a_login_never_goes_on_under_the_id_that_stood_before_it(sessions: Sessions, ada: Person) -> None:
    planted = sessions.open(ada)
    fresh = sessions.open(ada, replacing=planted)
    assert fresh != planted
    assert sessions.check(planted) is None
    assert sessions.check(fresh) == ada
    chosen = "chosen-by-somebody-else"
    assert sessions.open(ada, replacing=chosen) != chosen
    assert sessions.check(chosen) is None


def test_a_session_rests_an_hour_and_lasts_twelve(sessions: Sessions, ada: Person, clock: FixedClock) -> None:
    resting, busy = sessions.open(ada), sessions.open(ada)
    clock.at = Instant(NOW + IDLE - COARSE)
    assert sessions.check(busy) == ada
    clock.at = Instant(NOW + IDLE)
    assert sessions.check(resting) is None
    while clock.at < NOW + ABSOLUTE:
        assert sessions.check(busy) == ada
        clock.at = Instant(clock.at + IDLE // 2)
    assert sessions.check(busy) is None
    clock.at = Instant(NOW - DAY)
    assert sessions.check(busy) is None, "a clock that was set back opens nothing"


def test_one_session_is_closed_or_all_of_them(sessions: Sessions, people: People, ada: Person) -> None:
    bob = people.add("bob", Role.VIEWER, GOOD)
    first, second, third, bobs = (sessions.open(one) for one in (ada, ada, ada, bob))
    sessions.close(first)
    sessions.close(first)
    assert sessions.check(first) is None
    assert sessions.close_all(ada.id) == 2
    assert [sessions.check(raw) for raw in (second, third, bobs)] == [None, None, bob]


def test_another_role_password_or_a_removal_ends_sessions(
    sessions: Sessions, people: People, ada: Person
) -> None:
    first = sessions.open(ada)
    _, viewer = people.set_role(ada.name, Role.VIEWER)
    assert sessions.check(first) is None
    second = sessions.open(viewer)
    assert sessions.check(second) == viewer
    _, fresh = people.reset(ada.name, "another long password")
    assert sessions.check(second) is None
    assert people.check(ada.name, GOOD) is None
    third = sessions.open(fresh)
    people.remove(ada.name)
    assert sessions.check(third) is None


def test_nobody_fills_the_file_with_sessions(sessions: Sessions, ada: Person, clock: FixedClock) -> None:
    raws = []
    for _ in range(MOST + 5):
        clock.at = Instant(clock.at + SECOND)
        raws.append(sessions.open(ada))
    assert [sessions.check(raw) is not None for raw in raws] == [False] * 5 + [True] * MOST


# Logins


def test_guessing_becomes_slow(clock: FixedClock) -> None:
    logins = Logins(clock)
    tries = 0
    for _ in range(10_000):  # one a second
        if logins.wait("ada", "192.0.2.1") == 0:
            tries += 1
            logins.failed("ada", "192.0.2.1")
        clock.at = Instant(clock.at + SECOND)
    assert FREE < tries < 40


def test_many_places_together_guess_one_name_slowly_too(clock: FixedClock) -> None:
    logins = Logins(clock)
    tries = 0
    for place in range(10_000):
        if logins.wait("ada", f"place {place}") == 0:
            tries += 1
            logins.failed("ada", f"place {place}")
        clock.at = Instant(clock.at + SECOND)
    assert tries < 300


def test_one_place_guesses_many_names_slowly(clock: FixedClock) -> None:
    logins = Logins(clock)
    tries = 0
    for name in range(10_000):
        if logins.wait(f"name {name}", "192.0.2.1") == 0:
            tries += 1
            logins.failed(f"name {name}", "192.0.2.1")
        clock.at = Instant(clock.at + SECOND)
    assert tries < 60


def test_a_stranger_cannot_keep_anybody_out(clock: FixedClock) -> None:
    logins = Logins(clock)
    logins.succeeded("ada", "home")
    for place in range(10_000):
        logins.failed("ada", f"place {place % 500}")
    assert logins.wait("ada", "home") == 0
    assert logins.wait("bob", "office") == 0
    assert 0 < logins.wait("ada", "a hotel") <= MINUTE, "a new place waits, but never long"


def test_who_mistypes_waits_not_at_all_and_a_success_forgives(clock: FixedClock) -> None:
    logins = Logins(clock)
    for _ in range(FREE - 1):
        logins.failed("ada", "home")
    assert logins.wait("ada", "home") == 0
    logins.failed("ada", "home")
    assert logins.wait("ada", "home") == SECOND
    assert logins.wait("ADA", "home") == SECOND
    logins.succeeded("ada", "home")
    assert logins.wait("ada", "home") == 0


def test_counts_are_bounded_and_fade(clock: FixedClock) -> None:
    logins = Logins(clock, size=100)
    for number in range(10_000):
        logins.failed(f"name {number}", f"place {number}")
        logins.succeeded(f"name {number}", f"place {number}")
    tables = (logins._pairs._table, logins._places._table, logins._names._table, logins._known)
    assert all(len(table) <= 100 for table in tables)
    for _ in range(8):
        logins.failed("ada", "home")
    clock.at = Instant(clock.at + 2 * HOUR)
    assert logins.wait("ada", "home") == 0
