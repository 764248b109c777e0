"""A synthetic click log for the benchmarks of the whole loop: sessions of Zipf-drawn items with structure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from heedful.log.codec import encode
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.event import Event, Line, Record
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.time import MINUTE, SECOND, Instant

START = Instant(1_767_225_600 * SECOND)
"""2026-01-01T00:00Z."""

_PROPERTIES = (
    b'{"product_id":"item-%06d","category":"garden","name":"A product with a name",'
    b'"price":19.99,"currency":"EUR"}'
)


def visitor(number: int) -> str:
    """The anonymous id of the visitor who made session `number`: every third comes back once."""
    return f"visitor-{number - 100_000 if number % 3 == 0 and number >= 100_000 else number:08d}"


def clicks(sessions: int, items: int, *, seed: int = 7) -> Iterator[tuple[int, int, Instant]]:
    """(session, item, time), in time order by session start: about 4.5 clicks a session, Zipf 0.9 items.

    Within a session, two clicks in three stay near the first one, so that there is something to learn.
    """
    random = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, items + 1) ** 0.9
    share = np.cumsum(weights / weights.sum())
    at = int(START)
    for begin in range(0, sessions, 50_000):
        count = min(50_000, sessions - begin)
        lengths = 1 + random.geometric(1 / 3.5, count)
        drawn = np.searchsorted(share, random.random(int(lengths.sum())))
        near = random.random(len(drawn)) < 0.66
        steps = random.integers(-20, 21, len(drawn))
        gaps = random.integers(5, 180, len(drawn))
        place = 0
        for number in range(count):
            first = int(drawn[place])
            moment = at
            for _ in range(int(lengths[number])):
                item = (first + int(steps[place])) % items if near[place] else int(drawn[place])
                yield begin + number, item, Instant(moment)
                moment += int(gaps[place]) * SECOND
                place += 1
            at += 4 * SECOND


def record(number: int, session: int, item: int, at: Instant, names: Pseudonyms) -> Record:
    """The record of one click, as the door makes it."""
    who = visitor(session)
    name = f"item-{item:06d}"
    event = Event(
        kind="view",
        lines=(Line(name, 1, 1_999, name),),
        currency="EUR",
        anonymous=who,
        name="Product Viewed",
        properties=_PROPERTIES % item,
    )
    return Record(
        id=EventId(f"web:{number:012x}"),
        subject=names.anonymous(who),
        at=at,
        client=at,
        sent=at,
        received=Instant(at + MINUTE // 60),
        body=encode(event),
    )
