"""`heedful people`: who may log in, and as what.

A password is asked for, or read from standard input; it is never an argument, which every process could see.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from heedful.faces.cli.console import out, say_json, say_table
from heedful.faces.cli.opener import Data, Json, administering, there
from heedful.records.passwords import ADVISED, check
from heedful.records.people import People
from heedful.services.administer import TERMINAL, new_password
from heedful.vocabulary.access import Role
from heedful.vocabulary.errors import Invalid

app = typer.Typer(help="Add, list and remove people who may log in.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What the person logs in with.")]
_ROLES = ", ".join(Role)


@app.command()
def add(
    data: Data, name: Name, role: Annotated[str, typer.Option(help=f"One of {_ROLES}.")] = Role.VIEWER.value
) -> None:
    """Let somebody in. The password is asked for, or read as one line of standard input."""
    wanted = _role(role)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    hash_ = new_password(_password(name), name)
    with administering(data) as administer:
        person = administer.add_person(TERMINAL, name, wanted, hash_)
    _say(f"added {person.name} as {person.role}")


@app.command("list")
def list_(data: Data, as_json: Json = False) -> None:
    """Show everybody with their role."""
    told = [person.told() for person in People(there(data) / "people.json").list()]
    if as_json:
        say_json(told)
    else:
        head = ("id", "name", "role", "created")
        say_table("People", head, [tuple(str(one[field]) for field in head) for one in told])


@app.command("role")
def role_(data: Data, name: Name, role: Annotated[str, typer.Argument(help=f"One of {_ROLES}.")]) -> None:
    """Give somebody another role. They must log in again."""
    wanted = _role(role)
    with administering(there(data)) as administer:
        after = administer.set_role(TERMINAL, name, wanted)
    _say(f"{after.name} is {after.role} now")


@app.command()
def remove(data: Data, name: Name) -> None:
    """Let somebody in no more. A running server knows it within a second."""
    with administering(there(data)) as administer:
        gone = administer.remove_person(TERMINAL, name)
    _say(f"removed {gone.name}")


@app.command()
def reset(data: Data, name: Name) -> None:
    """Give somebody another password. Their sessions are over."""
    hash_ = new_password(_password(name), name)
    with administering(there(data)) as administer:
        after, closed = administer.set_password(TERMINAL, name, hash_)
    _say(f"{after.name} has another password now; {closed} sessions are over")


def _role(text: str) -> Role:
    name = text.replace("-", "_").replace(" ", "_")
    if name not in set(Role):
        raise Invalid("role_invalid", f"a role is one of {_ROLES}, not {text!r}", path="role")
    return Role(name)


def _password(name: str) -> str:
    """The new password, typed twice by somebody at a terminal or else one line of standard input."""
    if sys.stdin.isatty():
        asked = f"Password of {name} ({ADVISED} or more characters are advised)"
        password: str = typer.prompt(asked, hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    check(password, name)
    return password


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False)
