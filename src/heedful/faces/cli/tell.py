"""`heedful decision`: tell an answer again."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from heedful.faces.cli.console import out, progress, say_json, say_table
from heedful.faces.cli.opener import Data, Json, opener_of, there
from heedful.faces.client import Client


def add_to(app: typer.Typer) -> None:
    @app.command()
    def decision(
        context: typer.Context,
        data: Data,
        decision_id: Annotated[str, typer.Argument(metavar="ID", help="The decisionId of an answer.")],
        as_json: Json = False,
    ) -> None:
        """Tell an answer again: what was shown to whom, why, and what came next."""
        with progress() as told:
            client = Client(opener_of(context).engine(there(data), progress=told))
        with client:
            found = client.decision(decision_id)
        if as_json:
            say_json(msgspec.to_builtins(found))
            return
        rows = [
            (item.place, item.item_id, f"{item.score:.3f}", f"{item.propensity:.4f}", item.reason.text)
            for item in found.items
        ]
        whom = found.user_id or found.anonymous_id or "anybody"
        say_table(f"For {whom}, {found.at}", ("", "item", "score", "chance", "why"), rows)
        if found.considered:
            next_best = ", ".join(item.item_id for item in found.considered)
            out.print(f"Not shown: {next_best}", markup=False, highlight=False)
        kind = "held out" if found.holdout else "personal" if found.personalized else "not personal"
        out.print(
            f"Placement {found.placement}, policy {found.policy}, model {found.model}, {kind}, "
            f"seed {found.seed}, position {found.position}.",
            markup=False,
            highlight=False,
        )
