"""What a placement asks of one answer: which rules are awake, what is boosted, what stands where.

A `Spot` is one version of a placement, made ready; its `plan` for a question is what the pipeline is run with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from heedful.pipeline.candidates import KEPT, Candidates
from heedful.pipeline.context import Context
from heedful.pipeline.filters import Filter
from heedful.pipeline.policy import Choice
from heedful.pipeline.rules import Fix, Lift, Ruled, effect_of, read_rules
from heedful.pipeline.sources import Pins
from heedful.pipeline.surroundings import Surroundings
from heedful.views.catalogue import Catalogue
from heedful.views.dictionary import MISSING, Items
from heedful.views.shown import Shown
from heedful.vocabulary.placement import DoNotRepeat, FrequencyCap, Placement

INCLUDING_WIDTH = 200
"""What each source is asked for where only some items may stay, so that enough are left."""


class Pinned(NamedTuple):
    """place: from 0. item: dense."""

    place: int
    item: int


class Plan(NamedTuple):
    """What holds for one question.

    filters: of the rules that are awake, in their order. lifts: boosts. pins: at most one per item.
    width: how many each source is asked for at least.
    objective: what each kind of outcome is worth. diversity, calibration: strengths in [0, 1].
    slots, share: how many places chance may have, and in what share of answers. swaps: how likely two neighbours
    change places.
    """

    filters: tuple[Filter, ...] = ()
    lifts: tuple[Lift, ...] = ()
    pins: tuple[Pinned, ...] = ()
    width: int = 0
    objective: Mapping[str, float] = {}
    diversity: float = 0.0
    calibration: float = 0.0
    slots: int = 0
    share: float = 0.0
    swaps: float = 0.0

    def boost(self, context: Context, candidates: Candidates) -> None:
        """Multiply the scores of `candidates` by the boosts. A score below 0 is divided, so that a factor above 1
        always lifts."""
        if not self.lifts:
            return
        factors = np.ones(len(candidates))
        for lift in self.lifts:
            lift.multiply(context, candidates, factors)
        totals = candidates.totals
        totals[:] = np.where(totals < 0.0, totals / factors, totals * factors)

    def place(self, candidates: Candidates, choice: Choice, size: int, columns: Sequence[str]) -> Choice:
        """`choice` with the pins in their places and the rest, in its order, around them; at most `size` rows.

        A pin that a filter removed is left out; one beyond the end stands last; of two in one place the first
        rule has it and the other the next free one. A pinned row has propensity 1 and `pins` as its source.
        """
        if not self.pins:
            return choice
        carrier = columns.index(Pins.name)
        at: dict[int, int] = {}
        for place, item in self.pins:
            row = int(candidates.columns.row[item]) if item < len(candidates.columns.row) else -1
            if row < 0 or candidates.columns.reason[row] != KEPT:
                continue
            while place in at:
                place += 1  # noqa: PLW2901 (the next free place)
            if place < size:
                at[place] = row
        pinned = set(at.values())
        rest = [
            one
            for one in zip(choice.rows.tolist(), choice.propensities.tolist(), strict=True)
            if one[0] not in pinned
        ]
        rows: list[tuple[int, float]] = []
        for place in range(size):
            if place in at:
                rows.append((at.pop(place), 1.0))
            elif rest:
                rows.append(rest.pop(0))
        for row in pinned:
            candidates.columns.carrier[row] = carrier
        return Choice(
            np.array([row for row, _ in rows], dtype=np.int64), np.array([chance for _, chance in rows])
        )


PLAIN = Plan()
"""No rules, nothing but the best first."""


class Spot:
    """One version of a placement, ready to be asked.

    remembers: whether its answers must stand in people's histories, because a rule goes by what was shown.
    """

    def __init__(
        self, placement: Placement, version: int, *, catalogue: Catalogue, items: Items, shown: Shown
    ) -> None:
        """version: 0 for what is built in. Raises Invalid where a rule's condition does not read."""
        self.placement = placement
        self.version = version
        self._items = items
        read = read_rules(placement)
        rests = any(isinstance(rule, FrequencyCap | DoNotRepeat) for rule in placement.rules)
        self.remembers = placement.shown and rests
        self._effects = [(one.when, effect_of(one, catalogue, items, shown)) for one in read]
        self._plain = Plan(
            objective=placement.objective,
            diversity=placement.diversity,
            calibration=placement.calibration,
            slots=placement.exploration.slots,
            share=placement.exploration.share,
            swaps=placement.exploration.swaps,
        )

    def plan(self, around: Surroundings) -> Plan:
        """What holds for a question in these surroundings."""
        if not self._effects:
            return self._plain
        filters: list[Filter] = []
        lifts: list[Lift] = []
        pins: dict[int, Pinned] = {}
        including = False
        for when, effect in self._effects:
            if when is not None and not when(around):
                continue
            if isinstance(effect, Lift):
                lifts.append(effect)
            elif isinstance(effect, Fix):
                item = self._items.find(effect.item)
                if item != MISSING:
                    pins.setdefault(item, Pinned(effect.place, item))
            else:
                filters.append(effect)
                including = including or (isinstance(effect, Ruled) and effect.include)
        return self._plain._replace(
            filters=tuple(filters),
            lifts=tuple(lifts),
            pins=tuple(pins.values()),
            width=INCLUDING_WIDTH if including else 0,
        )
