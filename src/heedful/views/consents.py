"""What people chose: every change of consent in the log, by person, from which the choice in force is told.

The state is the set of changes, so it depends on no order of arrival here; the order that counts is the records'
own (when they arrived at the server). A change that comes late to the view, or is taken back, falls into its
place.

It counts changes, not rows, so like the catalogue it is told by `apply` and `retract` of its own, and `advance`
drops nothing: a refusal does not lapse because the history was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views import consent_kernels as kernels
from heedful.views.canonical import word_of
from heedful.views.consent_kernels import ENTRY, NONE
from heedful.views.dictionary import Subjects
from heedful.views.mixing import LANES, digest_of, mixed
from heedful.views.view import Arrays
from heedful.vocabulary.consent import ALL, FOREVER, NEVER, STATES, ConsentChange, Standing, standing_of
from heedful.vocabulary.errors import Corrupt, SettingsError
from heedful.vocabulary.event import Event
from heedful.vocabulary.time import Instant

MOST_PURPOSES = 63
"""Purposes that fit into the bits of an entry, beside ALL."""

_COLUMNS = ("event", "received", "at", "expires", "purposes", "subject", "notice", "state", "flags")

Reader = Callable[[Event, Instant, Instant], Sequence[ConsentChange]]
"""From an event, its time and its arrival to the changes in it: `privacy.changes.reader(purposes)`."""


class ConsentFact(NamedTuple):
    """The changes that one event makes. subject: dense. event: its fingerprint, uint64."""

    subject: int
    event: int
    changes: tuple[ConsentChange, ...]


class Consents:
    """The view's state. Dense subjects are those of `subjects`."""

    name = "consents"
    version = 1
    purpose = "legal"

    def __init__(self, subjects: Subjects, purposes: Sequence[str]) -> None:
        """purposes: the ids that choices are kept about, at most 63; part of what a snapshot is of."""
        if len(purposes) > MOST_PURPOSES:
            raise SettingsError(f"there are {len(purposes)} purposes; at most {MOST_PURPOSES} can be")
        self._subjects = subjects
        self._names = (ALL, *purposes)
        self._bits = {name: 1 << place for place, name in enumerate(self._names)}
        self._clear()

    def _clear(self) -> None:
        self._entries: NDArray[Any] = np.zeros(64, dtype=ENTRY)
        self._heads: NDArray[np.int32] = np.full(1_024, NONE, dtype=np.int32)
        self._meta = np.array([0, NONE, 0], dtype=np.int64)

    def __len__(self) -> int:
        """How many entries are held: changes of one event with the same terms share one."""
        return int(self._meta[kernels.HELD])

    def apply(self, facts: Iterable[ConsentFact]) -> None:
        """Count `facts` in. The fold gives each once. A change about a purpose that there is not is left out."""
        for fact in facts:
            self._cover(fact.subject + 1)
            for terms, bits in self._grouped(fact.changes).items():
                self._reserve(1)
                kernels.put(
                    self._entries, self._heads, self._meta, fact.subject, np.uint64(fact.event), bits, *terms
                )

    def retract(self, facts: Iterable[ConsentFact]) -> None:
        """Take `facts` out, leaving no trace. One that is not there changes nothing."""
        for fact in facts:
            if fact.subject < len(self._heads):
                kernels.take(self._entries, self._heads, self._meta, fact.subject, np.uint64(fact.event))

    def advance(self, floor: Instant) -> None:
        """Nothing: choices are kept as long as their records."""

    def standing(self, subjects: Sequence[int], purpose: str, at: Instant) -> Standing:
        """What the choices of one person, under all their dense `subjects`, come to for `purpose` at `at`.

        By when they arrived, the stricter first among those that arrived together; floors as in `standing_of`.
        """
        known = [subject for subject in subjects if self._begun(subject)]
        if not known:
            return Standing()
        if len(known) > 1:
            return standing_of((change for one in known for change in self.changes(one)), purpose, at)
        mask = np.uint64(1 | self._bits.get(purpose, 0))
        found = kernels.stand(self._entries, self._heads, known[0], mask, at)
        state, floor, since, expires, notice, explicit, guardian = found
        if state == 0:
            return Standing()
        return Standing(
            STATES[state],
            Instant(floor),
            Instant(since),
            Instant(expires),
            notice,
            bool(explicit),
            bool(guardian),
        )

    def latest(self, subject: int) -> Instant:
        """When the last change of a dense subject arrived; NEVER where there is none."""
        return max((one.received for one in self.changes(subject)), default=NEVER)

    def has(self, subject: int) -> bool:
        """Whether a dense subject ever chose anything."""
        return self._begun(subject)

    def who(self) -> NDArray[np.int32]:
        """The dense subjects that chose something, ascending."""
        return np.flatnonzero(self._heads != NONE).astype(np.int32)

    def events(self) -> dict[int, int]:
        """The fingerprints of all events that chose something, each with its dense subject."""
        held = self._held()
        return dict(zip(held["event"].tolist(), held["subject"].tolist(), strict=True))

    def events_of(self, subject: int) -> list[int]:
        """The fingerprints of a dense subject's events that chose something, each once, in order of arrival."""
        found: dict[int, None] = {}
        slot = int(self._heads[subject]) if self._begun(subject) else NONE
        while slot != NONE:
            found[int(self._entries["event"][slot])] = None
            slot = int(self._entries["next"][slot])
        return list(found)

    def running_out(self, after: Instant, until: Instant) -> tuple[NDArray[np.int32], Instant]:
        """Whose grants end in (after, until], dense, and when the next one after that ends, or FOREVER."""
        held = self._held()
        ends = held["expires"].astype(np.int64)
        over = (ends != 0) & (ends > after) & (ends <= until)
        later = ends[ends > until]
        return np.unique(held["subject"][over]), Instant(int(later.min()) if len(later) else FOREVER)

    def changes(self, subject: int) -> list[ConsentChange]:
        """Every change of a dense subject, in order of arrival; ties in an order of no meaning."""
        found = []
        slot = int(self._heads[subject]) if self._begun(subject) else NONE
        while slot != NONE:
            _, received, at, expires, purposes, _, slot, notice, state, flags = self._entries[slot].item()
            terms = STATES[state], received, at, expires, notice, bool(flags & 1), bool(flags & 2)
            found += [
                ConsentChange(name, *terms) for place, name in enumerate(self._names) if purposes >> place & 1
            ]
        return found

    def digest(self) -> bytes:
        """16 bytes over every change held, by the keys of subjects and events and the names of purposes."""
        held = self._held()
        sums = np.zeros(2, dtype=np.uint64)
        subjects = self._subjects.keys[held["subject"]]
        words = [
            subjects,
            *(held[name].astype(np.int64).view(np.uint64) for name in ("received", "at", "expires")),
        ]
        terms = held["notice"].astype(np.uint64) << np.uint64(16)
        terms |= held["state"].astype(np.uint64) << np.uint64(8) | held["flags"].astype(np.uint64)
        for lane in range(2):
            mingled = mixed(held["event"] ^ LANES[lane])
            for word in (*words, terms):
                mingled = mixed(mingled ^ word)
            for place, name in enumerate(self._names):
                has = (held["purposes"] >> np.uint64(place) & np.uint64(1)).astype(np.bool_)
                marked = mixed(mingled[has] ^ np.uint64(word_of(name)))
                sums[lane : lane + 1] += marked.sum(dtype=np.uint64)
        return digest_of(sums)

    def state(self) -> Arrays:
        """One array per column, shape (n,), in no particular order; names: the purposes, as bytes of UTF-8."""
        held = self._held()
        names = np.frombuffer(self._named(), dtype=np.uint8)
        return {**{name: held[name].copy() for name in _COLUMNS}, "names": names.copy()}

    def restore(self, state: Arrays) -> None:
        """Take over a state. The subjects must be known already. Raises Corrupt."""
        for name in (*_COLUMNS, "names"):
            dtype = np.uint8 if name == "names" else ENTRY[name]
            if name not in state or state[name].ndim != 1 or state[name].dtype != dtype:
                raise Corrupt(f"consents: the array {name} is missing or misshapen")
        columns = [state[name] for name in _COLUMNS]
        if len({len(column) for column in columns}) != 1:
            raise Corrupt("consents: the columns differ in length")
        if state["names"].tobytes() != self._named():
            raise Corrupt("consents: the state is about other purposes")
        count = len(columns[0])
        subjects, states = state["subject"], state["state"]
        if count and (
            subjects.min() < 0
            or subjects.max() >= len(self._subjects)
            or states.min() == 0
            or states.max() >= len(STATES)
            or int(state["purposes"].max()).bit_length() > len(self._names)
        ):
            raise Corrupt("consents: a column holds a number that means nothing")
        self._clear()
        self._cover(len(self._subjects))
        self._reserve(count)
        kernels.put_all(self._entries, self._heads, self._meta, *columns)

    def _named(self) -> bytes:
        return "\n".join(self._names).encode()

    def _held(self) -> NDArray[Any]:
        used = self._entries[: int(self._meta[kernels.USED])]
        held: NDArray[Any] = used[used["state"] != 0]
        return held

    def _begun(self, subject: int) -> bool:
        return 0 <= subject < len(self._heads) and self._heads[subject] != NONE

    def _grouped(self, changes: Sequence[ConsentChange]) -> dict[tuple[int, ...], np.uint64]:
        """Terms to the purposes they hold for, as bits: received, at, expires, notice, state, flags."""
        groups: dict[tuple[int, ...], int] = {}
        for one in changes:
            state = STATES.index(one.state)
            bit = self._bits.get(one.purpose)
            if state == 0 or bit is None:
                continue
            flags = one.explicit | one.guardian << 1
            terms = (one.received, one.at, one.expires, min(one.notice, 0xFFFF), state, flags)
            groups[terms] = groups.get(terms, 0) | bit
        return {terms: np.uint64(bits) for terms, bits in groups.items()}

    def _cover(self, subjects: int) -> None:
        missing = subjects - len(self._heads)
        if missing > 0:
            more = np.full(max(missing, len(self._heads) // 2), NONE, dtype=np.int32)
            self._heads = np.append(self._heads, more)

    def _reserve(self, more: int) -> None:
        need = int(self._meta[kernels.USED]) + more
        if need > len(self._entries):
            wider = np.zeros(need + need // 2, dtype=ENTRY)
            wider[: len(self._entries)] = self._entries
            self._entries = wider
