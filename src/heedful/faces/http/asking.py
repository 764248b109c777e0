"""The routes that questions come in by: one handler, for items and for variants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic

import msgspec

from heedful.faces.engine import Done, Engine
from heedful.faces.http.authorization import Question, caller_of
from heedful.faces.http.encodings import inflate
from heedful.faces.http.exchange import (
    JSON,
    NO_STORE,
    NOSNIFF,
    Headers,
    Receive,
    Reply,
    Scope,
    outcome,
    read_body,
)
from heedful.faces.http.gate import Gate
from heedful.faces.http.metrics import Meters
from heedful.faces.http.opt_out import on, signalled
from heedful.faces.http.problem import UNREADABLE, problem_of, unreadable
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.recommendation import RecommendRequest
from heedful.vocabulary.variants import DecideRequest

MOST = 512 << 10
"""Most bytes of a question for items: a thousand excluded ids of 200 characters fit."""

MOST_OF_A_CHOICE = 64 << 10
"""Most bytes of a question for a variant: fifty variants and a full context fit."""


class Asking(Generic[Question]):
    """The handler of a route that answers a question. limit: most bytes of its body."""

    def __init__(
        self,
        shape: type[Question],
        ask: Callable[[Question, Done[Any]], None],
        limit: int,
        gate: Gate,
        meters: Meters,
    ) -> None:
        self._ask: Callable[[Question, Done[Any]], None] = ask
        self._limit = limit
        self._gate = gate
        self._meters = meters
        self._decoder: msgspec.json.Decoder[Question] = msgspec.json.Decoder(shape)
        self._encoder = msgspec.json.Encoder()

    async def post(self, scope: Scope, headers: Headers, receive: Receive) -> Reply:
        """Answer one question. Raises what the reading of a body raises, and the problem of what is refused."""
        body = await read_body(receive, headers, self._limit, self._gate)
        encoding = headers.get(b"content-encoding")
        if encoding is not None:
            body = inflate(body, encoding, self._limit)
        try:
            decoded: Question = self._decoder.decode(body)
        except UNREADABLE as error:
            raise unreadable(error) from None
        request = caller_of(scope).own(decoded)
        if on(scope, headers):
            request = signalled(request)
        self._gate.enter(len(body))
        try:
            answer = await outcome(lambda done: self._ask(request, done))
        finally:
            self._gate.leave(len(body))
        if isinstance(answer, HeedfulError):
            raise problem_of(answer) from answer
        self._meters.decisions += 1
        text = self._encoder.encode(answer)
        return Reply(200, [JSON, (b"content-length", b"%d" % len(text)), NO_STORE, NOSNIFF], text)


def for_items(engine: Engine, gate: Gate, meters: Meters) -> Asking[RecommendRequest]:
    """The handler of `POST /v1/recommend`."""
    return Asking(RecommendRequest, engine.recommend, MOST, gate, meters)


def for_variants(engine: Engine, gate: Gate, meters: Meters) -> Asking[DecideRequest]:
    """The handler of `POST /v1/decide`."""
    return Asking(DecideRequest, engine.decide, MOST_OF_A_CHOICE, gate, meters)
