"""In which order things are learned and asked: each protocol is a walk over a stream, one step after another.

A question is asked before its event is learned, and no step looks ahead of the events it has passed, except
`strong`, where other people's later events are learned by design, as in the literature.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.services.evaluate.streams import NO_ORDER, Stream
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.kinds import PURCHASE

TRAIL = 50
"""How many of the asker's newest items go with a question."""

FEWEST = 5
"""Distinct items of a person who is held out (Liang et al., 2018)."""

GIVEN = 0.8
"""The share of a held-out person's items that is folded in."""

Items = NDArray[np.int32]
_NONE = np.empty(0, dtype=np.int32)


class Learn(NamedTuple):
    """Everybody learns an event, when their update is due."""

    event: int


class TakeIn(NamedTuple):
    """An event of the asker, to be given back."""

    event: int


class GiveBack(NamedTuple):
    """Everything taken in goes."""


class Ask(NamedTuple):
    """A question. at: its moment. trail: int32, newest last. targets: int32, distinct, at least one.

    repeated: int32, distinct items that would be repeats: without repeats they are neither targets nor candidates.
    """

    subject: int
    at: int
    trail: Items
    targets: Items
    repeated: Items


Step = Learn | TakeIn | GiveBack | Ask


class Protocol(StrEnum):
    """How a replay walks."""

    PREQUENTIAL = "prequential"
    NEXT_ITEM = "next-item"
    LAST_ITEM = "last-item"
    STRONG = "strong"
    NEXT_BASKET = "next-basket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a walk goes by.

    asked: bool by kind code of the stream: whose items are targets and make up trails.
    idle: microseconds without an event that end a session. warm_up: share of events before the first question.
    split: `next-item`: share of events that is learned. held_out: `strong`: share of people who are not.
    strangers: whether somebody is asked for of whom nothing has happened yet.
    """

    asked: NDArray[np.bool_]
    idle: int
    warm_up: float = 0.0
    split: float = 0.9
    held_out: float = 0.1
    strangers: bool = False
    seed: int = 0


def walk(protocol: Protocol, stream: Stream, rules: Rules) -> Iterator[Step]:
    """The steps of a protocol. Raises Invalid (`nothing_to_ask`) where the stream has nothing that it asks for."""
    return _WALKS[protocol](stream, rules)


class _Pasts:
    """What each person has done so far, in the stream's codes."""

    def __init__(self, stream: Stream, asked: NDArray[np.bool_]) -> None:
        self._stream, self._asked = stream, asked
        self._trails: dict[int, deque[int]] = {}
        self._had: dict[int, dict[int, None]] = {}

    def add(self, event: int) -> None:
        """`event` has happened."""
        stream = self._stream
        if self._asked[stream.kind[event]]:
            subject, items = int(stream.subject[event]), stream.items_of(event).tolist()
            self._trails.setdefault(subject, deque(maxlen=TRAIL)).extend(items)
            self._had.setdefault(subject, {}).update(dict.fromkeys(items))

    def trail(self, subject: int) -> Items:
        """The newest items of `subject`, newest last."""
        return np.array(self._trails.get(subject, ()), dtype=np.int32)

    def had(self, subject: int) -> Items:
        """The distinct items of `subject`."""
        return np.array([*self._had.get(subject, ())], dtype=np.int32)


def _targets(stream: Stream, rules: Rules, event: int) -> Items:
    """The distinct items of an event that is asked for, none of another."""
    if not rules.asked[stream.kind[event]]:
        return _NONE
    return np.array([*dict.fromkeys(stream.items_of(event).tolist())], dtype=np.int32)


def _prequential(stream: Stream, rules: Rules) -> Iterator[Step]:
    """Every event of a kind that is asked for: answer, then learn (Vinagre, Jorge, Gama, 2014). The repeat is the
    item touched last."""
    pasts, first = _Pasts(stream, rules.asked), int(rules.warm_up * len(stream))
    for event in range(len(stream)):
        targets = _targets(stream, rules, event)
        subject = int(stream.subject[event])
        if len(targets) and event >= first:
            trail = pasts.trail(subject)
            if len(trail) or rules.strangers:
                yield Ask(subject, int(stream.at[event]), trail, targets, trail[-1:])
        yield Learn(event)
        pasts.add(event)


def _next_item(stream: Stream, rules: Rules) -> Iterator[Step]:
    """Learned until a moment; then each session after it is asked event by event, its own events taken in before
    the next question and given back at its end, so that no tested session teaches another. The question comes at
    the moment of the session's newest event. Sessions that lie across the moment are not tested."""
    learned, tested = _divided(stream, rules)
    pasts = _Pasts(stream, rules.asked)
    for event in learned:
        yield Learn(event)
        pasts.add(event)
    for session in sessions(stream, tested, rules.idle):
        trail = pasts.trail(int(stream.subject[session[0]])).tolist()
        before: int | None = None
        for event in session:
            targets = _targets(stream, rules, event)
            if len(targets) and before is not None:
                subject, at = int(stream.subject[event]), int(stream.at[before])
                newest = np.array(trail[-TRAIL:], dtype=np.int32)
                yield Ask(subject, at, newest, targets, newest[-1:])
            yield TakeIn(event)
            if len(targets):
                trail += targets.tolist()
                before = event
        yield GiveBack()


def _divided(stream: Stream, rules: Rules) -> tuple[list[int], list[int]]:
    """The events that are learned, and those that are tested."""
    if stream.tested is not None:
        return np.flatnonzero(~stream.tested).tolist(), np.flatnonzero(stream.tested).tolist()
    place = min(int(rules.split * len(stream)), len(stream) - 1)
    boundary = int(stream.at[place])
    begun = {
        event: session[0] for session in sessions(stream, range(len(stream)), rules.idle) for event in session
    }
    learned = np.flatnonzero(stream.at < boundary).tolist()
    later = np.flatnonzero(stream.at >= boundary).tolist()
    return learned, [event for event in later if stream.at[begun[event]] >= boundary]


def sessions(stream: Stream, events: list[int] | range, idle: int) -> list[list[int]]:
    """`events`, in order of time, cut into sessions, in order of their beginnings."""
    found: list[list[int]] = []
    running: dict[int, list[int]] = {}
    for event in events:
        subject = int(stream.subject[event])
        session = running.get(subject)
        if session is None or stream.at[event] - stream.at[session[-1]] > idle:
            session = running[subject] = []
            found.append(session)
        session.append(event)
    return found


def _last_item(stream: Stream, rules: Rules) -> Iterator[Step]:
    """Each person's last event is asked for at its time, from what everybody did before it: leave-one-out without
    the usual look into other people's future. The repeats are the items that the person had before."""
    last: dict[int, int] = {}
    for event in range(len(stream)):
        if rules.asked[stream.kind[event]] and len(stream.items_of(event)):
            last[int(stream.subject[event])] = event
    wanted = set(last.values())
    pasts, first = _Pasts(stream, rules.asked), int(rules.warm_up * len(stream))
    for event in range(len(stream)):
        if event in wanted and event >= first:
            subject = int(stream.subject[event])
            trail = pasts.trail(subject)
            if len(trail) or rules.strangers:
                targets = _targets(stream, rules, event)
                yield Ask(subject, int(stream.at[event]), trail, targets, pasts.had(subject))
        yield Learn(event)
        pasts.add(event)


def _strong(stream: Stream, rules: Rules) -> Iterator[Step]:
    """Some people are held out whole. Everybody else is learned; then of each of them the first 80% of their
    distinct items are taken in, the rest is asked for, and they are given back (strong generalisation: Liang,
    Krishnan, Hoffman, Jebara, 2018, who draw the 80% at random). The repeats are the items that were taken in."""
    chosen = [_share(name, rules.seed) < rules.held_out for name in stream.names.subjects]
    held: dict[int, list[int]] = {}
    for event in range(len(stream)):
        subject = int(stream.subject[event])
        if not chosen[subject]:
            yield Learn(event)
        elif rules.asked[stream.kind[event]]:
            held.setdefault(subject, []).append(event)
    for subject, events in held.items():
        distinct = dict.fromkeys(item for event in events for item in stream.items_of(event).tolist())
        if len(distinct) < FEWEST:
            continue
        given: dict[int, None] = {}
        trail: list[int] = []
        at = 0
        for event in events:
            items = stream.items_of(event).tolist()
            if len(given.keys() | items) > GIVEN * len(distinct):
                break
            yield TakeIn(event)
            given.update(dict.fromkeys(items))
            trail += items
            at = int(stream.at[event])
        if given:
            had = np.array([*given], dtype=np.int32)
            rest = np.array([item for item in distinct if item not in given], dtype=np.int32)
            yield Ask(subject, at, np.array(trail[-TRAIL:], dtype=np.int32), rest, had)
        yield GiveBack()


def _share(name: str, seed: int) -> float:
    """A number in [0, 1) that the seed gives to a name."""
    digest = blake2b(name.encode(), digest_size=8, key=seed.to_bytes(8, "little", signed=True)).digest()
    return int.from_bytes(digest, "little") / 2**64


def _next_basket(stream: Stream, rules: Rules) -> Iterator[Step]:
    """Every order of somebody who ordered before: its items are asked for, all at once, then it is learned. One
    that comes in parts is asked for once, before its first part. The repeats are the items that the person had."""
    ordered = {code for code, kind in enumerate(stream.names.kinds) if kind == PURCHASE}
    baskets: dict[int, list[int]] = {}
    for event in range(len(stream)):
        if stream.order[event] != NO_ORDER and int(stream.kind[event]) in ordered:
            baskets.setdefault(int(stream.order[event]), []).append(event)
    if not baskets:
        raise Invalid("nothing_to_ask", f"{stream.source} holds no orders, which next-basket asks for")
    opening = {events[0]: events for events in baskets.values()}
    pasts, first = _Pasts(stream, rules.asked), int(rules.warm_up * len(stream))
    customers: set[int] = set()
    for event in range(len(stream)):
        basket, subject = opening.get(event), int(stream.subject[event])
        if basket is not None:
            if subject in customers and event >= first:
                items = dict.fromkeys(item for part in basket for item in stream.items_of(part).tolist())
                targets = np.array([*items], dtype=np.int32)
                yield Ask(subject, int(stream.at[event]), pasts.trail(subject), targets, pasts.had(subject))
            customers.add(subject)
        yield Learn(event)
        pasts.add(event)


_WALKS: dict[Protocol, Callable[[Stream, Rules], Iterator[Step]]] = {
    Protocol.PREQUENTIAL: _prequential,
    Protocol.NEXT_ITEM: _next_item,
    Protocol.LAST_ITEM: _last_item,
    Protocol.STRONG: _strong,
    Protocol.NEXT_BASKET: _next_basket,
}
