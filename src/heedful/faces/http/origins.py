"""Which sites' pages may read an answer about a person: those that some key names, exactly, and no others.

Events may be sent from anywhere, and their answers say nothing about anybody (`collecting.CORS`). A question's
answer does, so its `Access-Control-Allow-Origin` is never `*`, and never comes with credentials: a page sends its
key and its proof itself. A preflight names no key, so it passes for every site that some key names; whether the
key is for that site, the guard says when the question comes.
"""

from __future__ import annotations

from collections.abc import Callable

from heedful.faces.http.authorization import SUBJECT
from heedful.faces.http.exchange import Handler, Headers, Receive, Reply, Scope
from heedful.faces.http.problem import Problem, problem_of
from heedful.records.keys import Keys
from heedful.vocabulary.errors import HeedfulError

_VARY = (b"vary", b"origin")
_EXPOSED = (b"access-control-expose-headers", b"etag, retry-after, x-request-id")
_ASKED = (
    (b"access-control-allow-methods", b"POST, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"authorization, content-encoding, content-type, if-none-match, x-api-key, x-request-id, " + SUBJECT,
    ),
    (b"access-control-max-age", b"600"),
)


def allowed(keys: Keys, headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """What lets the page that asks read the answer; nothing where no key names its site."""
    return _allowed(keys, headers)


def preflight(keys: Callable[[], Keys]) -> Handler:
    """Answers a browser that asks whether a site's page may ask."""

    async def answer(_: Scope, headers: Headers, __: Receive) -> Reply:
        allowed = _allowed(keys(), headers)
        return Reply(204, [*allowed, *_ASKED] if allowed else [_VARY], b"")

    return answer


def shared(handler: Handler, keys: Callable[[], Keys]) -> Handler:
    """`handler`, whose answers and failures the pages of the keys' sites may read."""

    async def answer(scope: Scope, headers: Headers, receive: Receive) -> Reply:
        if b"origin" not in headers:
            return await handler(scope, headers, receive)
        allowed = _allowed(keys(), headers)
        try:
            reply = await handler(scope, headers, receive)
        except (Problem, HeedfulError) as error:
            problem = problem_of(error) if isinstance(error, HeedfulError) else error
            problem.headers = (*problem.headers, *allowed)
            raise problem from error.__cause__
        reply.headers.extend(allowed)
        return reply

    return answer


def _allowed(keys: Keys, headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    origin = headers.get(b"origin", b"")
    if origin.decode("latin-1") not in keys.origins:
        return ()
    return ((b"access-control-allow-origin", origin), _EXPOSED, _VARY)
