"""A world in which the sources' weighted sum is a poor guide and what one did long ago is a good one."""

from __future__ import annotations

import numpy as np

from heedful.compose.pipelines import Pipelines
from heedful.pipeline.pipeline import Pipeline
from heedful.services.evaluate.streams import Builder, Stream
from heedful.views.fold import Fold
from heedful.vocabulary.event import Line
from heedful.vocabulary.kinds import PURCHASE, VIEW
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.time import HOUR, MINUTE

VISITS = 9
ITEMS = 25

Visit = tuple[str, str, int]
"""Who, which item, and how many minutes after the beginning."""


def rounds(people: int, *, seed: int = 1) -> list[Visit]:
    """Everybody goes round four things of their own, one a visit, hours apart: what comes next is always what was
    left alone longest, and no two things are ever looked at in one visit."""
    random = np.random.default_rng(seed)
    found = []
    for person in range(people):
        own = random.choice(ITEMS, 4, replace=False)
        found += [(f"p{person}", f"i{own[n % 4]}", 240 * n + person) for n in range(VISITS)]
    return sorted(found, key=lambda visit: visit[2])


def changed(people: int) -> list[Visit]:
    """As `rounds`, and then everybody goes to and fro between two new things, seven visits long."""
    later = [
        (f"p{person}", f"hit{n % 2}", 240 * (VISITS + n) + person)
        for n in range(7)
        for person in range(people)
    ]
    return rounds(people) + later


def stream_of(visits: list[Visit]) -> Stream:
    builder = Builder("rounds")
    for who, item, minutes in visits:
        builder.add(who, VIEW, minutes * MINUTE, (Line(item),))
    return builder.stream()


def baskets(people: int, *, seed: int = 2) -> Stream:
    """Everybody buys three times, five things of twelve at once."""
    random = np.random.default_rng(seed)
    builder = Builder("baskets")
    for day in range(3):
        for person in range(people):
            lines = [Line(f"i{item}", 1, 100, f"i{item}") for item in random.choice(12, 5, replace=False)]
            at = day * 48 * HOUR + person * MINUTE
            builder.add(f"p{person}", PURCHASE, at, lines, order=f"{person}-{day}")
    return builder.stream()


def as_served(fold: Fold) -> Pipeline:
    return Pipelines(fold).of(Placement(name="default"))
