"""What experiments come to: a row of whole numbers per unit, and the sums that statistics derive from.

The state is facts: what the log says of each trial, and who was exposed to which arm. With people's histories they
say each unit's figures (`views.trial_kernels`). Those are made anew for the units of whom anything changed, when
somebody asks or `refresh` is called, and the sums move by the difference; so a result is never older than the
fold, and recomputing everything from the log gives the same numbers to the last digit.

A unit is a person's pseudonym. It counts for the arm of its first exposure; one that was exposed to two arms of a
trial counts for none, and is told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.views.canonical import word_of
from heedful.views.dictionary import Kinds, Subjects
from heedful.views.exposures import Exposed, Exposures
from heedful.views.history import BEGINNING, History
from heedful.views.lookup import NONE
from heedful.views.mixing import LANES, digest_of, mixed
from heedful.views.outcomes import Outcomes
from heedful.views.rows import Rows
from heedful.views.trial_kernels import FIGURES, NUMBERS, UNEXPOSED, Money, Plan, Units, cap_of, figure
from heedful.views.trial_sums import Change, Standing, Sums, moments_of, picked, room_for
from heedful.views.view import Arrays
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.time import DAY, HOUR, Instant
from heedful.vocabulary.trial import Trial

_AT_ONCE = 20_000


class Exposure(NamedTuple):
    """An event that says which arms somebody was shown. subject: dense."""

    fingerprint: int
    at: int
    subject: int
    arms: tuple[tuple[str, str], ...]


class Trials:
    """The view. It reads the history and the amounts of the outcomes, so it is told after them."""

    name = "trials"
    version = 1
    purpose = "analytics"

    def __init__(self, history: History, outcomes: Outcomes, subjects: Subjects, kinds: Kinds) -> None:
        self._history, self._outcomes, self._subjects, self._kinds = history, outcomes, subjects, kinds
        self.exposures = Exposures()
        self._changes: dict[str, list[Change]] = {}
        self._standing: dict[str, Standing] = {}
        self._stale: set[str] = set()
        self._touched: NDArray[np.bool_] = np.zeros(1_024, dtype=np.bool_)
        self._floor = BEGINNING

    def apply(self, rows: Rows) -> None:
        """Remember of whom something changed. The history has the rows already."""
        if len(rows) and self._changes:
            self._touch(rows.subject)

    def retract(self, rows: Rows) -> None:
        """As `apply`: the history no longer has the rows."""
        self.apply(rows)

    def learn(self, exposures: Sequence[Exposure], changes: Iterable[Change] = ()) -> None:
        """Count facts in; each is given once."""
        if exposures:
            batch = self._batch(exposures)
            self.exposures.apply(batch, self._floor)
            self._touch(batch.subjects)
        for change in changes:
            known = self._changes.setdefault(change.trial.key, [])
            known.append(change)
            known.sort(key=lambda one: one[:2])
            self._stale.add(change.trial.key)

    def unlearn(self, exposures: Sequence[Exposure], changes: Iterable[Change] = ()) -> None:
        """Take facts out."""
        if exposures:
            batch = self._batch(exposures)
            self.exposures.retract(batch.prints)
            self._touch(batch.subjects)
        for change in changes:
            key = change.trial.key
            self._changes[key] = [
                one for one in self._changes.get(key, []) if one.fingerprint != change.fingerprint
            ]
            if not self._changes[key]:
                del self._changes[key]
            self._stale.add(key)

    def advance(self, floor: Instant) -> None:
        """Drop exposures before `floor`, and ignore such from now on. What a trial is stays known."""
        if floor <= self._floor:
            return
        self._floor = floor
        held = self.exposures.held()
        self.exposures.retract(held["print"][held["at"] < floor].copy())
        self._touched[:] = True

    def keys(self) -> list[str]:
        """The keys of the trials that ever ran, in order."""
        self._define()
        return sorted(self._standing)

    def standing(self, key: str) -> Standing | None:
        """A trial with rows and sums as of now, or None if there is none that ever ran. Do not change it."""
        self.refresh()
        return self._standing.get(key)

    def arm_of(self, key: str, subject: int) -> str | None:
        """The arm of trial `key` that dense `subject` was first exposed to; None if to none.

        Read from the facts, so it is never older than the fold.
        """
        first: tuple[int, int, str] | None = None
        slot = int(self.exposures.heads[subject]) if 0 <= subject < len(self.exposures.heads) else NONE
        while slot != NONE:
            entry = self.exposures.entries[slot]
            for trial, arm in self.exposures.arms[int(entry["arms"])]:
                known = (int(entry["at"]), int(entry["print"]), arm)
                if trial == key and (first is None or known < first):
                    first = known
            slot = int(entry["next"])
        return None if first is None else first[2]

    def refresh(self) -> None:
        """Bring rows and sums up to date. Costs some microseconds for each unit of whom something changed."""
        fresh = self._define()
        if not self._standing:
            return
        heads = self.exposures.heads
        exposed = np.zeros(max(len(heads), len(self._touched)), dtype=np.bool_)
        exposed[: len(heads)] = heads != NONE
        touched = np.zeros(len(exposed), dtype=np.bool_)
        touched[: len(self._touched)] = self._touched
        for key, standing in self._standing.items():
            if len(standing.place) < len(exposed):
                more = np.full(len(exposed) - len(standing.place), NONE, dtype=np.int32)
                standing.place = np.append(standing.place, more)
            moved = (
                exposed if key in fresh else touched & (exposed | (standing.place[: len(exposed)] != NONE))
            )
            self._figure(standing, np.flatnonzero(moved))
        self._touched[:] = False

    def by_age(self, standing: Standing, measure: int, ages: int, *, until: int) -> list[dict[int, Sums]]:
        """One measure by the days since the first exposure, by arm: whole days that were over at `until`."""
        whole = self._plan(standing)
        days = np.arange(ages, dtype=np.int64) * DAY
        plan = whole._replace(
            counts=whole.counts[[measure] * ages], per=whole.per[[measure] * ages], start=days, before=0,
            aggregate=whole.aggregate[[measure] * ages], window=np.full(ages, DAY, dtype=np.int64),
            cap=whole.cap[[measure] * ages], currency=whole.currency[[measure] * ages],
        )  # fmt: skip
        found: list[dict[int, Sums]] = [{} for _ in range(ages)]
        who = standing.whose[: standing.count][standing.rows.arm[: standing.count] >= 0].astype(np.int64)
        for start in range(0, len(who), _AT_ONCE):
            units = self._units(who[start : start + _AT_ONCE], plan)
            for age in range(ages):
                for arm in range(len(standing.trial.arms)):
                    old = (units.arm == arm) & (units.at + days[age] + DAY <= until)
                    if old.any():
                        moments = moments_of(units.figures[old][:, age : age + 1])
                        found[age].setdefault(arm, Sums(1)).add(int(old.sum()), moments, 1)
        return found

    def digest(self) -> bytes:
        """16 bytes over facts and rows, by the keys of subjects and events and the words of trials and arms."""
        self.refresh()
        held, people = self.exposures.held(), self._subjects.keys
        sayings = np.array([*map(word_of, map(repr, self.exposures.arms)), 0], dtype=np.uint64)
        changes = sorted((c.at, c.fingerprint, c.trial) for known in self._changes.values() for c in known)
        parts: list[tuple[int, list[NDArray[Any]]]] = [
            (1, [held["print"], people[held["subject"]], held["at"], sayings[held["arms"]]]),
            (2, [np.array([at for at, _, _ in changes], dtype=np.int64),
                 np.array([event for _, event, _ in changes], dtype=np.uint64),
                 np.array([word_of(_text(trial)) for _, _, trial in changes], dtype=np.uint64)]),
        ]  # fmt: skip
        for key, standing in self._standing.items():
            shown = np.flatnonzero(standing.rows.arm[: standing.count] != UNEXPOSED)
            rows, whose = picked(standing.rows, shown), standing.whose[shown]
            words = np.array([*map(word_of, standing.trial.arms), 0, 1], dtype=np.uint64)[
                rows.arm
            ]  # 0: CROSSED
            figures = rows.figures.reshape(len(whose), len(standing.trial.measures) * FIGURES)
            parts.append((word_of(key), [people[whose], words, rows.epoch, rows.at, rows.fresh, *figures.T]))
        sums = np.zeros(2, dtype=np.uint64)
        for lane in range(2):
            for part, columns in parts:
                state = np.full(len(columns[0]), LANES[lane] ^ np.uint64(part), dtype=np.uint64)
                for column in columns:
                    state = mixed(state ^ column.astype(np.uint64))
                sums[lane : lane + 1] += state.sum(dtype=np.uint64)
        return digest_of(sums)

    def state(self) -> Arrays:
        """The facts as columns; rows and sums are made anew after `restore`."""
        held = self.exposures.held()
        changes = [one for known in self._changes.values() for one in known]
        return {
            "prints": held["print"].copy(), "ats": held["at"].copy(), "subjects": held["subject"].copy(),
            "arms": held["arms"].copy(), "sayings": _packed(self.exposures.arms), "changes": _packed(changes),
            "floor": np.array([self._floor], dtype=np.int64),
        }  # fmt: skip

    def restore(self, state: Arrays) -> None:
        """Take over a state. Raises Corrupt if an array is missing or misshapen."""
        try:
            sayings = _sayings.decode(state["sayings"].tobytes())
            changes = _changes.decode(state["changes"].tobytes())
            columns = [state[name] for name in ("prints", "ats", "subjects", "arms")]
            self._floor = int(state["floor"][0])
        except (KeyError, IndexError, msgspec.DecodeError) as error:
            raise Corrupt(f"trials: {error!r}") from error
        sizes = {len(column) for column in columns}
        tops = ((columns[2], len(self._subjects)), (columns[3], len(sayings)))
        if len(sizes) != 1 or any(len(c) and not 0 <= int(c.min()) <= int(c.max()) < top for c, top in tops):
            raise Corrupt("trials: a column holds a number that means nothing")
        for said in sayings:
            self.exposures.number(said)
        self.exposures.apply(Exposed(*columns), self._floor)
        self.learn((), changes)
        self._touched[:] = True

    def _batch(self, exposures: Sequence[Exposure]) -> Exposed:
        return Exposed(
            np.array([one.fingerprint for one in exposures], dtype=np.uint64),
            np.array([one.at for one in exposures], dtype=np.int64),
            np.array([one.subject for one in exposures], dtype=np.int32),
            np.array([self.exposures.number(one.arms) for one in exposures], dtype=np.int32),
        )

    def _touch(self, subjects: NDArray[np.int32]) -> None:
        top = int(subjects.max()) + 1
        if top > len(self._touched):
            self._touched = np.append(
                self._touched,
                np.zeros(max(top - len(self._touched), len(self._touched) // 2), dtype=np.bool_),
            )
        self._touched[subjects] = True

    def _define(self) -> set[str]:
        """Set up what stands otherwise than before; returns the keys whose rows must all be made."""
        stale, self._stale = self._stale, set()
        for key in stale:
            changes = self._changes.get(key, [])
            self._standing.pop(key, None)
            if any(change.trial.running for change in changes):
                self._standing[key] = Standing(changes, len(self.exposures.heads))
        return stale

    def _figure(self, standing: Standing, who: NDArray[np.int64]) -> None:
        if not len(who):
            return
        plan = self._plan(standing)
        for start in range(0, len(who), _AT_ONCE):
            part = who[start : start + _AT_ONCE]
            standing.put(part, self._units(part, plan))

    def _units(self, part: NDArray[np.int64], plan: Plan) -> Units:
        store = self._outcomes.store
        money = Money(store.by_line.keys, store.by_line.values, store.amounts)
        aside = self._history.quantities_aside()
        units = room_for(len(part), len(plan.cap))
        figure(
            self._history.handle, self.exposures.entries, self.exposures.heads, part, plan, money, aside, units
        )  # fmt: skip
        return units

    def _plan(self, standing: Standing) -> Plan:
        trial, codes = standing.trial, self._kinds.codes
        m, k = len(trial.measures), len(self._kinds.names)
        counts, per = np.zeros((m, k), dtype=np.bool_), np.zeros((m, k), dtype=np.bool_)
        for row, measure in enumerate(trial.measures):
            for table, kinds in ((counts, measure.kinds), (per, measure.per)):
                table[row, [codes[kind] for kind in kinds if kind in codes]] = True
        arms = {arm: number for number, arm in enumerate(trial.arms)}
        return Plan(
            arm=np.array(
                [arms.get(dict(said).get(trial.key, ""), UNEXPOSED) for said in self.exposures.arms]
                or [UNEXPOSED],
                dtype=np.int16,
            ),
            since=int(standing.since),
            until=int(standing.until),
            turns=np.array([at for at, _ in standing.weights[1:]], dtype=np.int64),
            before=trial.before_days * DAY,
            counts=counts,
            per=per,
            aggregate=np.array([NUMBERS[one.aggregate] for one in trial.measures], dtype=np.int8),
            start=np.zeros(m, dtype=np.int64),
            window=np.array([one.hours * HOUR for one in trial.measures], dtype=np.int64),
            cap=np.array([cap_of(one.cap) for one in trial.measures], dtype=np.int64),
            currency=np.array(
                [self._outcomes.currency(one.currency) if one.currency else -1 for one in trial.measures],
                dtype=np.int16,
            ),
        )


_sayings = msgspec.json.Decoder(list[tuple[tuple[str, str], ...]])
_changes = msgspec.json.Decoder(list[Change])


def _packed(values: object) -> NDArray[np.uint8]:
    return np.frombuffer(msgspec.json.encode(values), dtype=np.uint8)


def _text(trial: Trial) -> str:
    return msgspec.json.encode(trial).decode()
