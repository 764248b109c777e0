"""Anonymous ids that prove themselves, for pages whose visitors are not logged in."""

from __future__ import annotations

import msgspec

from heedful.faces.http.door import Door, opened
from heedful.faces.http.exchange import JSON, SAFETY, Handler, Headers, Receive, Reply, Scope, read_body
from heedful.faces.http.gate import Gate
from heedful.faces.http.messages import AnonymousAnswer, AnonymousCall
from heedful.faces.http.problem import UNREADABLE, unreadable
from heedful.vocabulary.errors import NotFound

COOKIE = "heedful-anonymous"
_DAYS = 180
_LIMIT = 1 << 10


def anonymous(door: Door | None, gate: Gate) -> Handler:
    """Gives out a signed anonymous id. Nothing is kept of it, here or there, unless the call asks for a cookie."""

    async def answer(_: Scope, headers: Headers, receive: Receive) -> Reply:
        ids = opened(door).administer.anonymous
        body = await read_body(receive, headers, _LIMIT, gate)
        try:
            call = msgspec.json.decode(body, type=AnonymousCall) if body else AnonymousCall()
        except UNREADABLE as error:
            raise unreadable(error) from None
        proof = ids.issue()
        identity = ids.read(proof)
        if identity is None:
            raise NotFound("an id that was just given out is not read back")
        content = msgspec.json.encode(AnonymousAnswer(identity, proof))
        length = (b"content-length", b"%d" % len(content))
        cookies = [_cookie(proof, secure=opened(door).jar.secure)] if call.cookie else []
        return Reply(200, [JSON, length, *SAFETY, *cookies], content)

    return answer


def _cookie(proof: str, *, secure: bool) -> tuple[bytes, bytes]:
    """The page must be able to read it, to send it as Heedful-Subject; so it is not HttpOnly."""
    tail = "Secure; SameSite=Lax" if secure else "SameSite=Lax"
    text = f"{COOKIE}={proof}; Path=/; Max-Age={_DAYS * 24 * 60 * 60}; {tail}"
    return b"set-cookie", text.encode("ascii")
