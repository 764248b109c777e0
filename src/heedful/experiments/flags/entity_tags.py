"""The tag of a bulk answer: it changes whenever the answer could.

OFREP's web provider drops its tag only when the targeting key changes, so a tag of the configuration alone
would answer 304 to somebody who moved to another country, and they would go on with the flags of the old one.
The tag
is therefore a hash over everything that an evaluation reads: the definitions, the whole context as it was
sent, and what the server knows besides (segments, arms once given, the stretch of a switchback).
(OFREP 0.3.0, protocol; RFC 9110, sections 8.8.3 and 13.1.2.)
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec

from heedful.experiments.assignment.targeting import Subject
from heedful.vocabulary.experiment import Experiment, Holdout, Layer
from heedful.vocabulary.flag import Flag
from heedful.vocabulary.time import MINUTE

_ENCODER = msgspec.json.Encoder(order="sorted")


def configuration_digest(
    flags: Iterable[Flag],
    experiments: Iterable[Experiment] = (),
    holdouts: Iterable[Holdout] = (),
    layers: Iterable[Layer] = (),
    groups: Any = None,
) -> bytes:
    """16 bytes over every definition, in whatever order they come. groups: plain JSON, or a version of it."""
    digest = blake2b(digest_size=16)
    for kind, all_of in (("f", flags), ("e", experiments), ("h", holdouts), ("l", layers)):
        for encoded in sorted(map(_ENCODER.encode, all_of)):
            _add(digest, kind.encode() + encoded)
    _add(digest, _ENCODER.encode(groups))
    return digest.digest()


def stretches(experiments: Iterable[Experiment], at: int) -> tuple[int, ...]:
    """Which stretch of time each switchback is in: that changes answers, and nothing else of time does."""
    lengths = {each.switchback.minutes for each in experiments if each.switchback is not None}
    return tuple(at // (minutes * MINUTE) for minutes in sorted(lengths))


def entity_tag(configuration: bytes, context: Any, subject: Subject, moment: tuple[int, ...] = ()) -> str:
    """The strong tag, with its quotes, of all flags for `subject`.

    context: the request's, whole, as plain JSON; the order of its names does not count. moment: of `stretches`.
    """
    digest = blake2b(configuration, digest_size=16)
    for part in (context, subject.attributes, subject.segments, subject.sticky, subject.forced, moment):
        _add(digest, _ENCODER.encode(part))
    return f'"{digest.hexdigest()}"'


def is_current(if_none_match: str | None, tag: str) -> bool:
    """Whether what the caller has is what we would answer (If-None-Match: weak comparison, lists, `*`).

    Only for requests without OFREP's `flagConfigEtag`: after an SSE message that asks for a fetch the server
    must not answer 304.
    """
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return any(one.strip().removeprefix("W/") == tag for one in if_none_match.split(","))


def _add(digest: Any, part: bytes) -> None:
    digest.update(len(part).to_bytes(8, "big"))
    digest.update(part)
