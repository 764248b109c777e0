"""What must hold among definitions: nothing waits for itself, and slices of one layer do not overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.experiment import Experiment, Status
from heedful.vocabulary.flag import Flag


def check_cycles(flags: Iterable[Flag], experiments: Iterable[Experiment] = ()) -> None:
    """Raises Invalid (`prerequisite_cycle`) that names the way round, where a flag waits for itself.

    A flag waits for the flags of its prerequisites, of its rules', and of those of the experiments that its
    rules run.
    """
    tests = {each.key: each for each in experiments}
    waits = {flag.key: list(_named(flag, tests)) for flag in flags}
    done: set[str] = set()
    for start, first in waits.items():
        way: list[str] = []
        waiting = [(start, iter(first))]
        while waiting:
            flag, following = waiting[-1]
            if len(way) < len(waiting):
                way.append(flag)
            for after in following:
                if after in way:
                    circle = " -> ".join([*way[way.index(after) :], after])
                    raise Invalid(
                        "prerequisite_cycle",
                        f"prerequisites: {circle} waits for itself",
                        path="prerequisites",
                    )
                if after in waits and after not in done:
                    waiting.append((after, iter(waits[after])))
                    break
            else:
                done.add(flag)
                waiting.pop()
                way.pop()


def _named(flag: Flag, experiments: Mapping[str, Experiment]) -> Iterable[str]:
    yield from (each.flag for each in flag.prerequisites)
    for rule in flag.rules:
        yield from (each.flag for each in rule.prerequisites)
        if rule.experiment is not None and (test := experiments.get(rule.experiment)) is not None:
            yield from (each.flag for each in test.prerequisites)


def check_layers(experiments: Iterable[Experiment]) -> None:
    """Raises Invalid (`layer_overlap`) where two running experiments share people of a layer or a namespace,
    or where experiments on one thing stand in different layers and so could meet in one person.
    """
    running = [each for each in experiments if each.status is Status.RUNNING]
    slices = sorted(
        ("layer" if each.layer is not None else "namespace", part.name, part.start, part.end, each.key)
        for each in running
        if (part := each.layer or each.namespace) is not None
    )
    for (kind, name, _, end, key), (other_kind, other, start, _, next_key) in pairwise(slices):
        if (kind, name) == (other_kind, other) and start < end:
            raise Invalid(
                "layer_overlap",
                f"{kind} {name!r}: {key!r} goes up to {end:g} and {next_key!r} begins at {start:g}",
                path=kind,
            )
    home: dict[tuple[str, str], Experiment] = {}
    for each in running:
        if each.on is None or each.layer is None:
            continue
        first = home.setdefault((each.on.kind, each.on.name), each)
        if first.layer is not None and first.layer.name != each.layer.name:
            raise Invalid(
                "layer_overlap",
                f"{each.on.kind} {each.on.name!r}: {first.key!r} tries it in layer {first.layer.name!r} and "
                f"{each.key!r} in {each.layer.name!r}: one thing belongs to one layer",
                path="layer",
            )
