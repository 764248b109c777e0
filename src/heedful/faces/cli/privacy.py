"""`heedful privacy`: the documents that the law asks for, from the registry of purposes."""

from __future__ import annotations

import sys

import typer

from heedful.faces.cli.console import say_json
from heedful.faces.cli.opener import Data, Json, opener_of, there
from heedful.privacy.documents import assessment, markdown, record
from heedful.privacy.purposes import Purposes

app = typer.Typer(help="Documents about what data is used for.", no_args_is_help=True)


@app.command("record")
def record_(context: typer.Context, data: Data, as_json: Json = False) -> None:
    """Print the record of processing activities (Article 30 GDPR)."""
    found = record(*_registry(context, data))
    if as_json:
        say_json(found)
    else:
        sys.stdout.write(markdown("Record of processing activities", found))


@app.command()
def dpia(context: typer.Context, data: Data, as_json: Json = False) -> None:
    """Print what a data protection impact assessment (Article 35 GDPR) starts from."""
    found = assessment(*_registry(context, data))
    if as_json:
        say_json(found)
    else:
        sys.stdout.write(markdown("Data protection impact assessment", found))


def _registry(context: typer.Context, data: Data) -> tuple[Purposes, str]:
    engine = opener_of(context).engine(there(data))
    try:
        return engine.rights.purposes, engine.rights.contact
    finally:
        engine.close()
