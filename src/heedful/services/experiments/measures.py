"""What experiments measure, by name: what is built in, and what operators add.

A measure is frozen into the trial when an experiment starts; changing it here changes what starts later.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.kinds import CART, CLICK, IMPRESSION, PAGE, PURCHASE, VIEW
from heedful.vocabulary.trial import Aggregate, Measure

WEEK = 7 * 24


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A measure and which way is better. what: in words for people."""

    measure: Measure
    rises: bool = True
    what: str = ""


def built_in(currency: str) -> dict[str, Goal]:
    """The measures that there always are, by name. currency: of amounts, ISO 4217."""
    goals = (
        Goal(
            Measure("clicked", (CLICK, VIEW), Aggregate.ANY), what="units that looked at an item or clicked"
        ),
        Goal(Measure("clicks", (CLICK, VIEW)), what="items looked at or clicked, a unit"),
        Goal(
            Measure("click_rate", (CLICK,), per=(IMPRESSION,)), what="clicks over showings that were reported"
        ),
        Goal(Measure("carted", (CART,), Aggregate.ANY), what="units that put something into the basket"),
        Goal(
            Measure("converted", (PURCHASE,), Aggregate.ANY, hours=WEEK), what="units that bought something"
        ),
        Goal(Measure("orders", (PURCHASE,), hours=WEEK), what="purchases, a unit"),
        Goal(Measure("units_bought", (PURCHASE,), Aggregate.UNITS, hours=WEEK), what="pieces bought, a unit"),
        Goal(
            Measure("revenue", (PURCHASE,), Aggregate.AMOUNT, hours=WEEK, currency=currency),
            what=f"revenue in minor units of {currency}, a unit",
        ),
        Goal(Measure("pages", (PAGE,)), what="pages seen, a unit"),
    )
    return {goal.measure.name: goal for goal in goals}


def goal_of(name: str, body: object) -> Goal:
    """The goal that plain JSON values describe under `name`. Raises Invalid (`metric_invalid`)."""
    if not isinstance(body, dict):
        raise Invalid("metric_invalid", "a metric is an object")
    fields = dict(body)
    own = {key: fields.pop(key) for key in ("rises", "what") if key in fields}
    try:
        return msgspec.convert({**own, "measure": {**fields, "name": name}}, Goal)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `")
        raise Invalid(
            "metric_invalid", text, path=path.rstrip("`").removeprefix("$.measure").lstrip(".")
        ) from None


def chosen(names: tuple[str, ...], goals: Mapping[str, Goal]) -> tuple[Goal, ...]:
    """The goals by name, each once. Raises Invalid for one that there is not."""
    for name in names:
        if name not in goals:
            raise Invalid(
                "experiment_invalid",
                f"metrics: there is no {name!r}, only {', '.join(sorted(goals))}",
                path="metrics",
            )
    return tuple(goals[name] for name in dict.fromkeys(names))
