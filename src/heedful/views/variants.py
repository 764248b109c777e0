"""Which variant did how well: decisions about content, joined with what people did after them.

A decision is credited with an outcome, once a kind:

1. when an event names it (`context.decisionId`), whoever sent it, up to the kind's window after the decision;
2. otherwise by last touch: an event without such an id counts for the last decision before it of the same
   person in each placement, within the window.

So what a decision earned depends on its neighbours, and late decisions and outcomes move credit. Therefore
the state is made of three sets (decisions, events that name one, and the person's own history, which the
history view holds), and what each decision earned is a pure function of them. A change only marks the decisions
whose outcome it may touch; they are settled before anything is read.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.canonical import word_of
from heedful.views.dictionary import Kinds, Subjects
from heedful.views.history import History
from heedful.views.mixing import digest_of
from heedful.views.rows import NO_ITEM, Rows
from heedful.views.variant_columns import Columns, absorbed, hashed, read_columns, written_columns
from heedful.views.variant_facts import FEATURES, MOST_VALUE, Reaction, Shown
from heedful.views.variant_sums import Moments, Regression, Sums
from heedful.views.view import Arrays, zeros
from heedful.vocabulary.consent import LEARNING
from heedful.vocabulary.kinds import CART, CLICK, LIKE, PURCHASE, SHARE, VIEW, WISHLIST
from heedful.vocabulary.time import DAY, Instant
from heedful.vocabulary.variants import REVENUE

WINDOWS: Mapping[str, int] = MappingProxyType(
    {CLICK: DAY, VIEW: DAY, CART: DAY, WISHLIST: DAY, LIKE: DAY, SHARE: DAY, PURCHASE: 7 * DAY}
)
"""Kinds of event that are outcomes, and for how many microseconds after a decision they count for it."""

MOST_OUTCOMES = 15
_NO_FLOOR = int(np.iinfo(np.int64).min)
_TOP = 1 << 64


class Earned(NamedTuple):
    """What followed a decision. kinds: a bit for each outcome. value: minor units, 0 to MOST_VALUE."""

    kinds: int
    value: int


_NOTHING = Earned(0, 0)


class Variants:
    """The view. windows: microseconds by kind of outcome, at most 15 kinds.

    outcomes: the names of what a reward can be made of, in the order of weights; `revenue` is the last.
    changes: grows with every change, so that what was derived can tell whether it still holds.
    """

    name = "variants"
    version = 1
    purpose = "learning"

    def __init__(
        self, history: History, subjects: Subjects, kinds: Kinds, windows: Mapping[str, int] = WINDOWS
    ) -> None:
        if not 1 <= len(windows) <= MOST_OUTCOMES:
            raise ValueError(f"1 to {MOST_OUTCOMES} kinds of outcome, not {len(windows)}")
        self._history, self._subjects = history, subjects
        names = sorted(windows)
        self.outcomes = (*names, REVENUE)
        self._places = {name: place for place, name in enumerate(names)}
        self._windows = np.array([windows[name] for name in names], dtype=np.int64)
        self._widest = max(windows.values(), default=0)
        self._outcome_of = np.full(1 << 16, -1, dtype=np.int8)
        for name, place in self._places.items():
            self._outcome_of[kinds.code(name)] = place
        self._purchase = kinds.code(PURCHASE)
        self._floor = _NO_FLOOR
        self.changes = 0
        self._clear()

    def _clear(self) -> None:
        self._decisions: dict[int, Shown] = {}
        self._earned: dict[int, Earned] = {}
        self._of_subject: dict[int, list[tuple[int, int]]] = {}
        self._shown_to = np.zeros(1_024, dtype=np.bool_)
        self._reactions: dict[int, list[Reaction]] = {}
        self._naming: dict[int, int] = {}
        self._touched: set[int] = set()
        self._codes: dict[tuple[str, str], int] = {}
        self._sums = Sums(len(self.outcomes))

    def __len__(self) -> int:
        """How many decisions are held."""
        return len(self._decisions)

    # What comes in

    def learn(self, shown: Iterable[Shown], reactions: Iterable[Reaction]) -> None:
        """Count facts in. Each is given once, and its event's own rows come and go with it."""
        for fact in shown:
            if fact.at >= self._floor:
                self._decisions[fact.key] = fact
                self._touched.add(fact.key)
                if fact.subject >= 0:
                    line = self._of_subject.setdefault(fact.subject, [])
                    insort(line, (fact.at, fact.key))
                    self._see(fact.subject)
                    self._touch_before(fact, line)
        for reaction in reactions:
            if reaction.at >= self._floor and reaction.kind in self._places:
                insort(self._reactions.setdefault(reaction.decision, []), reaction)
                self._touched.add(reaction.decision)
                self._naming[reaction.fingerprint] = reaction.decision

    def unlearn(self, shown: Iterable[Shown], reactions: Iterable[Reaction]) -> None:
        """Take facts out. One that is not there is left alone."""
        for fact in shown:
            if self._decisions.get(fact.key) == fact:
                self._drop(fact)
        for reaction in reactions:
            named = self._reactions.get(reaction.decision, [])
            if reaction in named:
                named.remove(reaction)
                self._naming.pop(reaction.fingerprint, None)
                self._touched.add(reaction.decision)
                if not named:
                    del self._reactions[reaction.decision]

    def apply(self, rows: Rows) -> None:
        """Notice rows that may be outcomes; the history, told before, has them."""
        self._notice(rows, gone=False)

    def retract(self, rows: Rows) -> None:
        """Notice that rows went."""
        self._notice(rows, gone=True)

    def advance(self, floor: Instant) -> None:
        """Drop decisions and reactions before `floor`."""
        if floor <= self._floor:
            return
        self._floor = floor
        for fact in [fact for fact in self._decisions.values() if fact.at < floor]:
            self._drop(fact)
        self.unlearn((), [each for named in self._reactions.values() for each in named if each.at < floor])

    # What it says

    def weights(self, reward: Mapping[str, float]) -> NDArray[np.float64]:
        """What each of `outcomes` is worth, float64. Raises KeyError for a name that is none of them."""
        weights = np.zeros(len(self.outcomes))
        for name, worth in reward.items():
            if name not in self.outcomes:
                raise KeyError(name)
            weights[self.outcomes.index(name)] = worth
        return weights

    def moments(
        self, placement: str, variants: Sequence[str], cell: int, weights: NDArray[np.float64], *,
        now: int, half_life: float,
    ) -> list[Moments]:  # fmt: skip
        """Of each of `variants`, its decisions in `cell`. half_life: in days; 0 never fades."""
        self.settle()
        codes = [self._codes.get((placement, variant), -1) for variant in variants]
        return [self._sums.moments(code, cell, weights, now // DAY, half_life) for code in codes]

    def regressions(
        self,
        placement: str,
        variants: Sequence[str],
        weights: NDArray[np.float64],
        *,
        now: int,
        half_life: float,
    ) -> list[Regression]:
        """Of each of `variants`, all of its decisions."""
        self.settle()
        codes = [self._codes.get((placement, variant), -1) for variant in variants]
        return [self._sums.regression(code, weights, now // DAY, half_life) for code in codes]

    def earned(self, key: int) -> dict[str, int]:
        """What followed the decision of that fingerprint: 1 by kind, and minor units of revenue."""
        self.settle()
        earned = self._earned[key]
        found = {name: 1 for name, place in self._places.items() if earned.kinds >> place & 1}
        return {**found, REVENUE: earned.value} if earned.value else found

    def settle(self) -> None:
        """Bring the sums up to date with what was touched."""
        if not self._touched:
            return
        self.changes += 1
        for key in self._touched:
            fact = self._decisions.get(key)
            if fact is None:
                continue
            before, after = self._earned.get(key), self._worked_out(fact)
            if before == after:
                continue
            self._earned[key] = after
            code, vector = self._code(fact), self._vector(fact, after)
            if before is None:
                self._sums.add(code, fact.cell, fact.at, vector, 1)
            else:
                self._sums.move(code, fact.cell, fact.at, self._vector(fact, before), vector)
        self._touched.clear()

    # The law

    def digest(self) -> bytes:
        """16 bytes over every decision with what it earned, every reaction, and every sum."""
        self.settle()
        lanes = zeros()
        columns, reactions = self._columns(), self._all_reactions()
        names = np.array([word_of("\0".join(name)) for name in columns.names], dtype=np.uint64)
        if columns.key.size:
            lanes += absorbed(
                columns.key, columns.at, self._named(columns.subject), names[columns.code], columns.cell,
                columns.features, columns.kinds, columns.value,
            )  # fmt: skip
        if reactions:
            words = np.array([(each.fingerprint, each.decision) for each in reactions], dtype=np.uint64)
            rest = np.array([(each.at, each.value, each.listed) for each in reactions], dtype=np.int64)
            kinds = np.array([word_of(each.kind) for each in reactions], dtype=np.uint64)
            people = np.array([each.subject for each in reactions], dtype=np.int32)
            lanes += absorbed(words, rest, kinds, self._named(people))
        for code, cell, day, sums in self._sums.entries():
            lanes += hashed(b"%d %d %d " % (names[code], cell, day), sums)
        return digest_of(lanes)

    def state(self) -> Arrays:
        """The decisions with what they earned and the reactions, as columns; see `variant_columns`."""
        self.settle()
        return {
            **written_columns(self._columns(), self._all_reactions(), self.outcomes[:-1]),
            "floor": np.array([self._floor], dtype=np.int64),
        }

    def restore(self, state: Arrays) -> None:
        """Take over a state; the subjects of that moment are known already, the history may follow."""
        shown, earned, reactions, floor = read_columns(state, self.outcomes[:-1], len(self._subjects))
        self._clear()
        self._floor = _NO_FLOOR
        self.learn(shown, reactions)
        self._floor = floor
        self._touched.clear()
        for fact, (kinds, value) in zip(shown, earned, strict=True):
            self._earned[fact.key] = Earned(kinds, value)
            vector = self._vector(fact, self._earned[fact.key])
            self._sums.add(self._code(fact), fact.cell, fact.at, vector, 1)

    # Marking

    def _see(self, subject: int) -> None:
        if subject >= len(self._shown_to):
            wider = np.zeros(subject * 3 // 2 + 1, dtype=np.bool_)
            wider[: len(self._shown_to)] = self._shown_to
            self._shown_to = wider
        self._shown_to[subject] = True

    def _notice(self, rows: Rows, *, gone: bool) -> None:
        if self._naming:  # the lines of a purchase that names its decision come and go with their order
            for i in np.flatnonzero(rows.kind == self._purchase).tolist():
                decision = self._naming.get(int(rows.fingerprint[i]))
                if decision is not None:
                    self._touched.add(decision)
        if not self._of_subject:
            return
        known = rows.subject < len(self._shown_to)
        concerned = known & (self._outcome_of[rows.kind] >= 0)
        concerned[concerned] = self._shown_to[rows.subject[concerned]]
        for i in np.flatnonzero(concerned).tolist():
            outcome = 0 if gone else 1 << int(self._outcome_of[rows.kind[i]])
            self._touch_last(int(rows.subject[i]), int(rows.at[i]), outcome)

    def _touch_last(self, subject: int, at: int, outcome: int = 0) -> None:
        """Mark the last decision at or before `at` of each placement; not where `outcome` is there already."""
        line = self._of_subject.get(subject, [])
        seen: set[str] = set()
        for when, key in reversed(line[: bisect_right(line, (at, _TOP))]):
            if at - when > self._widest:
                break
            fact = self._decisions[key]
            if fact.placement in seen:
                continue
            seen.add(fact.placement)
            earned = self._earned.get(key, _NOTHING)
            if not outcome or not earned.kinds & outcome:
                self._touched.add(key)

    def _touch_before(self, fact: Shown, line: list[tuple[int, int]]) -> None:
        """Mark the decision before `fact` in its placement: what followed `fact` was, or is, its own."""
        for when, key in reversed(line[: bisect_left(line, (fact.at, fact.key))]):
            if fact.at - when > self._widest:
                return
            if self._decisions[key].placement == fact.placement:
                self._touched.add(key)
                return

    def _drop(self, fact: Shown) -> None:
        earned = self._earned.pop(fact.key, None)
        if earned is not None:
            self._sums.add(self._code(fact), fact.cell, fact.at, self._vector(fact, earned), -1)
        line = self._of_subject.get(fact.subject)
        if line is not None:
            self._touch_before(fact, line)
            line.remove((fact.at, fact.key))
            if not line:
                del self._of_subject[fact.subject]
                self._shown_to[fact.subject] = False
        del self._decisions[fact.key]
        self._touched.discard(fact.key)
        self.changes += 1

    # Settling

    def _worked_out(self, fact: Shown) -> Earned:
        kinds = value = 0
        for each in self._reactions.get(fact.key, ()):
            place = self._places[each.kind]
            if each.at - fact.at <= self._windows[place] and (not each.listed or self._is_live(each)):
                kinds |= 1 << place
                value += each.value
        return Earned(kinds | self._touching(fact), min(value, MOST_VALUE))

    def _is_live(self, reaction: Reaction) -> bool:
        """Whether a line of a purchase counts: its order was not taken back, nor sent under another event."""
        low, high = self._stretch(reaction.subject, reaction.at, reaction.at + 1)
        rows = self._history.arrays
        same = rows.fingerprint[low:high] == np.uint64(reaction.fingerprint)
        same &= rows.purposes[low:high] & LEARNING != 0
        return bool((same & (rows.item[low:high] != NO_ITEM)).any())

    def _touching(self, fact: Shown) -> int:
        """The kinds that count for `fact` by last touch, as bits."""
        if fact.subject < 0:
            return 0
        low, high = self._stretch(fact.subject, fact.at, min(self._next(fact), fact.at + self._widest + 1))
        if low == high:
            return 0
        rows = self._history.arrays
        kind = rows.kind[low:high]
        outcome = self._outcome_of[kind]
        there = (outcome >= 0) & (rows.at[low:high] - fact.at <= self._windows[outcome])
        there &= (kind != self._purchase) | (rows.item[low:high] != NO_ITEM)
        there &= rows.purposes[low:high] & LEARNING != 0
        bits = 0
        for i in np.flatnonzero(there).tolist():
            if int(rows.fingerprint[low + i]) not in self._naming:
                bits |= 1 << int(outcome[i])
        return bits

    def _stretch(self, subject: int, since: int, until: int) -> tuple[int, int]:
        """Where the rows of `subject` from `since` to before `until` lie in the history's columns."""
        count = self._history.count(subject)
        if not count:
            return 0, 0
        rows = self._history.arrays
        start = int(rows.offset[subject])
        at = rows.at[start : start + count]
        low, high = np.searchsorted(at, (since, max(since, until)))
        return start + int(low), start + int(high)

    def _next(self, fact: Shown) -> int:
        """When the person's next decision of the same placement was made."""
        line = self._of_subject[fact.subject]
        for when, key in line[bisect_right(line, (fact.at, fact.key)) :]:
            if when - fact.at > self._widest:
                break
            if self._decisions[key].placement == fact.placement:
                return when
        return fact.at + self._widest + 1

    def _vector(self, fact: Shown, earned: Earned) -> NDArray[np.int64]:
        places = range(len(self._places))
        bits = [earned.kinds >> place & 1 for place in places]
        return np.array([*fact.features, *bits, earned.value], dtype=np.int64)

    def _code(self, fact: Shown) -> int:
        return self._codes.setdefault((fact.placement, fact.variant), len(self._codes))

    def _columns(self) -> Columns:
        facts = list(self._decisions.values())
        earned = [self._earned[fact.key] for fact in facts]
        used = {(fact.placement, fact.variant) for fact in facts}
        return Columns(
            names=[name if name in used else ("", "") for name in self._codes],
            key=np.array([fact.key for fact in facts], dtype=np.uint64),
            at=np.array([fact.at for fact in facts], dtype=np.int64),
            subject=np.array([fact.subject for fact in facts], dtype=np.int32),
            code=np.array([self._code(fact) for fact in facts], dtype=np.int32),
            cell=np.array([fact.cell for fact in facts], dtype=np.int32),
            features=np.array([fact.features for fact in facts], dtype=np.int8).reshape(-1, FEATURES),
            kinds=np.array([each.kinds for each in earned], dtype=np.uint16),
            value=np.array([each.value for each in earned], dtype=np.int64),
        )

    def _all_reactions(self) -> list[Reaction]:
        return [each for named in self._reactions.values() for each in named]

    def _named(self, subjects: NDArray[np.int32]) -> NDArray[np.uint64]:
        """Two words for each dense subject, 0 for nobody: uint64 (n, 2)."""
        keys = np.stack((self._subjects.keys[subjects], self._subjects.rests[subjects]), axis=1)
        keys[subjects < 0] = 0
        return keys
