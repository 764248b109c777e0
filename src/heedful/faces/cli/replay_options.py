"""What can be said to `heedful replay`, an option each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heedful.services.evaluate.datasets import DATA_SETS
from heedful.services.evaluate.protocols import Protocol as Walk


def _share(text: str) -> object:
    return typer.Option(min=0, max=1, help=text)


DataFolder = Annotated[
    Path | None,
    typer.Option("--data", help="Replay the log of this data folder.", envvar="HEEDFUL_DATA_DIR"),
]
Events = Annotated[list[Path] | None, typer.Option(help="Replay JSON Lines as `heedful import` takes them.")]
DataSetName = Annotated[
    str | None, typer.Option("--dataset", help=f"Replay a data set by name: {', '.join(DATA_SETS)}.")
]
Folder = Annotated[Path, typer.Option(help="Where the files of data sets are.", envvar="HEEDFUL_DATA")]
Protocol = Annotated[Walk, typer.Option(help="Which questions are asked.")]
Systems = Annotated[str, typer.Option(help="What is compared, by name, with commas.")]
Reference = Annotated[str, typer.Option(help="Differences are to this system; the first when left out.")]
Update = Annotated[str, typer.Option(help="instant, hourly, daily, with commas.")]
OwnTrail = Annotated[bool, typer.Option(help="The asker's own newest items come with the question.")]
Repeats = Annotated[str, typer.Option(help="allowed, removed, with commas.")]
AsServed = Annotated[
    bool, typer.Option(help="Keep the filters that never show what somebody looks at or has.")
]
Kinds = Annotated[str, typer.Option(help="Kinds of event that are asked for, with commas.")]
At = Annotated[int, typer.Option(min=1, max=100, help="How many items are asked for.")]
Limit = Annotated[int, typer.Option(min=0, help="Only the newest so many events; 0 all.")]
Sample = Annotated[int, typer.Option(min=0, help="At most so many questions; 0 all.")]
WarmUp = Annotated[float, _share("Share of events before the first question.")]
Split = Annotated[float, _share("next-item: the share of events that is learned.")]
HeldOut = Annotated[float, _share("strong: the share of people who are held out.")]
Strangers = Annotated[bool, typer.Option(help="Ask for people of whom nothing is known yet, too.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="All chance comes from it.")]
Plot = Annotated[Path | None, typer.Option(help="Also draw it: a .png or .svg file.")]
