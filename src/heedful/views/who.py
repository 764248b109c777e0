"""How old people are and where, as their traits say: what the rules of consent depend on besides choices.

The last that was said of somebody holds, by arrival, ties by the event's fingerprint, for age and place each. All
of it is kept, so that what is taken back leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.views.canonical import word_of
from heedful.views.dictionary import Subjects
from heedful.views.mixing import LANES, mixed
from heedful.views.view import Arrays
from heedful.vocabulary.errors import Corrupt

UNSAID = -1
CHILD, TEEN, ADULT, UNKNOWN = 1_001, 1_002, 1_003, 1_000
"""In place of years: what was said is a bracket."""


class Who(NamedTuple):
    """age: whole years, or a bracket as a number, or UNSAID. place: as it was said, None for not."""

    age: int = UNSAID
    place: str | None = None


NOBODY_SAID = Who()


class WhoFact(NamedTuple):
    """What one event says of its person. subject: dense. event: its fingerprint, uint64. received: its arrival."""

    subject: int
    event: int
    received: int
    who: Who


class Bearers:
    """What is known of people. Dense subjects are those of `subjects`."""

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects
        self._said: dict[int, dict[int, WhoFact]] = {}

    def __len__(self) -> int:
        """Of how many people anything is known."""
        return len(self._said)

    def __contains__(self, subject: int) -> bool:
        return subject in self._said

    def people(self) -> Iterable[int]:
        """The dense subjects of whom anything is known."""
        return self._said.keys()

    def apply(self, facts: Iterable[WhoFact]) -> None:
        """Count facts in; each is given once."""
        for fact in facts:
            self._said.setdefault(fact.subject, {})[fact.event] = fact

    def retract(self, facts: Iterable[WhoFact]) -> None:
        """Take facts out. One that is not there changes nothing."""
        for fact in facts:
            said = self._said.get(fact.subject, {})
            if said.pop(fact.event, None) is not None and not said:
                del self._said[fact.subject]

    def of(self, subject: int) -> Who:
        """What holds of a dense subject."""
        said = self._said.get(subject)
        if said is None:
            return NOBODY_SAID
        age, place = UNSAID, None
        for fact in sorted(said.values(), key=lambda one: (one.received, one.event)):
            age = age if fact.who.age == UNSAID else fact.who.age
            place = place if fact.who.place is None else fact.who.place
        return Who(age, place)

    def sums(self) -> NDArray[np.uint64]:
        """The two lanes of a digest over everything that is held, by the keys of subjects and events."""
        sums = np.zeros(2, dtype=np.uint64)
        facts = self._facts()
        if not facts:
            return sums
        columns = [
            self._subjects.keys[[one.subject for one in facts]],
            np.array([one.event for one in facts], dtype=np.uint64),
            np.array([one.received for one in facts], dtype=np.int64).view(np.uint64),
            np.array([one.who.age for one in facts], dtype=np.int64).view(np.uint64),
            np.array([word_of(_written(one.who.place)) for one in facts], dtype=np.uint64),
        ]
        for lane in range(2):
            state = np.full(len(facts), LANES[lane], dtype=np.uint64)
            for column in columns:
                state = mixed(state ^ column)
            sums[lane] = state.sum(dtype=np.uint64)
        return sums

    def state(self) -> Arrays:
        """Columns, shape (n,); who_places: UTF-8, a line each."""
        facts = self._facts()
        places = "\n".join(_written(one.who.place) for one in facts).encode()
        return {
            "who_subject": np.array([one.subject for one in facts], dtype=np.int32),
            "who_event": np.array([one.event for one in facts], dtype=np.uint64),
            "who_received": np.array([one.received for one in facts], dtype=np.int64),
            "who_age": np.array([one.who.age for one in facts], dtype=np.int16),
            "who_places": np.frombuffer(places, dtype=np.uint8),
        }

    def restore(self, state: Arrays) -> None:
        """Take over a state. The subjects must be known already. Raises Corrupt."""
        try:
            columns = [state[f"who_{name}"].tolist() for name in ("subject", "event", "received", "age")]
            places = state["who_places"].tobytes().decode().split("\n") if columns[0] else []
            facts = [
                WhoFact(subject, event, received, Who(age, _read(place)))
                for subject, event, received, age, place in zip(*columns, places, strict=True)
            ]
        except (KeyError, ValueError) as error:
            raise Corrupt(f"consents: {error!r}") from error
        if any(not 0 <= one.subject < len(self._subjects) for one in facts):
            raise Corrupt("consents: somebody is told of who is not there")
        self._said = {}
        self.apply(facts)

    def _facts(self) -> list[WhoFact]:
        return [fact for said in self._said.values() for fact in said.values()]


def _written(place: str | None) -> str:
    return "-" if place is None else "+" + place


def _read(line: str) -> str | None:
    return line[1:] if line[:1] == "+" else None
