"""`heedful recommend`: ask for items from the command line."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from heedful.faces.cli.console import out, progress, say_json, say_table
from heedful.faces.cli.opener import Data, Json, opener_of, there
from heedful.faces.client import Client


def add_to(app: typer.Typer) -> None:
    @app.command()
    def recommend(
        context: typer.Context,
        data: Data,
        user: Annotated[str | None, typer.Option(help="The user it is for.")] = None,
        anonymous: Annotated[str | None, typer.Option(help="The anonymous visitor it is for.")] = None,
        item: Annotated[str | None, typer.Option(help="The item on the page.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
        as_of: Annotated[
            str | None, typer.Option(help="Answer as of this time, as 2026-11-23T12:00:00Z.")
        ] = None,
        explain: Annotated[bool, typer.Option(help="Show what every stage did.")] = False,
        as_json: Json = False,
    ) -> None:
        """Ask for items: for a person, for a page, or for nobody in particular."""
        with progress() as told:
            client = Client(opener_of(context).engine(there(data), progress=told))
        with client:
            question = {"anonymous_id": anonymous, "limit": limit, "explain": explain, "as_of": as_of}
            if item is not None:
                question["item_id"] = item
            answer = client.recommend(user, **question)
            if as_json:
                say_json(msgspec.to_builtins(answer))
                return
            rows = []
            for place, shown in enumerate(answer.items, start=1):
                described = client.item(shown.item_id)
                title = described.title if described else ""
                rows.append((place, shown.item_id, title, f"{shown.score:.3f}", shown.reason.text))
            whom = user or anonymous or "anybody"
            say_table(f"For {whom}", ("", "item", "title", "score", "why"), rows)
            if explain and answer.trace:
                stages = [
                    (
                        stage["stage"],
                        stage["name"],
                        stage["considered"],
                        stage["kept"],
                        f"{stage['microseconds']:.0f} µs",
                    )
                    for stage in answer.trace["stages"]
                ]
                say_table("Stages", ("stage", "name", "considered", "kept", "took"), stages)
            if (user or anonymous) and not answer.personalized:
                out.print("Not personal: nothing this person did carried an item that is shown.")
