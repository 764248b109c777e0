"""What became of the answers: impressions, clicks, orders and money per person, day, placement and policy.

The state is facts: decisions, which event names which decision, and what lines of orders cost. With people's
histories they say, by `views.attribution`, what was credited to which answer. That join is made anew for the
people of whom anything changed, when somebody asks, so counting in costs next to nothing and the result is a
function of the set of events. Its rows are whole numbers, one per (person, group, day, measure, currency);
every total, variance and interval derives from them, with the person as the unit.

A group is a placement, a policy, a model and whether the person is held out; the day (UTC) is that of the
decision. Answers for nobody in particular have no person and count nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views import attribution
from heedful.views.canonical import word_of
from heedful.views.dictionary import Items, Subjects
from heedful.views.history import BEGINNING, History
from heedful.views.lookup import NONE, seek
from heedful.views.mixing import LANES, digest_of, mixed
from heedful.views.outcome_facts import AMOUNTS, DECISIONS, POOL, REFERENCES, Facts, Store, find_amounts
from heedful.views.rows import Rows
from heedful.views.view import Arrays
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.kinds import BUILT_IN, IMPRESSION
from heedful.vocabulary.time import DAY, Instant

ANSWERS, SHOWN, UNITS, REVENUE, ORDERS, VISITOR_UNITS, VISITOR_REVENUE, VISITOR_ORDERS = range(64, 72)
"""Measures beside the kinds of event: answers given, items in them, units, minor units and orders credited by
item, and the same for whatever the visitor bought. A measure below 64 is a kind's code: items with that kind."""

CLICKS = attribution.CLICKED
IMPRESSIONS = BUILT_IN.index(IMPRESSION)

_AT_ONCE = 50_000
_NO_CURRENCY = -1


class Group(NamedTuple):
    """What answers are told apart by."""

    placement: str
    policy: str
    model: str
    holdout: bool


_NO_GROUP = Group("", "", "", holdout=False)


class Tallies(NamedTuple):
    """The rows, shape (n,) each, in no order, each key once and no value 0.

    subject, group, day: int32. measure, currency: int16, currency -1 where there is none. value: int64.
    """

    subject: NDArray[np.int32]
    group: NDArray[np.int32]
    day: NDArray[np.int32]
    measure: NDArray[np.int16]
    currency: NDArray[np.int16]
    value: NDArray[np.int64]

    def only(self, kept: NDArray[np.bool_]) -> Tallies:
        """The rows where `kept`, bool (n,)."""
        return Tallies(
            self.subject[kept], self.group[kept], self.day[kept], self.measure[kept], self.currency[kept],
            self.value[kept],
        )  # fmt: skip


class Answers(NamedTuple):
    """Decisions as columns, shape (d,), by nothing in particular.

    subject, group: int32. at: int64. items: int32, of all of them, those of decision i before ends[i].
    """

    subject: NDArray[np.int32]
    group: NDArray[np.int32]
    at: NDArray[np.int64]
    items: NDArray[np.int32]
    ends: NDArray[np.int64]


_EMPTY = Tallies(*(np.empty(0, dtype=kind) for kind in ("i4", "i4", "i4", "i2", "i2", "i8")))


class Outcomes:
    """The view. It reads the history, so it is told after it."""

    name = "outcomes"
    version = 1
    purpose = "analytics"

    def __init__(self, history: History, items: Items, subjects: Subjects) -> None:
        self._history, self._items, self._subjects = history, items, subjects
        self.groups: list[Group] = []
        self.currencies: list[str] = []
        self._group_codes: dict[Group, int] = {}
        self._placements: dict[str, int] = {}
        self._currency_codes: dict[str, int] = {}
        self._floor = BEGINNING
        self._tallies = _EMPTY
        self._changed = False
        self.store = Store()

    def group(self, group: Group) -> int:
        """The dense number of a group, given now if it is new."""
        code = self._group_codes.get(group)
        if code is None:
            code = self._group_codes[group] = len(self.groups)
            self.groups.append(group)
            self._placements.setdefault(group.placement, len(self._placements))
        return code

    def currency(self, code: str) -> int:
        """The dense number of a currency, given now if it is new."""
        number = self._currency_codes.get(code)
        if number is None:
            number = self._currency_codes[code] = len(self.currencies)
            self.currencies.append(code)
        return number

    def apply(self, rows: Rows) -> None:
        """Remember of whom something changed. The history has the rows already."""
        if len(rows):
            self.store.cover(int(rows.subject.max()) + 1)
            self.store.touched[rows.subject] = True
            self._changed = True

    def retract(self, rows: Rows) -> None:
        """As `apply`: the history no longer has the rows."""
        self.apply(rows)

    def apply_facts(self, facts: Facts) -> None:
        """Count decisions, references and amounts in; each is given once."""
        self.store.cover(len(self._subjects))
        self.store.apply(facts, self._floor)
        self._changed = True

    def retract_facts(self, facts: Facts) -> None:
        """Take decisions, references and amounts out."""
        self.store.retract(facts.prints, facts.ref_events, facts.paid_events, facts.paid_lines)
        self._changed = True

    def advance(self, floor: Instant) -> None:
        """Drop what happened before `floor`, and ignore such facts from now on."""
        if floor <= self._floor:
            return
        self._floor = floor
        store = self.store
        decisions, references, amounts = self._decisions(), self._references(), self._amounts()
        old = amounts[amounts["at"] < floor]
        store.retract(
            decisions["print"][decisions["at"] < floor],
            references["event"][references["at"] < floor],
            old["event"].copy(),
            old["line"].copy(),
        )
        store.touched[:] = True
        self._changed = True

    def tallies(self) -> Tallies:
        """Every row, joined up to now."""
        if self._changed:
            self._join()
        return self._tallies

    def answers(self) -> Answers:
        """Every decision that is held."""
        held = self._decisions()
        counts = held["count"].astype(np.int64)
        ends = np.cumsum(counts)
        places = np.repeat(held["start"] - (ends - counts), counts) + np.arange(counts.sum())
        return Answers(held["subject"], held["group"], held["at"], self.store.pool[places], ends)

    def credited(self, prints: NDArray[np.uint64]) -> list[NDArray[np.int64] | None]:
        """What became of the items of these decisions, by fingerprint: for each decision int64 (items,), the kinds
        that are credited to the item as bits, its impression among them; None for a decision that is not held.

        The same join as for the figures, so what counts there counts here and nothing else.
        """
        store = self.store
        store.cover(len(self._subjects))
        found = [seek(store.by_decision.keys, store.by_decision.values, one) for one in prints]
        held = [slot for slot in found if slot != NONE and store.decisions["subject"][slot] != NONE]
        marks = np.zeros(int(store.meta[POOL]), dtype=np.int64)
        if held:
            self._joined(np.unique(store.decisions["subject"][held]).astype(np.int64), marks)
        mine = set(held)
        begins, counts = store.decisions["start"], store.decisions["count"]
        return [marks[begins[slot] : begins[slot] + counts[slot]] if slot in mine else None for slot in found]

    def held(self) -> tuple[int, int]:
        """How many decisions and how many events that name one are held."""
        store = self.store
        return int((store.decisions["subject"][: store.used(DECISIONS)] != NONE).sum()), store.held(
            REFERENCES
        )

    def digest(self) -> bytes:
        """16 bytes over facts and rows, by the keys of subjects, items and events and the words of groups."""
        tallies = self.tallies()
        groups = self._words([f"{g.placement}\n{g.policy}\n{g.model}\n{g.holdout}" for g in self.groups])
        moneys = self._words(self.currencies)
        people = self._subjects.keys
        decisions, references, amounts = self._decisions(), self._references(), self._amounts()
        parts: list[tuple[int, list[NDArray[Any]]]] = [
            (1, [decisions["print"], people[decisions["subject"]], decisions["at"], groups[decisions["group"]],
                 decisions["window"], decisions["buying"], decisions["shown"], self._shown_words(decisions)]),
            (2, [references["event"], self.store.decisions["print"][references["decision"]],
                 people[references["subject"]], references["at"]]),
            (3, [amounts["event"], amounts["line"], amounts["at"], amounts["amount"],
                 moneys[amounts["currency"]]]),
            (4, [people[tallies.subject], groups[tallies.group], tallies.day, tallies.measure,
                 moneys[tallies.currency], tallies.value]),
        ]  # fmt: skip
        sums = np.zeros(2, dtype=np.uint64)
        for lane in range(2):
            for part, words in parts:
                state = np.full(len(words[0]), LANES[lane] ^ np.uint64(part), dtype=np.uint64)
                for word in words:
                    state = mixed(state ^ word.astype(np.uint64))
                sums[lane : lane + 1] += state.sum(dtype=np.uint64)
        return digest_of(sums)

    def state(self) -> Arrays:
        """The facts as columns; the rows are joined anew after `restore`."""
        decisions, references, amounts = self._decisions(), self._references(), self._amounts()
        answers = self.answers()
        arrays: dict[str, NDArray[Any]] = {
            "prints": decisions["print"], "ats": decisions["at"], "windows": decisions["window"],
            "buying": decisions["buying"], "subjects": decisions["subject"], "groups": decisions["group"],
            "shown": decisions["shown"], "ends": answers.ends, "items": answers.items,
            "ref_events": references["event"], "ref_ats": references["at"],
            "ref_decisions": self.store.decisions["print"][references["decision"]],
            "ref_subjects": references["subject"], "paid_events": amounts["event"],
            "paid_lines": amounts["line"], "paid_ats": amounts["at"], "paid": amounts["amount"],
            "currencies": amounts["currency"], "floor": np.array([self._floor], dtype=np.int64),
            "names": _text([part for g in self._groups_in(decisions) for part in (*g[:3], str(int(g.holdout)))]),
            "moneys": _text(self.currencies),
        }  # fmt: skip
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    def restore(self, state: Arrays) -> None:
        """Take over a state. The dictionaries must hold the names of that moment already."""
        try:
            columns = {name: state[name] for name in Facts.__slots__}
            names, moneys, floor = _untext(state["names"]), _untext(state["moneys"]), int(state["floor"][0])
        except (KeyError, IndexError, UnicodeDecodeError) as error:
            raise Corrupt(f"outcomes: {error!r}") from error
        if len(names) % 4:
            raise Corrupt("outcomes: a group's name breaks off")
        facts = Facts(**columns)
        self._check(facts, len(names) // 4, len(moneys))
        known = [
            self.group(Group(names[place], names[place + 1], names[place + 2], names[place + 3] == "1"))
            for place in range(0, len(names), 4)
        ]
        facts = replace(facts, groups=np.array(known, dtype=np.int32)[facts.groups])
        for money in moneys:
            self.currency(money)
        self._floor = floor
        self.apply_facts(facts)
        self.store.touched[:] = True

    def _check(self, facts: Facts, groups: int, moneys: int) -> None:
        """Raises Corrupt unless `facts` can be applied."""
        lengths = [
            {len(column) for column in (facts.prints, facts.ats, facts.windows, facts.buying, facts.subjects,
                                        facts.groups, facts.shown, facts.ends)},
            {len(c) for c in (facts.ref_events, facts.ref_ats, facts.ref_decisions, facts.ref_subjects)},
            {len(c) for c in (facts.paid_events, facts.paid_lines, facts.paid_ats, facts.paid,
                              facts.currencies)},
        ]  # fmt: skip
        ends = facts.ends
        if any(len(each) != 1 for each in lengths) or (np.diff(ends, prepend=0) < 0).any():
            raise Corrupt("outcomes: columns of different length")
        if len(facts.items) != (ends[-1] if len(ends) else 0):
            raise Corrupt("outcomes: the items do not fit the decisions")
        for column, top in (
            (facts.subjects, len(self._subjects)),
            (facts.ref_subjects, len(self._subjects)),
            (facts.items, len(self._items)),
            (facts.groups, groups),
            (facts.currencies, moneys),
        ):
            if len(column) and not 0 <= int(column.min()) <= int(column.max()) < top:
                raise Corrupt("outcomes: a column holds a number that means nothing")

    def _groups_in(self, decisions: NDArray[Any]) -> list[Group]:
        """The groups by number, without the names of those of which no decision is held any more."""
        used = np.zeros(len(self.groups), dtype=np.bool_)
        used[decisions["group"]] = True
        return [g if held else _NO_GROUP for g, held in zip(self.groups, used.tolist(), strict=True)]

    def _decisions(self) -> NDArray[Any]:
        used = self.store.decisions[: self.store.used(DECISIONS)]
        # A free entry has no subject either.
        held: NDArray[Any] = used[used["subject"] != NONE]
        return held

    def _references(self) -> NDArray[Any]:
        used = self.store.references[: self.store.used(REFERENCES)]
        held: NDArray[Any] = used[used["held"] == 1]
        return held

    def _amounts(self) -> NDArray[Any]:
        used = self.store.amounts[: self.store.used(AMOUNTS)]
        held: NDArray[Any] = used[used["held"] == 1]
        return held

    def _words(self, texts: Sequence[str]) -> NDArray[np.uint64]:
        """A word each, and 0 for the number -1."""
        return np.array([*map(word_of, texts), 0], dtype=np.uint64)

    def _shown_words(self, decisions: NDArray[Any]) -> NDArray[np.uint64]:
        """A word over the items of each decision in their order."""
        counts = decisions["count"].astype(np.int64)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        keys = self._items.keys[self.store.pool[np.repeat(decisions["start"], counts) + within]]
        words = mixed(keys ^ mixed(within.astype(np.uint64)))
        sums = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(words, dtype=np.uint64)))
        ends = np.cumsum(counts)
        return np.asarray(sums[ends] - sums[ends - counts], dtype=np.uint64)

    def _join(self) -> None:
        """Join everybody of whom something changed anew."""
        store = self.store
        store.cover(len(self._subjects))
        self._touch_the_named()
        touched = store.touched
        keep = ~touched[self._tallies.subject]
        parts = [self._tallies.only(keep)]
        who = np.flatnonzero(touched & (store.heads != NONE))
        marks = np.zeros(int(store.meta[POOL]), dtype=np.int64)
        for start in range(0, len(who), _AT_ONCE):
            slots, counts, sales = self._joined(who[start : start + _AT_ONCE], marks)
            parts += [self._counted(slots, counts), self._sold(sales)]
        self._tallies = Tallies(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        store.touched[:] = False
        self._changed = False

    def _joined(
        self, who: NDArray[np.int64], marks: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """`attribution.join` of these people; `marks` by place in the pool."""
        store = self.store
        whole = np.zeros(store.used(DECISIONS), dtype=np.int64)
        placements = np.array([self._placements[group.placement] for group in self.groups], dtype=np.int32)
        return attribution.join(
            who, self._history.arrays, store.decisions, store.references, store.heads, store.pool,
            store.by_event.keys, store.by_event.values, placements, marks, whole,
        )  # fmt: skip

    def _touch_the_named(self) -> None:
        """A change at one person's events changes the answers of others that those events name."""
        store = self.store
        references = self._references()
        theirs = store.decisions["subject"][references["decision"]]
        moved = theirs[(theirs != NONE) & (theirs != references["subject"])
                       & store.touched[references["subject"]]]  # fmt: skip
        store.touched[moved] = True

    def _counted(self, slots: NDArray[np.int32], counts: NDArray[np.int32]) -> Tallies:
        """Rows of how many items had what."""
        shown = self.store.decisions["count"][slots]
        columns = np.column_stack((counts, np.ones(len(slots), dtype=np.int32), shown))
        measures = np.array([*range(attribution.KINDS), ANSWERS, SHOWN], dtype=np.int16)
        place, column = np.nonzero(columns)
        return self._summed(
            slots[place], measures[column], np.full(len(place), _NO_CURRENCY, dtype=np.int16),
            columns[place, column].astype(np.int64),
        )  # fmt: skip

    def _sold(self, sales: NDArray[np.int64]) -> Tallies:
        """Rows of units, orders and money."""
        store, rows = self.store, self._history.arrays
        slots, places, at = sales[:, 0], sales[:, 1], sales[:, 2]
        events, lines = rows.fingerprint[at], rows.line[at]
        units = rows.quantity[at].astype(np.int64)
        for i in np.flatnonzero(units == 0):  # beyond 255: the history keeps it aside
            units[i] = self._history.quantity_at(int(at[i]))
        visitor = (places == attribution.VISITOR) * np.int16(VISITOR_UNITS - UNITS)
        none = np.full(len(at), _NO_CURRENCY, dtype=np.int16)
        paid = find_amounts(store.by_line.keys, store.by_line.values, events, lines)
        known = paid != NONE
        amounts = store.amounts[paid[known]]
        orders = np.unique(np.rec.fromarrays([slots, visitor, events]))
        parts = [
            self._summed(slots, (UNITS + visitor).astype(np.int16), none, units),
            self._summed(
                slots[known], (REVENUE + visitor[known]).astype(np.int16), amounts["currency"],
                amounts["amount"],
            ),
            self._summed(
                orders["f0"], (ORDERS + orders["f1"]).astype(np.int16), none[: len(orders)],
                np.ones(len(orders), dtype=np.int64),
            ),
        ]  # fmt: skip
        return Tallies(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _summed(
        self,
        slots: NDArray[Any],
        measures: NDArray[np.int16],
        currencies: NDArray[np.int16],
        values: NDArray[np.int64],
    ) -> Tallies:
        """Values of decisions as sums by person, group, day, measure and currency."""
        whose = self.store.decisions[slots]
        keys = [whose["subject"], whose["group"], (whose["at"] // DAY).astype(np.int32), measures, currencies]
        if not len(slots):
            return _EMPTY
        order = np.lexsort(keys[::-1])
        keys = [key[order] for key in keys]
        new = np.zeros(len(order), dtype=np.bool_)
        new[0] = True
        for key in keys:
            new[1:] |= key[1:] != key[:-1]
        starts = np.flatnonzero(new)
        sums = np.add.reduceat(values[order], starts)
        kept = starts[sums != 0]
        subject, group, day, measure, currency = (key[kept] for key in keys)
        return Tallies(subject, group, day, measure, currency, sums[sums != 0])


def _text(names: Sequence[str]) -> NDArray[np.uint8]:
    """Texts as one array: each after its length in four bytes."""
    parts = [len(name.encode()).to_bytes(4, "little") + name.encode() for name in names]
    return np.frombuffer(b"".join(parts), dtype=np.uint8)


def _untext(packed: NDArray[np.uint8]) -> list[str]:
    whole, names, at = packed.tobytes(), [], 0
    while at < len(whole):
        end = at + 4 + int.from_bytes(whole[at : at + 4], "little")
        names.append(whole[at + 4 : end].decode())
        at = end
    return names
