"""What an arm does where it is shown: a change of the placement's definition, or another policy altogether.

The value of an arm on a placement is a JSON merge patch (RFC 7396) of the placement in force when the question
comes, without its name and kind; `policy` beside it is `popular` for what is popular and nothing personal. None or
{} leaves everything as it is. On variants it is `{"variant": id}`, which is shown, or `{"algorithm": name}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from heedful.services.placements import Placements
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.experiment import Experiment
from heedful.vocabulary.placement import Placement

POLICY, POPULAR = "policy", "popular"
VARIANT, ALGORITHM = "variant", "algorithm"
_FIXED = ("name", "kind")


def merged(target: Any, patch: Any) -> Any:
    """`target` after `patch`, both plain JSON (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    whole = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            whole.pop(name, None)
        else:
            whole[name] = merged(whole.get(name), value)
    return whole


def patched(placement: Placement, value: Any, checked: Callable[[str, object], Placement]) -> Placement:
    """The placement as an arm with this value has it. Raises Invalid."""
    patch = {name: one for name, one in (value or {}).items() if name not in (POLICY, VARIANT)}
    if not patch:
        return placement
    return checked(placement.name, merged(msgspec.to_builtins(placement), patch))


def policy_of(value: Any) -> str | None:
    """The policy that an arm names, if it names one."""
    return value.get(POLICY) if isinstance(value, dict) else None


def variant_of(value: Any) -> str | None:
    """The variant that an arm shows, if it names one."""
    return value.get(VARIANT) if isinstance(value, dict) else None


def algorithm_of(value: Any) -> str | None:
    """The algorithm that an arm chooses a variant by, if it names one."""
    return value.get(ALGORITHM) if isinstance(value, dict) else None


class Applied:
    """Sees whether the arms of an experiment can be shown."""

    def __init__(self, placements: Placements) -> None:
        self._placements = placements
        self.arms_of_flag: Callable[[str, str], frozenset[str] | None] = lambda _, __: None
        """What arms of an experiment a flag's rules name; None where there is no such flag. Set by `compose`."""

    def __call__(self, experiment: Experiment) -> None:
        """Raises Invalid (`experiment_invalid`)."""
        if experiment.on is None:
            raise _invalid("on: say what is tried out, as {'kind': 'placement', 'name': 'home'}")
        kind, name = experiment.on.kind, experiment.on.name
        if kind == "flag":
            self._check_flag(name, experiment)
            return
        if kind not in ("placement", "variants"):
            raise _invalid(f"on.kind: {kind} cannot be tried out yet; placement, variants or flag can")
        standing = self._placements.standing(name)
        placement = Placement(name=name) if standing is None else standing.placement
        if placement is None:
            raise _invalid(f"on.name: {name!r} was written by a later version of this program")
        if (placement.kind == "variants") != (kind == "variants"):
            raise _invalid(f"on.kind: the placement {name!r} is for {placement.kind}")
        for arm in experiment.arms:
            self._check(placement, arm.key, arm.value)

    def _check_flag(self, name: str, experiment: Experiment) -> None:
        """A flag's rules say what arms mean."""
        named = self.arms_of_flag(name, experiment.key)
        if named is None:
            raise _invalid(f"on.name: there is no flag {name!r}; define it with a rule for this experiment")
        if named.isdisjoint(arm.key for arm in experiment.arms):
            raise _invalid(f"on.name: no rule of the flag {name!r} names an arm of this experiment")

    def _check(self, placement: Placement, arm: str, value: Any) -> None:
        where = f"arms.{arm}.value"
        if value is None:
            return
        if not isinstance(value, dict):
            raise _invalid(f"{where}: a change of the placement, as {{'diversity': 0.3}}, or null")
        if any(name in value for name in _FIXED):
            raise _invalid(f"{where}: name and kind stay as they are")
        if POLICY in value and (placement.kind != "items" or value[POLICY] != POPULAR):
            raise _invalid(f"{where}.policy: there is {POPULAR!r}, for items")
        if placement.kind == "variants" and set(value) not in ({VARIANT}, {ALGORITHM}, set()):
            raise _invalid(f"{where}: for variants, {{'variant': id}} or {{'algorithm': name}}")
        known = [variant.id for variant in placement.variants]
        if VARIANT in value and value[VARIANT] not in known:
            raise _invalid(f"{where}.variant: there is {', '.join(known) or 'none'}")
        try:
            patched(placement, value, self._placements.checked)
        except Invalid as invalid:
            raise _invalid(f"{where}: {invalid}") from invalid


def _invalid(why: str) -> Invalid:
    return Invalid("experiment_invalid", why, path=why.partition(":")[0])
