"""`heedful disclose`: everything that is held about one person, in a file for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from heedful.faces.cli.console import out, progress, say_json
from heedful.faces.cli.opener import Data, Json, opener_of, there
from heedful.services.disclose import Disclosed
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.rights import Someone


def add_to(app: typer.Typer) -> None:
    @app.command()
    def disclose(
        context: typer.Context,
        data: Data,
        to: Annotated[Path, typer.Option(help="The zip to write; it must not be there yet.")],
        user: Annotated[str, typer.Option(help="The person's user id.")] = "",
        anonymous: Annotated[
            list[str] | None, typer.Option(help="An anonymous id of theirs; once for each.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Write everything that is held about one person into a zip, readable by its owner only."""
        try:
            who = Someone(user, tuple(anonymous or ()))
        except ValueError as error:
            raise Invalid("subject_missing", str(error)) from error
        with progress() as told:
            engine = opener_of(context).engine(there(data), progress=told)
            try:
                disclose = engine.rights.disclose
                subjects = disclose.subjects(who)
                places = disclose.places(subjects)
                descriptor = os.open(to, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    steps = disclose.write(subjects, places, file)
                    try:
                        for done, total in steps:
                            told("writing", done, total)
                    except BaseException:
                        to.unlink(missing_ok=True)  # half a file must not pass for a whole one
                        raise
            finally:
                engine.close()
        _say(to, steps.disclosed, as_json=as_json)


def _say(to: Path, found: Disclosed, *, as_json: bool) -> None:
    if as_json:
        say_json({"file": str(to), **msgspec.to_builtins(found)})
        return
    out.print(
        f"{to}: {found.events:,} events, {found.decisions:,} answers, {found.consents:,} choices.",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
