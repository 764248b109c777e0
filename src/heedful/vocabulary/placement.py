"""A placement: a named spot in a product, what it is for, and the rules that hold there.

A definition is data that people write, so everything in it has a range, and what is out of range is refused
with the place where it stands and what would do. Conditions (`where`, `when`) are kept as the plain trees
that were sent; `pipeline.rules` reads them.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from heedful.vocabulary.errors import Invalid

MOST_RULES = 50
MOST_PLACES = 100
MOST_HOURS = 24 * 90
MOST_VARIANTS = 50
MOST_PAYLOAD = 16 * 1024
_NAME = re.compile(r"[^\x00-\x1f\x7f/]{1,200}")
_WORD = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Hours = Annotated[int, Meta(ge=1, le=MOST_HOURS)]
Condition: TypeAlias = dict[str, Any]


class _Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="rule"):
    """name: names the rule in traces, as `rule:<name>`; its own within the placement.
    when: a condition over the question; the rule sleeps where it does not hold. None: always.
    """

    name: str
    when: Condition | None = None

    def __post_init__(self) -> None:
        if not _WORD.fullmatch(self.name):
            raise ValueError(
                f"the rule's name {self.name[:60]!r} must be 1 to 60 lower-case letters, digits, - and _, "
                "and begin with a letter or a digit"
            )


class Include(_Rule, frozen=True, kw_only=True, tag="include"):
    """Only items for which `where` holds are shown."""

    where: Condition


class Exclude(_Rule, frozen=True, kw_only=True, tag="exclude"):
    """Items for which `where` holds are not shown."""

    where: Condition


class Boost(_Rule, frozen=True, kw_only=True, tag="boost"):
    """The score of items for which `where` holds counts `factor` times: 0.1 to 10; above 1 lifts."""

    where: Condition
    factor: Annotated[float, Meta(ge=0.1, le=10.0)]


class Pin(_Rule, frozen=True, kw_only=True, tag="pin"):
    """`item` stands in `place`, 1 for the first, unless a filter removes it."""

    item: Annotated[str, Meta(min_length=1, max_length=200)]
    place: Annotated[int, Meta(ge=1, le=MOST_PLACES)]


class FrequencyCap(_Rule, frozen=True, kw_only=True, tag="frequency_cap"):
    """A person is shown an item at most `most` times within `hours`. where: only these items; None: all."""

    most: Annotated[int, Meta(ge=1, le=1_000)]
    hours: Hours
    where: Condition | None = None


class DoNotRepeat(_Rule, frozen=True, kw_only=True, tag="do_not_repeat"):
    """An item shown to a person is not shown to them again within `hours`. where: as above."""

    hours: Hours
    where: Condition | None = None


Rule: TypeAlias = Include | Exclude | Boost | Pin | FrequencyCap | DoNotRepeat


class Exploration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """slots: places of a list that may be given to chance, 0 to 3. share: of the answers in which they are.
    swaps: how likely two neighbours change places, which measures what a place does to clicks; 0 to 0.5.
    """

    slots: Annotated[int, Meta(ge=0, le=3)] = 0
    share: Share = 0.0
    swaps: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.0


class Attribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """How long after an answer what a person does counts as its outcome. purchase_hours: for purchases."""

    hours: Hours = 24
    purchase_hours: Hours = 168


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the contents to choose from. payload: what the page gets; any JSON object."""

    id: Annotated[str, Meta(min_length=1, max_length=100)]
    payload: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if len(msgspec.json.encode(self.payload)) > MOST_PAYLOAD:
            raise ValueError(
                f"the payload of {self.id!r} has more than {MOST_PAYLOAD} bytes: keep a link to it"
            )


class Placement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One named spot.

    name: as questions name it. kind: a list of items, or one of several variants of content.
    objective: what each kind of outcome is worth here, 0 to 1,000.
    rules: applied in their order.
    diversity, calibration: strength in [0, 1] of unlike neighbours, and of keeping to a person's own mix.
    shown: whether an answer counts as shown where no impression event says so.
    attribution: how long outcomes count. holdout: a share instead of the setting's, 0 to 0.5.
    sources: where candidates come from and what each is worth, at least 0; None: all, as they are.
    variants: the contents, for kind `variants`. algorithm: how one is chosen.
    minimum_propensity: each variant keeps at least this probability; at most one part of as many as there are.
    reward: the kind of event that counts as success. half_life_days: how fast old outcomes fade; None: never.
    """

    name: str
    kind: Literal["items", "variants"] = "items"
    objective: dict[str, float] = msgspec.field(
        default_factory=lambda: {"click": 1.0, "cart": 4.0, "purchase": 8.0}
    )
    rules: Annotated[tuple[Rule, ...], Meta(max_length=MOST_RULES)] = ()
    diversity: Share = 0.0
    calibration: Share = 0.0
    exploration: Exploration = Exploration()
    shown: bool = True
    attribution: Attribution = Attribution()
    holdout: Annotated[float, Meta(ge=0.0, le=0.5)] | None = None
    sources: dict[str, float] | None = None
    variants: Annotated[tuple[Variant, ...], Meta(max_length=MOST_VARIANTS)] = ()
    algorithm: Literal["thompson", "squarecb", "fixed"] = "thompson"
    minimum_propensity: Share = 0.01
    reward: Annotated[str, Meta(min_length=1, max_length=100)] = "click"
    half_life_days: Annotated[float, Meta(gt=0.0, le=3_650.0)] | None = 30.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "the name of a placement has 1 to 200 characters, without / and control characters"
            )
        _check_weights("objective", self.objective)
        if not any(self.objective.values()):
            raise ValueError("objective: give at least one kind of outcome a weight above 0, as {'click': 1}")
        if self.sources is not None:
            _check_weights("sources", self.sources)
            if not any(self.sources.values()):
                raise ValueError("sources: give at least one source a weight above 0, or leave sources out")
        _check_once("rules", [rule.name for rule in self.rules])
        _check_once("variants", [variant.id for variant in self.variants])
        if self.kind == "variants":
            self._check_variants()
        elif self.variants:
            raise ValueError(
                "variants: an items placement has none; set kind to 'variants' or leave them out"
            )

    def _check_variants(self) -> None:
        if len(self.variants) < 2:
            raise ValueError("variants: a choice needs at least 2")
        if self.minimum_propensity * len(self.variants) > 1.0:
            raise ValueError(
                f"minimumPropensity: {len(self.variants)} variants leave each at most "
                f"{1 / len(self.variants):.4f}, not {self.minimum_propensity}"
            )
        if self.rules or self.sources is not None:
            raise ValueError("rules and sources are for placements of kind 'items': leave them out")


def placement_of(name: str, body: object) -> Placement:
    """The placement that `body` (a dict of plain JSON values) describes under `name`, which it need not repeat.

    Raises Invalid (`placement_invalid`; `path` says where).
    """
    if not isinstance(body, dict):
        raise Invalid("placement_invalid", "a placement is an object")
    if body.get("name", name) != name:
        raise Invalid("placement_invalid", f"name: the body says {body['name']!r}, not {name!r}", path="name")
    try:
        return msgspec.convert({**body, "name": name}, Placement)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `")
        path = path.rstrip("`").lstrip("$").lstrip(".")
        raise Invalid("placement_invalid", f"{path}: {text}" if path else text, path=path) from None


def _check_weights(what: str, weights: dict[str, float]) -> None:
    if len(weights) > 50:
        raise ValueError(f"{what}: at most 50 names")
    for name, weight in weights.items():
        if not 1 <= len(name) <= 100:
            raise ValueError(f"{what}: a name has 1 to 100 characters")
        if not (math.isfinite(weight) and 0 <= weight <= 1_000):
            raise ValueError(f"{what}.{name}: a weight is 0 to 1000, not {weight}")


def _check_once(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: {twice[0]!r} stands there twice; give each its own name")
