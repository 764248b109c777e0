"""The service: which systems, on which stream, under which protocol; a report comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.models.baselines.baseline import Baseline
from heedful.pipeline.pipeline import Pipeline
from heedful.services.evaluate.protocols import Protocol, Rules, walk
from heedful.services.evaluate.replay import Sheet, System, Told, replay
from heedful.services.evaluate.report import Report, table
from heedful.services.evaluate.streams import Stream, not_empty
from heedful.services.evaluate.systems import Codes, Paced, Pipelines, Repeats, Rival, Update
from heedful.views.fold import Fold
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.kinds import DEFAULT_MEANINGS
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import MINUTE

STATIC = (Protocol.NEXT_ITEM, Protocol.STRONG)
"""Protocols that learn once, so that there is nothing to delay."""


@dataclass(frozen=True, slots=True)
class Systems:
    """What can be compared, by name. baselines: made with the idle time that ends a session, in microseconds."""

    pipelines: Mapping[str, Callable[[Fold], Pipeline]]
    baselines: Mapping[str, Callable[[int], Baseline]]

    def __post_init__(self) -> None:
        """Raises Invalid (`system_ambiguous`) where a pipeline and a baseline have the same name."""
        if both := sorted(set(self.pipelines) & set(self.baselines)):
            raise Invalid(
                "system_ambiguous", f"{', '.join(both)}: the name of a pipeline and of a baseline; rename one"
            )

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.pipelines, *self.baselines)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay, and how.

    systems: names of `Systems`; the first is the reference unless `reference` names another. k: 1 to 100 items.
    kinds: whose items are asked for; those whose items join sessions when left out.
    limit: only the newest so many events; 0 all. sample: at most so many questions; 0 all.
    own_trail: the asker's newest items come with the question. With delayed updates they are known all the same;
        where the asker's events would be taken in they are not, as where an index is static.
    as_served: keep the filters that never answer what somebody looks at or has.
    The others: see `protocols.Rules`.
    """

    systems: tuple[str, ...]
    protocol: Protocol = Protocol.PREQUENTIAL
    repeats: tuple[Repeats, ...] = tuple(Repeats)
    updates: tuple[Update, ...] = (Update.INSTANT,)
    reference: str = ""
    k: int = 20
    kinds: tuple[str, ...] = ()
    limit: int = 0
    sample: int = 0
    seed: int = 0
    warm_up: float = 0.0
    split: float = 0.9
    held_out: float = 0.1
    strangers: bool = False
    own_trail: bool = False
    as_served: bool = False


def evaluate(
    stream: Stream, plan: Plan, systems: Systems, settings: Settings, *, progress: Told | None = None
) -> Report:
    """Replay `stream` as `plan` says.

    settings: of the folds that learn. progress: told how many questions were answered, of how many.
    Raises Invalid for a plan that does not fit, and for a stream with nothing to ask.
    """
    reference = _checked(plan, systems)
    stream = not_empty(stream).newest(plan.limit)
    sheets, codes = answers(stream, plan, systems, settings, progress=progress)
    course = plan.protocol is Protocol.PREQUENTIAL
    tables = [
        table(repeats, sheet, stream, codes, plan.k, reference, course=course, seed=plan.seed)
        for repeats, sheet in sheets.items()
    ]
    return Report(
        source=stream.source, protocol=plan.protocol, events=len(stream), k=plan.k, sample=plan.sample,
        seed=plan.seed, reference=reference.name, left_out=dict(stream.left_out), tables=tables,
    )  # fmt: skip


def answers(
    stream: Stream, plan: Plan, systems: Systems, settings: Settings, *, progress: Told | None = None
) -> tuple[dict[Repeats, Sheet], Codes]:
    """What every system answers to every question of the plan, in the codes that come along."""
    idle = int(settings.idle_minutes * MINUTE) if stream.idle is None else stream.idle
    asked = _asked(stream, plan, settings)
    rules = Rules(
        asked=asked, idle=idle, warm_up=plan.warm_up, split=plan.split, held_out=plan.held_out,
        strangers=plan.strangers, seed=plan.seed,
    )  # fmt: skip
    codes = Codes(stream)
    learners = _learners(stream, codes, plan, systems, settings, asked, idle)
    sheets = replay(
        lambda: walk(plan.protocol, stream, rules),
        learners,
        k=plan.k, repeats=plan.repeats, sample=plan.sample, seed=plan.seed, progress=progress,
    )  # fmt: skip
    return sheets, codes


def _learners(
    stream: Stream,
    codes: Codes,
    plan: Plan,
    systems: Systems,
    settings: Settings,
    asked: NDArray[np.bool_],
    idle: int,
) -> list[Paced]:
    """One fold for all pipelines of an update, and every baseline for itself."""
    chosen = {name: systems.pipelines[name] for name in plan.systems if name in systems.pipelines}
    learners = []
    for update in plan.updates:
        if chosen:
            own = plan.own_trail and (plan.protocol in STATIC or update is not Update.INSTANT)
            pipelines = Pipelines(
                stream, codes, chosen, settings, as_served=plan.as_served, own_trail=own, seed=plan.seed
            )
            learners.append(Paced(pipelines, update, stream.at))
        learners += [
            Paced(Rival(name, systems.baselines[name](idle), stream, asked), update, stream.at)
            for name in plan.systems
            if name in systems.baselines
        ]
    return learners


def _asked(stream: Stream, plan: Plan, settings: Settings) -> NDArray[np.bool_]:
    meanings = {**DEFAULT_MEANINGS, **settings.kinds}
    wanted = plan.kinds or tuple(name for name, meaning in meanings.items() if meaning.joins_session)
    asked = np.array([kind in wanted for kind in stream.names.kinds], dtype=np.bool_)
    if not asked.any():
        there = ", ".join(stream.names.kinds)
        raise Invalid(
            "nothing_to_ask", f"{stream.source} has no event of a kind that is asked for, only {there}"
        )
    return asked


def _checked(plan: Plan, systems: Systems) -> System:
    """The reference. Raises Invalid where the plan does not fit."""
    for name in (*plan.systems, *filter(None, (plan.reference,))):
        if name not in systems.names:
            raise Invalid("system_unknown", f"no system {name!r}; there are {', '.join(systems.names)}")
    reference = plan.reference or plan.systems[0]
    if reference not in plan.systems:
        raise Invalid("reference_missing", f"the reference {reference} is not among the systems")
    if plan.protocol in STATIC and plan.updates != (Update.INSTANT,):
        raise Invalid("update_pointless", f"{plan.protocol} learns once, so there is nothing to delay")
    return System(reference, plan.updates[0])
