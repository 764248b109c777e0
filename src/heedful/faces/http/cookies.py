"""The cookie of a person's session, and how a request of our own page is told from another site's.

The cookie is named `__Host-…` (RFC 6265bis, 4.1.3.2), so that no other host, path or plain connection can set it,
and no script can read it. It is sent to us by other sites' pages too, so what changes anything must carry a header
that they cannot add without our leave, and name our origin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from heedful.faces.http.exchange import Headers
from heedful.faces.http.problem import Problem
from heedful.records.sessions import ABSOLUTE
from heedful.vocabulary.time import SECOND

NAME = "__Host-heedful"
PLAIN_NAME = "heedful"
"""Where the cookie is not for TLS only, which only this machine may ask for: browsers keep `__Host-` to TLS."""
OWN_PAGE = b"heedful-console"
"""The header, of any value, that our page sends with what changes anything."""

_SAFE = ("GET", "HEAD")
_NEAR = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Jar:
    """secure: whether browsers keep the cookie to TLS; without it, the cookie has another name and fewer guards.

    site: the origins of our own pages, exactly; without any, the host that a request names.
    """

    secure: bool = True
    site: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The cookie's name."""
        return NAME if self.secure else PLAIN_NAME

    def cookie(self, session: str) -> tuple[bytes, bytes]:
        """The header that gives a browser its session."""
        return self._header(session, ABSOLUTE // SECOND)

    def no_cookie(self) -> tuple[bytes, bytes]:
        """The header that takes it away."""
        return self._header("", 0)

    def session_of(self, headers: Headers) -> str | None:
        """The session id in the request's cookies; None if there is none. Two of the name are as good as none."""
        cookies = headers.get(b"cookie")
        if cookies is None:
            return None
        pairs = (pair.strip().partition("=") for pair in cookies.decode("latin-1").split(";"))
        found = [value for name, _, value in pairs if name == self.name]
        return found[0] if len(found) == 1 and found[0] else None

    def _header(self, value: str, seconds: int) -> tuple[bytes, bytes]:
        secure = "Secure; " if self.secure else ""
        text = f"{self.name}={value}; Path=/; Max-Age={seconds}; {secure}HttpOnly; SameSite=Lax"
        return b"set-cookie", text.encode("ascii")


def check_own_page(method: str, headers: Headers, site: tuple[str, ...] = ()) -> None:
    """Raise Problem (`request_forged`) for a request that another site's page may have made.

    site: the origins of our pages, exactly; without any, the request's own host over TLS is ours, and this machine
    without. GET and HEAD change nothing and pass, unless the browser says that another site's script asks.
    """
    if method in _SAFE:
        asks = headers.get(b"sec-fetch-site", b"same-origin")
        if asks not in (b"same-origin", b"none") and headers.get(b"sec-fetch-mode") != b"navigate":
            raise _forged()
        return
    origin = headers.get(b"origin", b"").decode("latin-1")
    if OWN_PAGE not in headers or not origin:
        raise _forged()
    if site:
        ours = origin in site
    else:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        near = _NEAR.fullmatch(origin) is not None
        ours = bool(host) and origin in (
            (f"https://{host}", f"http://{host}") if near else (f"https://{host}",)
        )
    if not ours:
        raise _forged()


def _forged() -> Problem:
    return Problem(
        "request_forged", "A change takes the header Heedful-Console and the Origin of our own page."
    )
