"""The route that questions come in by."""

from __future__ import annotations

import msgspec

from heedful.faces.engine import Engine
from heedful.faces.http.authorization import caller_of
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
from heedful.faces.http.problem import UNREADABLE, problem_of, unreadable
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendRequest

LIMIT = 512 << 10
"""Most bytes of a question: a thousand excluded ids of 200 characters fit."""


class Recommending:
    """The handler of `POST /v1/recommend`."""

    def __init__(self, engine: Engine, gate: Gate, meters: Meters) -> None:
        self._engine = engine
        self._gate = gate
        self._meters = meters
        self._decoder = msgspec.json.Decoder(RecommendRequest)
        self._encoder = msgspec.json.Encoder()

    async def post(self, scope: Scope, headers: Headers, receive: Receive) -> Reply:
        """Answer one question."""
        engine = self._engine
        body = await read_body(receive, headers, LIMIT, self._gate)
        encoding = headers.get(b"content-encoding")
        if encoding is not None:
            body = inflate(body, encoding, LIMIT)
        try:
            request = self._decoder.decode(body)
        except UNREADABLE as error:
            raise unreadable(error) from None
        request = caller_of(scope).own(request)
        self._gate.enter(len(body))
        try:
            answer: RecommendAnswer | HeedfulError = await outcome(
                lambda done: engine.recommend(request, done)
            )
        finally:
            self._gate.leave(len(body))
        if isinstance(answer, HeedfulError):
            raise problem_of(answer) from answer
        self._meters.decisions += 1
        text = self._encoder.encode(answer)
        return Reply(200, [JSON, (b"content-length", b"%d" % len(text)), NO_STORE, NOSNIFF], text)
