"""A flag: what it may be, and whom each of its variants is for."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from heedful.vocabulary.experiment import (
    Attribute,
    Bounds,
    Filter,
    Name,
    Prerequisite,
    Share,
    check_key,
    check_once,
    check_ranges,
    converted,
)
from heedful.vocabulary.placement import Condition

MOST_VARIATIONS = 50
MOST_RULES = 100
_MOST_VALUE = 16 * 1024
_RULE_ID = re.compile(r"[^\x00-\x1f\x7f]{0,100}")

Variant = Annotated[str, Meta(min_length=1, max_length=100)]


class Rollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Only a share of units: those whose bucket is at most `coverage`, or lies in `range`.

    seed: None is the flag's key. hash_version: 2 by default; 3 for shares below 0.01%.
    """

    coverage: Share | None = None
    range: Bounds | None = None
    seed: Annotated[str, Meta(max_length=200)] | None = None
    hash_version: Literal[1, 2, 3] = 2
    hash_attribute: Attribute = "id"
    fallback_attribute: Attribute | None = None

    def __post_init__(self) -> None:
        if self.coverage is None and self.range is None:
            raise ValueError("rollout: needs coverage, as 0.1, or range, as [0, 0.1]")
        if self.range is not None:
            check_ranges("rollout.range", (self.range,))


class FlagRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """If all that it asks for holds, the flag is `serve`, or what the unit's arm of `experiment` stands for.

    arms: the variant of each arm; an arm that is missing goes on to the next rule. rollout: only with `serve`.
    """

    id: str = ""
    when: Condition | None = None
    condition: Condition | None = None
    prerequisites: Annotated[tuple[Prerequisite, ...], Meta(max_length=20)] = ()
    filters: Annotated[tuple[Filter, ...], Meta(max_length=20)] = ()
    serve: Variant | None = None
    rollout: Rollout | None = None
    experiment: Name | None = None
    arms: dict[str, Variant] = {}

    def __post_init__(self) -> None:
        if not _RULE_ID.fullmatch(self.id):
            raise ValueError("the id of a rule has at most 100 characters, without control characters")
        if (self.serve is None) == (self.experiment is None):
            raise ValueError(f"rule {self.id!r}: give serve or experiment, one of them")
        if self.experiment is not None and (not self.arms or self.rollout is not None):
            raise ValueError(f"rule {self.id!r}: an experiment needs arms, and decides itself who takes part")
        if self.experiment is None and self.arms:
            raise ValueError(f"rule {self.id!r}: arms are for an experiment")


class Flag(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One flag.

    type: of every variation. variations: the values by name. default: the variation where no rule holds; None
    leaves it to the code that asks. enabled: false leaves it to the code too. prerequisites: if one fails, so
    as well.
    rules: the first that holds decides.
    """

    key: str
    type: Literal["boolean", "string", "number", "object"] = "boolean"
    variations: Annotated[dict[str, Any], Meta(max_length=MOST_VARIATIONS)] = msgspec.field(
        default_factory=lambda: {"on": True, "off": False}
    )
    default: str | None = "off"
    enabled: bool = True
    description: Annotated[str, Meta(max_length=2_000)] = ""
    prerequisites: Annotated[tuple[Prerequisite, ...], Meta(max_length=20)] = ()
    rules: Annotated[tuple[FlagRule, ...], Meta(max_length=MOST_RULES)] = ()

    def __post_init__(self) -> None:
        check_key("a flag", self.key)
        for name, value in self.variations.items():
            if not 1 <= len(name) <= 100:
                raise ValueError("variations: a name has 1 to 100 characters")
            if not _is(self.type, value):
                raise ValueError(f"variations.{name}: must be {_WORDS[self.type]}")
            if len(msgspec.json.encode(value)) > _MOST_VALUE:
                raise ValueError(f"variations.{name}: has more than {_MOST_VALUE} bytes: keep a link to it")
        if self.default is not None and self.default not in self.variations:
            raise ValueError(f"default: there is no variation {self.default!r}")
        check_once("rules", [rule.id for rule in self.rules if rule.id])
        for rule in self.rules:
            for variant in (*rule.arms.values(), *(() if rule.serve is None else (rule.serve,))):
                if variant not in self.variations:
                    raise ValueError(f"rule {rule.id!r}: there is no variation {variant!r}")


_WORDS = {
    "boolean": "true or false",
    "string": "a text",
    "number": "a finite number",
    "object": "an object",
}


def _is(kind: str, value: Any) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "string":
        return isinstance(value, str)
    if kind == "object":
        return isinstance(value, dict)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def flag_of(key: str, body: object) -> Flag:
    """The flag that `body` (plain JSON) describes under `key`, which it need not repeat.

    Raises Invalid (`flag_invalid`; `path` says where).
    """
    flag: Flag = converted(key, body, Flag, "flag")
    return flag
