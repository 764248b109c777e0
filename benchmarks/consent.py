"""What consent costs the fold: nobody chose, everybody did, every event carries it, and what a change takes.

`without` folds under a judge that is never asked. 20,000 people, batches of 5,000; processor time, the least of
several rounds.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import msgspec

from benchmarks.table import Row
from heedful.log.claims import Claims
from heedful.log.codec import decode, encode
from heedful.log.memory import MemoryLog
from heedful.privacy.judge import Rules
from heedful.services.verify import catch_up
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.views.lawful import OPEN, Judge
from heedful.vocabulary.consent import CONSENT, PrivacySettings
from heedful.vocabulary.event import Event, Line, Record, Stored, position
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.kinds import VIEW
from heedful.vocabulary.time import SECOND, Instant

_NAMES = Pseudonyms(b"k" * 32)
_PEOPLE = [_NAMES.user(f"u{number}") for number in range(20_000)]
_PLAIN = (
    b'{"page":{"path":"/p/17","url":"https://shop.example/p/17"},"locale":"en-GB","userAgent":"Mozilla/5.0"}'
)
_CARRIED = b'{"consent":{"categoryPreferences":{"learning":true,"personalization":true}},"locale":"en-GB"}'
_BATCH = 5_000
_ROUNDS = 4


def run(events: int = 200_000) -> list[Row]:
    """Microseconds an event and a change."""
    elsewhere = Rules(PrivacySettings(consent="elsewhere"))
    plain, carried = _views(events, _PLAIN), _views(events, _CARRIED)
    chosen = _stored([_choice(number, person) for number, person in enumerate(_PEOPLE)])
    shifted = _stored([one.record for one in plain], after=len(chosen))
    without, nobody = _cost(plain, OPEN), _cost(plain, elsewhere)
    return [
        Row("fold, without", without, "µs/event", ""),
        Row("fold, nobody chose", nobody, "µs/event", ""),
        Row("… more than without", 100 * (nobody / without - 1), "%", "≤ 10"),
        Row("fold, everybody chose", _cost(shifted, elsewhere, before=chosen), "µs/event", ""),
        Row("fold, every event carries consent", _cost(carried, elsewhere), "µs/event", ""),
        Row("a withdrawal of somebody with 1,000 events", _withdrawal(1_000), "ms", ""),
    ]


def _views(events: int, context: bytes) -> list[Stored]:
    dice = random.Random(7)
    return _stored([
        _record(
            f"web:{number}", dice.choice(_PEOPLE), number * SECOND,
            Event(VIEW, (Line(f"i{dice.randrange(5_000)}"),), user="u", context=context),
        )
        for number in range(events)
    ])  # fmt: skip


def _choice(number: int, person: SubjectId, *, yes: bool = True) -> Record:
    said = msgspec.json.encode({"choices": {"*": yes}})
    return _record(f"web:c{number}", person, 0, Event(CONSENT, properties=said))


def _record(name: str, person: SubjectId, at: int, event: Event) -> Record:
    when = Instant(at)
    return Record(EventId(name), person, when, Instant(0), Instant(0), when, encode(event))


def _stored(records: Sequence[Record], after: int = 0) -> list[Stored]:
    return [Stored(position(0, place), record) for place, record in enumerate(records, after + 1)]


def _cost(events: Sequence[Stored], judge: Judge, before: Sequence[Stored] = ()) -> float:
    took = []
    for _ in range(_ROUNDS):
        fold = _fold(MemoryLog(), judge)
        fold.apply(before)
        start = time.process_time()
        for first in range(0, len(events), _BATCH):
            fold.apply(events[first : first + _BATCH])
        took.append(time.process_time() - start)
    return 1e6 * min(took) / len(events)


def _withdrawal(events: int) -> float:
    """The same person withdraws and comes back, among 20,000 others."""
    log = MemoryLog()
    log.append([one.record for one in _views(50_000, _PLAIN)])
    mine = [
        _record(f"web:m{number}", _PEOPLE[0], number * SECOND, Event(VIEW, (Line(f"i{number % 500}"),)))
        for number in range(events)
    ]
    log.append(mine)
    fold = _fold(log, Rules(PrivacySettings(consent="elsewhere")))
    catch_up(fold, log)
    took = []
    for number in range(2 * _ROUNDS):
        log.append([_choice(number, _PEOPLE[0], yes=False)])
        start = time.perf_counter()
        catch_up(fold, log)
        took.append(time.perf_counter() - start)
        fold.retract(log.read(fold.cursor.__class__((log.end().offset(0) - 1,)), limit=1))
    return 1e3 * min(took)


def _fold(bodies: MemoryLog, judge: Judge) -> Fold:
    return Fold(pseudonyms=_NAMES, claims=Claims(), bodies=bodies, decode=decode, judge=judge)
