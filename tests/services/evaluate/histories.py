"""Small streams made by hand, and a pipeline over them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from heedful.services.evaluate.protocols import Ask, Learn, Rules, Step, TakeIn
from heedful.services.evaluate.streams import Builder, Stream
from heedful.vocabulary.event import Line
from heedful.vocabulary.kinds import PURCHASE, VIEW
from heedful.vocabulary.time import MINUTE

IDLE = 30 * MINUTE


def views(*events: tuple[str, str, float], source: str = "views") -> Stream:
    """(who, item, minutes) one after another."""
    builder = Builder(source)
    for who, item, minutes in events:
        builder.add(who, VIEW, round(minutes * MINUTE), (Line(item),))
    return builder.stream()


def orders(*events: tuple[str, str, str, float]) -> Stream:
    """(who, order, items as letters, minutes)."""
    builder = Builder("orders")
    for who, order, items, minutes in events:
        lines = [Line(item, 1, 0, item) for item in items]
        builder.add(who, PURCHASE, round(minutes * MINUTE), lines, order=order)
    return builder.stream()


def rules(stream: Stream, **more: object) -> Rules:
    """Every kind is asked for."""
    asked = np.ones(len(stream.names.kinds), dtype=np.bool_)
    return Rules(asked=asked, idle=IDLE, **more)  # type: ignore[arg-type]  # each test names what it sets


def told(stream: Stream, steps: Iterable[Step]) -> list[str]:
    """Steps in short: `+a` learned, `<a` taken in, `>` given back, `?b|a` b asked for after a."""
    names = stream.names.items

    def words(items: Iterable[int]) -> str:
        return "".join(names[item] for item in items)

    said = []
    for step in steps:
        match step:
            case Ask(trail=trail, targets=targets):
                said.append(f"?{words(targets.tolist())}|{words(trail.tolist())}")
            case Learn(event=event):
                said.append("+" + words(stream.items_of(event).tolist()))
            case TakeIn(event=event):
                said.append("<" + words(stream.items_of(event).tolist()))
            case _:
                said.append(">")
    return said
