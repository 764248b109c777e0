"""A door over a data folder of its own, with a clock that stands where it is set."""

from __future__ import annotations

from pathlib import Path

from heedful.faces.http.app import build
from heedful.faces.http.cookies import NAME, OWN_PAGE
from heedful.faces.http.door import Door, door_of
from heedful.records.passwords import prepared
from heedful.records.people import Person
from heedful.services.administer import TERMINAL, Administer
from heedful.vault.secret import installation_secret
from heedful.vocabulary.access import Role
from heedful.vocabulary.access_settings import AccessSettings, HttpSettings
from heedful.vocabulary.time import Clock, SystemClock
from tests.faces.http.asgi import Answer, Caller, Runs
from tests.faces.http.memory_engine import MemoryEngine

HOST = "heedful.example"
FAR = ("192.0.2.7", 40_000)
GOOD = "correct horse battery"
OURS = {"host": HOST, OWN_PAGE.decode(): "1", "origin": f"https://{HOST}"}
"""What our own page sends."""
_HASH = prepared(GOOD, "nobody")


def door_in(
    folder: Path,
    clock: Clock | None = None,
    access: AccessSettings | None = None,
    http: HttpSettings | None = None,
) -> Door:
    """The door of `folder`, made now if it is not there."""
    folder.mkdir(exist_ok=True)
    installation_secret(folder / "pseudonym.key")
    access = access or AccessSettings()
    administer = Administer(folder, clock or SystemClock(), settings=access)
    return door_of(administer, access, http or HttpSettings(), clock)


def caller_through(door: Door, runs: Runs) -> Caller:
    """Asks an application whose door this is."""
    return Caller(build(MemoryEngine(door.administer.keys), door=door), runs)


def let_in(door: Door, name: str, role: Role = Role.VIEWER) -> Person:
    """Somebody whose password is GOOD."""
    return door.administer.add_person(TERMINAL, name, role, _HASH)


def page(session: str) -> dict[str, str]:
    """What our own page sends for somebody who is logged in."""
    return {**OURS, "cookie": f"{NAME}={session}"}


def session_in(answer: Answer) -> str:
    """The session that an answer gives; "" if it gives none."""
    name, _, rest = answer.headers.get("set-cookie", "").partition("=")
    return rest.partition(";")[0] if name == NAME else ""
