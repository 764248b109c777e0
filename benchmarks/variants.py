"""Regret of our variants on playground streams, beside MABWiser and Vowpal Wabbit on the same streams.

A banner shows one of five wares of the playground, each of another department, to visitors of its crowd. What a
visitor does follows the playground's truth: the chance of a click is its mean over the shoppers who share the
visitor's context, so it is known, and regret is the chance of the best banner for that context on that day less
that of the one shown, summed up. Three streams of 4,000 visitors over 28 days: `steady` (one day's truth, no
context), `drifting` (fashions come and go, no context), `contexts` (favourite department and thrift of the
visitor, drifting). Every policy meets the same visitors, and the same visitor clicks on the same banners. Rewards
come at once, because the peers cannot wait. All policies run with their defaults; our view is fed with the facts
that the log would give it.

The peers are not dependencies: `pip install mabwiser==2.7.4 vowpalwabbit==9.11.9`. One that is absent is left out.
Run as `python -m benchmarks.variants`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, show
from heedful.models.variants.chooser import Chooser
from heedful.models.variants.draw import draw
from heedful.models.variants.features import Moment, moment_of
from heedful.playground.truth import CLICK_OFFSET, logistic
from heedful.playground.wares import DEPARTMENTS
from heedful.playground.world import OPENED, World
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import Items, Kinds, Subjects
from heedful.views.history import History
from heedful.views.variant_facts import Reaction, Shown
from heedful.views.variants import Variants
from heedful.vocabulary.kinds import CLICK
from heedful.vocabulary.time import DAY, Instant
from heedful.vocabulary.variants import Algorithm, Variant, VariantPlacement

ROUNDS, DAYS, ARMS = 4_000, 28, 5
SEEDS = (1, 2, 3, 4, 5)
STREAMS = ("steady", "drifting", "contexts")
Floats = NDArray[np.float64]


class Stream(NamedTuple):
    """contexts: what is told, by cell. cell, day: (rounds,). chance: (days, cells, arms). luck: (rounds, arms)."""

    contexts: list[dict[str, str | float | bool]]
    cell: NDArray[np.int64]
    day: NDArray[np.int64]
    chance: Floats
    luck: Floats


class Policy(Protocol):
    """Something that chooses and is told what came of it."""

    def choose(self, context: Mapping[str, str | float | bool], cell: int, day: int) -> int: ...

    def learn(self, reward: int) -> None: ...


def stream(kind: str, seed: int) -> Stream:
    """The visitors of one stream."""
    world = World(seed=seed, items=300, shoppers=600)
    rng = np.random.default_rng([seed, 41])
    today = OPENED // DAY
    moods = np.array([world.truth.mood(today + day) for day in range(DAYS)])
    # Wares that are in fashion at some time, so that drift is felt; the one of each department that rises most.
    rising = moods.max(axis=0)
    departments = rng.permutation(len(DEPARTMENTS))[:ARMS]
    wares = [
        int(np.where(world.catalogue.department == one, rising, -np.inf).argmax()) for one in departments
    ]
    loved = np.array([int(world.truth.goal_chances(who, today).argmax()) for who in range(600)])
    thrifty = world.crowd.thrift > np.median(world.crowd.thrift)
    favourite = np.where(np.isin(loved, departments), loved, -1)
    cells = sorted({(int(one), bool(two)) for one, two in zip(favourite, thrifty, strict=True)})
    members = [np.flatnonzero((favourite == one) & (thrifty == two)) for one, two in cells]
    chance = np.zeros((DAYS, 600, ARMS))
    for day in range(DAYS):
        for who in range(600):
            chance[day, who] = logistic(world.truth.utility(who, today + day)[wares] + CLICK_OFFSET)
    if kind == "steady":
        chance[:] = chance[:1]
    if kind == "contexts":
        by_cell = np.stack([chance[:, these].mean(axis=1) for these in members], axis=1)
        contexts: list[dict[str, str | float | bool]] = [
            {"favourite": DEPARTMENTS[one].name if one >= 0 else "other", "thrifty": two}
            for one, two in cells
        ]
        weights = np.array([len(these) for these in members], dtype=float)
    else:
        by_cell, contexts, weights = chance.mean(axis=1, keepdims=True), [{}], np.ones(1)
    return Stream(
        contexts,
        rng.choice(len(contexts), size=ROUNDS, p=weights / weights.sum()),
        np.arange(ROUNDS) * DAYS // ROUNDS,
        by_cell,
        rng.random((ROUNDS, ARMS)),
    )


def regret(policy: Policy, visitors: Stream) -> float:
    """What was lost against the best banner for each visitor, in clicks."""
    lost = 0.0
    for number in range(ROUNDS):
        cell, day = int(visitors.cell[number]), int(visitors.day[number])
        chance = visitors.chance[day, cell]
        arm = policy.choose(visitors.contexts[cell], cell, day)
        policy.learn(int(visitors.luck[number, arm] < chance[arm]))
        lost += float(chance.max() - chance[arm])
    return lost


class Ours:
    """The variants view with a chooser over it, as services.decide uses them."""

    def __init__(self, algorithm: Algorithm, visitors: Stream, seed: int, **settings: Any) -> None:
        del visitors
        self._rng = np.random.default_rng([seed, 43])
        subjects, kinds, items = Subjects(), Kinds(), Items(Pseudonyms(bytes(32)))
        self.view = Variants(History(subjects, items, kinds), subjects, kinds)
        self._chooser = Chooser(self.view)
        self.placement = VariantPlacement(
            tuple(Variant(str(arm)) for arm in range(ARMS)), algorithm=algorithm, **settings
        )
        self._shown: Shown | None = None
        self._moment: Moment | None = None
        self._count = 0

    def choose(self, context: Mapping[str, str | float | bool], cell: int, day: int) -> int:
        moment, at = moment_of(context), Instant(OPENED + day * DAY)
        odds = self._chooser.odds("banner", self.placement, moment, at)
        arm = draw(int(self._rng.integers(1 << 63)), odds.parts)
        self._count += 1
        self._shown = Shown(self._count, -1, at, "banner", str(arm), moment.cell, moment.features)
        return arm

    def learn(self, reward: int) -> None:
        shown = self._shown
        assert shown is not None
        clicks = [Reaction(shown.key | 1 << 40, shown.key, -1, shown.at, CLICK, 0, False)] if reward else []
        self.view.learn([shown], clicks)


class Uniform:
    """A random banner: what regret is without learning."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 44])

    def choose(self, context: object, cell: int, day: int) -> int:
        return int(self._rng.integers(ARMS))

    def learn(self, reward: int) -> None:
        pass


class MabWiser:
    """A policy of MABWiser over one-hot contexts with a constant."""

    def __init__(self, policy: Any, visitors: Stream, seed: int, *, linear: bool) -> None:
        MAB = importlib.import_module("mabwiser.mab").MAB  # noqa: N806 - a class

        self._mab = MAB(list(range(ARMS)), policy, seed=seed)
        self._rows = one_hot(visitors.contexts) if linear else None
        self._last: tuple[int, Any] = (0, None)
        self._rounds = 0

    def choose(self, context: object, cell: int, day: int) -> int:
        row = None if self._rows is None else self._rows[cell : cell + 1]
        if self._rounds < ARMS:
            arm = (
                self._rounds
            )  # its upper bounds ignore an arm that was never played: each is played once first
        else:
            arm = int(self._mab.predict() if row is None else self._mab.predict(row))
        self._last = (arm, row)
        return arm

    def learn(self, reward: int) -> None:
        arm, row = self._last
        told = ([arm], [reward]) if row is None else ([arm], [reward], row)
        if self._rounds:
            self._mab.partial_fit(*told)
        else:
            self._mab.fit(*told)
        self._rounds += 1


class VowpalWabbit:
    """`--cb_explore_adf` with an exploration; every action is a feature and meets every one of the context."""

    def __init__(self, exploration: str, visitors: Stream, seed: int) -> None:
        Workspace = importlib.import_module("vowpalwabbit").Workspace  # noqa: N806 - a class

        crossing = "-q CA" if len(visitors.contexts) > 1 else ""
        self._vw = Workspace(
            f"--cb_explore_adf {exploration} {crossing} --random_seed {seed} --quiet", enable_logging=False
        )
        self._shared = [
            "shared |C " + " ".join(f"{name}={value}" for name, value in context.items())
            for context in visitors.contexts
        ]
        self._rng = np.random.default_rng([seed, 46])
        self._last: tuple[str, int, float] = ("", 0, 1.0)

    def choose(self, context: object, cell: int, day: int) -> int:
        lines = [self._shared[cell], *(f"|A arm={arm}" for arm in range(ARMS))]
        chances = np.array(self._vw.predict("\n".join(lines)))
        arm = int(self._rng.choice(ARMS, p=chances / chances.sum()))
        self._last = (self._shared[cell], arm, float(chances[arm]))
        return arm

    def learn(self, reward: int) -> None:
        shared, chosen, chance = self._last
        lines = [shared]
        for arm in range(ARMS):
            label = f"0:{-reward}:{chance} " if arm == chosen else ""
            lines.append(f"{label}|A arm={arm}")
        self._vw.learn("\n".join(lines))


def one_hot(contexts: Sequence[Mapping[str, str | float | bool]]) -> Floats:
    """A constant and a column for each value, one row a context."""
    names = sorted({f"{name}={value}" for context in contexts for name, value in context.items()})
    rows = [
        [1.0, *(float(n in {f"{k}={v}" for k, v in context.items()}) for n in names)] for context in contexts
    ]
    return np.array(rows)


Make = Callable[[Stream, int], Policy]


def peers(kind: str) -> dict[str, Make]:
    """Every policy of the peers that are installed and suits the stream."""
    found: dict[str, Make] = {}
    linear = kind == "contexts"
    if importlib.util.find_spec("mabwiser") is None:
        print("mabwiser is not installed: left out")
    else:
        Learning = importlib.import_module("mabwiser.mab").LearningPolicy  # noqa: N806 - a class

        chosen = (
            {"LinTS": Learning.LinTS(), "LinUCB": Learning.LinUCB(), "LinGreedy": Learning.LinGreedy()}
            if linear
            else {
                "Thompson": Learning.ThompsonSampling(),
                "UCB1": Learning.UCB1(),
                "greedy": Learning.EpsilonGreedy(),
            }
        )
        for name, policy in chosen.items():
            found[f"mabwiser {name}"] = _mabwiser(policy, linear)
    if importlib.util.find_spec("vowpalwabbit") is None:
        print("vowpalwabbit is not installed: left out")
    else:
        for exploration in (
            "--squarecb",
            "--epsilon 0.05",
            "--bag 5",
            "--regcb --cb_min_cost -1 --cb_max_cost 0",
        ):
            found[f"vw {exploration.split(' --')[0].removeprefix('--')}"] = _vowpal(exploration)
    return found


def _mabwiser(policy: Any, linear: bool) -> Make:
    return lambda visitors, seed: MabWiser(policy, visitors, seed, linear=linear)


def _vowpal(exploration: str) -> Make:
    return lambda visitors, seed: VowpalWabbit(exploration, visitors, seed)


def ours(**settings: Any) -> dict[str, Make]:
    """Our two algorithms with the settings given."""
    return {
        f"heedful {algorithm.value}": _ours(algorithm, settings)
        for algorithm in (Algorithm.THOMPSON, Algorithm.SQUARECB)
    }


def _ours(algorithm: Algorithm, settings: Mapping[str, Any]) -> Make:
    return lambda visitors, seed: Ours(algorithm, visitors, seed, **settings)


def run(seeds: Sequence[int] = SEEDS, kinds: Sequence[str] = STREAMS) -> list[Row]:
    """The mean regret of every policy on every stream."""
    rows: list[Row] = []
    for kind in kinds:
        visitors = {seed: stream(kind, seed) for seed in seeds}
        others = peers(kind)
        lost: dict[str, float] = {}
        for name, make in {"random": lambda _, seed: Uniform(seed), **ours(), **others}.items():
            began = perf_counter()
            lost[name] = float(
                np.mean([regret(make(visitors[seed], seed), visitors[seed]) for seed in seeds])
            )
            spent = (perf_counter() - began) / len(seeds) / ROUNDS * 1e6
            rows.append(Row(f"{kind}: {name} ({spent:,.0f} µs a round)", lost[name], "clicks lost", ""))
        if others:
            best = min(others, key=lambda name: lost[name])
            mine = lost["heedful thompson"]
            rows.append(Row(f"{kind}: thompson / best peer ({best})", mine / lost[best], "", "<= 1.05"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.variants")
    parser.add_argument("streams", nargs="*", choices=[*STREAMS, []], default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    asked = parser.parse_args()
    show("Variants: regret", run(asked.seeds, asked.streams or STREAMS))


if __name__ == "__main__":
    main()
