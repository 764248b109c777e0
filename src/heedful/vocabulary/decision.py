"""What the log keeps of an answer, in few bytes: what was shown, why, by chance of what, and what came next.

A decision is written for every answer and read seldom, so it is small and quick to write. Columns go in and
bytes come out: a version byte, three bytes that say how long the head is, the head, and a tail where there is
one; both are MessagePack arrays. Item ids of letters, digits, `-` and `_` are packed to six bits a character.
The tail has the best candidates that were not shown, as many as `ROOM` still takes, or, for a sampled share of
decisions, everything that off-policy work needs (`Everything`).

A score is kept as one of 65,536 even steps between the lowest and the highest of its answer: it is off by at
most half a step, the 131,070th part of that range. Propensities are kept as float32, and only where not 1.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.packing import Ids, packed, unpacked

VERSION = 2
"""Version 1 was a JSON object and began with a brace; it still reads."""

ROOM = 400
"""Bytes of a decision with the candidates that were not shown. What was shown is kept whole, even beyond."""

WINDOW = 24 * 60
PURCHASE_WINDOW = 7 * 24 * 60
"""Minutes after an answer in which a reaction, and a purchase, may still be credited to it."""

REASONS: tuple[str, ...] = (
    "", "viewed_together", "viewed_next", "bought_together", "popular_in_category", "popular", "new",
    "similar", "bought_again", "taste", "pinned", "explored", "new_similar", "buy_again", "bought_with", "picked",
    "seen_before", "shared_past",
)  # fmt: skip
"""Reason codes by the number that stands for them. Only ever append; 0 is any code that is not here."""

REASON_NUMBERS: dict[str, int] = {code: number for number, code in enumerate(REASONS)}

NO_OTHER = 255
"""In `Everything.others`: the item could stand nowhere else."""

_STEPS, _LEAST = 65_535, 4
_PERSONALIZED, _HOLDOUT, _BEHIND, _DEGRADED, _UNSEEN = 1, 2, 4, 8, 16
_BRACE = 0x7B
_MASK = (1 << 64) - 1


class Decision(msgspec.Struct, frozen=True, gc=False):
    """One answer. Columns over the items shown, best first, have one entry each.

    items: n ids. seed: 64 bits, what all chance came from. scores: finite.
    propensities: each in (0, 1], the probability that this policy shows the item in this place; empty: all 1.
    reasons: a number of `REASONS` each. because: the item the reason speaks of, "" for none; empty: all none.
    position: what the answer had seen. policy, model: what chose and what scored, with their versions.
    holdout: whether the person is among those who get no personal answers. behind: see `RecommendAnswer`.
    counts_as_shown: whether the answer itself says that its items were seen, where nobody reports it.
    window, purchase_window: minutes in which reactions, and purchases, are credited to this answer.
    consent: the purposes in force, as the privacy floor writes them. arms: (experiment, arm) in force.
    others, other_scores: the best candidates that were not shown, best first.
    full: the bytes of `Everything`, for the sampled share.
    """

    placement: str
    items: Sequence[ItemId]
    seed: int
    scores: Sequence[float]
    propensities: Sequence[float] = ()
    reasons: bytes = b""
    because: Sequence[str] = ()
    position: str = ""
    personalized: bool = False
    placement_version: int = 0
    policy: str = ""
    model: str = ""
    holdout: bool = False
    behind: bool = False
    degraded: bool = False
    counts_as_shown: bool = True
    limit: int = 0
    window: int = WINDOW
    purchase_window: int = PURCHASE_WINDOW
    consent: str = ""
    arms: Sequence[tuple[str, str]] = ()
    others: Sequence[ItemId] = ()
    other_scores: Sequence[float] = ()
    full: bytes = b""


class Everything(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All c candidates of a decision, for off-policy work.

    names: of the f features. features: float32, little-endian, (c, f) by row. propensities: float32 (c,), the
    probability that a candidate is shown at all.
    others: a byte for each of the s items shown: the one other place, from 0, where chance might have put it, or
    `NO_OTHER`. chances: float32 (s,), how likely it was to stand where it did rather than there. Both empty: none.
    Raises ValueError when the lengths do not fit.
    """

    items: list[ItemId]
    names: list[str]
    features: bytes
    propensities: bytes
    others: bytes = b""
    chances: bytes = b""

    def __post_init__(self) -> None:
        rows = len(self.items)
        if len(self.features) != 4 * rows * len(self.names) or len(self.propensities) != 4 * rows:
            raise ValueError("features and propensities do not fit the candidates")
        if len(self.chances) != 4 * len(self.others):
            raise ValueError("each other place has a chance")


class Outline(msgspec.Struct, frozen=True, gc=False):
    """What joining outcomes needs to know of a decision: see `Decision`."""

    placement: str
    items: list[str]
    policy: str
    model: str
    holdout: bool
    counts_as_shown: bool
    window: int
    purchase_window: int
    arms: Sequence[tuple[str, str]] = ()


class _Head(msgspec.Struct, frozen=True, array_like=True, gc=False):
    placement: str
    placement_version: int
    policy: str
    model: str
    ids: Ids
    shown: int
    scores: bytes
    propensities: bytes
    why: bytes
    seed: int
    position: str
    flags: int
    limit: int
    windows: tuple[int, int] | None = None
    more: tuple[str, list[tuple[str, str]]] | None = None


class _Tail(msgspec.Struct, frozen=True, array_like=True, gc=False):
    ids: Ids
    scores: bytes
    full: bytes = b""


class _First(msgspec.Struct, frozen=True, gc=False):
    """The JSON of version 1."""

    placement: str
    items: list[ItemId]
    seed: int
    scores: list[float]
    propensities: list[float]
    reasons: list[str]
    position: str
    personalized: bool


_pack = msgspec.msgpack.Encoder().encode
_read_head = msgspec.msgpack.Decoder(_Head).decode
_read_tail = msgspec.msgpack.Decoder(_Tail).decode
_read_everything = msgspec.msgpack.Decoder(Everything).decode
_read_first = msgspec.json.Decoder(_First).decode
_DEFAULT_WINDOWS = (WINDOW, PURCHASE_WINDOW)


def encode_decision(decision: Decision) -> bytes:
    """The bytes of `decision`. Of `others` as many are kept as `ROOM` takes, none beside `full`.

    Raises ValueError for a score that is not finite or a column of another length.
    """
    items, because = decision.items, decision.because
    pool: Sequence[str] = items
    why = decision.reasons
    if because:
        places: dict[str, int] = {"": 0}
        why += bytes([places.setdefault(item, len(places)) for item in because])
        if len(places) > 1:
            del places[""]
            pool = [*items, *places]
    if len(decision.scores) != len(items) or len(why) not in (0, len(items), 2 * len(items)):
        raise ValueError("a column of the decision has another length than its items")
    windows = (decision.window, decision.purchase_window)
    head = _pack(
        _Head(
            decision.placement,
            decision.placement_version,
            decision.policy,
            decision.model,
            packed(pool),
            len(items),
            _steps(decision.scores),
            _chances(decision.propensities, len(items)),
            why,
            decision.seed,
            decision.position,
            decision.personalized * _PERSONALIZED
            | decision.holdout * _HOLDOUT
            | decision.behind * _BEHIND
            | decision.degraded * _DEGRADED
            | (not decision.counts_as_shown) * _UNSEEN,
            decision.limit,
            None if windows == _DEFAULT_WINDOWS else windows,
            (decision.consent, list(decision.arms)) if decision.consent or decision.arms else None,
        )
    )
    start = b"\x02" + len(head).to_bytes(3, "big")
    if decision.full:
        return start + head + _pack(_Tail([], b"", decision.full))
    if decision.others:
        return start + head + _others(decision.others, decision.other_scores, ROOM - len(start) - len(head))
    return start + head


def decode_decision(data: bytes) -> Decision:
    """The decision in `data`, scores as steps. Raises Corrupt for bytes that are none, or of a later version."""
    if data[:1] == b"{":
        return _decoded_first(data)
    head, tail = _parts(data)
    items, places = _pool(head)
    if len(head.why) not in (0, len(items), 2 * len(items)):
        raise Corrupt("the decision's reasons do not fit its items")
    try:
        because = [places[place] for place in head.why[len(items) :]]
    except IndexError as error:
        raise Corrupt("a reason of the decision names an item that is not there") from error
    windows, more = head.windows or _DEFAULT_WINDOWS, head.more or ("", [])
    others = unpacked(tail.ids) if tail else []
    return Decision(
        placement=head.placement,
        items=items,
        seed=head.seed,
        scores=_unstepped(head.scores, len(items)),
        propensities=_unchanced(head.propensities, len(items)),
        reasons=head.why[: len(items)],
        because=because,
        position=head.position,
        personalized=bool(head.flags & _PERSONALIZED),
        placement_version=head.placement_version,
        policy=head.policy,
        model=head.model,
        holdout=bool(head.flags & _HOLDOUT),
        behind=bool(head.flags & _BEHIND),
        degraded=bool(head.flags & _DEGRADED),
        counts_as_shown=not head.flags & _UNSEEN,
        limit=head.limit,
        window=windows[0],
        purchase_window=windows[1],
        consent=more[0],
        arms=more[1],
        others=others,
        other_scores=_unstepped(tail.scores, len(others)) if tail else [],
        full=tail.full if tail else b"",
    )


def outline_of(data: bytes) -> Outline:
    """As `decode_decision`, only what joining outcomes needs. Raises Corrupt."""
    if data[:1] == b"{":
        first = _decoded_first(data)
        return Outline(
            first.placement, list(first.items), first.policy, first.model, False, True, *_DEFAULT_WINDOWS
        )
    head = _parts(data)[0]
    return Outline(
        head.placement,
        _pool(head)[0],
        head.policy,
        head.model,
        bool(head.flags & _HOLDOUT),
        not head.flags & _UNSEEN,
        *(head.windows or _DEFAULT_WINDOWS),
        head.more[1] if head.more else [],
    )


def encode_everything(everything: Everything) -> bytes:
    """The bytes for `Decision.full`."""
    return _pack(everything)


def decode_everything(full: bytes) -> Everything:
    """What `encode_everything` wrote. Raises Corrupt."""
    try:
        return _read_everything(full)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"a decision's attachment does not read: {error}") from error


def keeps_everything(seed: int, share: float) -> bool:
    """Whether a decision is of the sampled `share`, 0 to 1, which keeps everything.

    A function of the seed, mixed once more (SplitMix64: Steele, Lea, Flood, OOPSLA 2014), so that the sample
    tells nothing of the choices that came from the same seed.
    """
    mixed = (seed ^ 0x5D588B656C078965) + 0x9E3779B97F4A7C15 & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return (mixed ^ mixed >> 31) < share * 2**64


def _others(ids: Sequence[str], scores: Sequence[float], room: int) -> bytes:
    """The tail with as many of the candidates as `room` bytes take; b"" if none."""
    room -= 21  # the frames of the tail, of its ids and of its scores
    if room < _LEAST:
        return b""
    ids = ids[: min(255, room // _LEAST)]
    packs = not isinstance(packed(ids), list)
    count = 0
    for item in ids:
        room -= (len(item) * 3 + 15) // 4 if packs else len(item.encode()) + 5
        if room < 0:
            break
        count += 1
    return _pack(_Tail(packed(ids[:count]), _steps(scores[:count]))) if count else b""


def _steps(scores: Sequence[float]) -> bytes:
    """Scores as the lowest (float64), the range (float32) and 16 bits each."""
    if not scores:
        return b""
    low = min(scores)
    span = max(scores) - low
    factor = _STEPS / span if span > 1e-30 else 0.0
    try:
        steps = [int((score - low) * factor + 0.5) for score in scores]
        return struct.pack(f"<df{len(steps)}H", low, span, *steps)
    except (OverflowError, ValueError, struct.error) as error:
        raise ValueError("a score is not finite") from error


def _unstepped(data: bytes, count: int) -> list[float]:
    if len(data) != (12 + 2 * count if count else 0):
        raise Corrupt("the decision's scores do not fit its items")
    if not count:
        return []
    low, span = struct.unpack_from("<df", data)
    if low - low != 0 or span - span != 0:
        raise Corrupt("a score of the decision is not finite")
    return [low + span * step / _STEPS for step in struct.unpack_from(f"<{count}H", data, 12)]


def _chances(propensities: Sequence[float], count: int) -> bytes:
    """The places (a byte each) of the propensities that are not 1, then these as float32."""
    if not propensities or propensities.count(1.0) == count:
        return b""
    if len(propensities) != count or count > 256:
        raise ValueError("a column of the decision has another length than its items")
    places = [place for place, chance in enumerate(propensities) if chance != 1.0]
    return bytes(places) + struct.pack(f"<{len(places)}f", *[propensities[place] for place in places])


def _unchanced(data: bytes, count: int) -> list[float]:
    chances = [1.0] * count
    known = len(data) // 5
    places = data[:known]
    if len(data) % 5 or (places and max(places) >= count):
        raise Corrupt("the decision's propensities do not fit its items")
    for place, chance in zip(places, struct.unpack_from(f"<{known}f", data, known), strict=True):
        if not 0.0 < chance <= 1.0:
            raise Corrupt("a propensity of the decision is not a probability above 0")
        chances[place] = chance
    return chances


def _parts(data: bytes) -> tuple[_Head, _Tail | None]:
    if not data:
        raise Corrupt("the decision is empty")
    if data[0] != VERSION:
        raise Corrupt(f"the decision has version {data[0]}; this Heedful reads versions up to {VERSION}")
    end = 4 + int.from_bytes(data[1:4], "big")
    if end > len(data):
        raise Corrupt("the decision breaks off")
    view = memoryview(data)
    try:
        return _read_head(view[4:end]), _read_tail(view[end:]) if end < len(data) else None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"the decision cannot be decoded: {error}") from error


def _pool(head: _Head) -> tuple[list[Any], list[str]]:
    """The items shown, and the items that reasons speak of, "" first."""
    ids = unpacked(head.ids)
    if not 0 <= head.shown <= len(ids):
        raise Corrupt("the decision has fewer ids than items")
    return ids[: head.shown], ["", *ids[head.shown :]]


def _decoded_first(data: bytes) -> Decision:
    try:
        first = _read_first(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"the decision cannot be decoded: {error}") from error
    if len({len(first.items), len(first.scores), len(first.propensities), len(first.reasons)}) != 1:
        raise Corrupt("the decision's columns differ in length")
    return Decision(
        placement=first.placement,
        items=first.items,
        seed=first.seed,
        scores=first.scores,
        propensities=first.propensities,
        reasons=bytes([REASON_NUMBERS.get(code, 0) for code in first.reasons]),
        position=first.position,
        personalized=first.personalized,
        policy="greedy",
        model="blend",
    )
