"""The only way out over HTTP: what an outsider may name as an address must not reach what is inside.

A callback's address comes from somebody else. So it must be https, on a port for it, under a name of the public
net; every address that the name has must be public; the connection goes to the very address that was looked at, so
that a name which means another address a moment later (DNS rebinding) gains nothing; redirects are not
followed; time and size are capped; and nothing of the answer but its status is told. It is checked when it is
taken and again when it is used. OWASP API7:2023, server-side request forgery.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from heedful.vocabulary.errors import HeedfulError, Invalid

PORTS = frozenset({443, 8443})
LONGEST = 2_048
"""Characters of an address."""

_PLAIN = re.compile(r"[!-~]+")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOP = re.compile(r"(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})")
_OURS = frozenset({
    "alt", "arpa", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain",
    "localhost", "mail", "onion", "private", "test",
})  # fmt: skip
"""Last labels that are nobody's on the public net (RFC 2606, 6761, 6762, 7686, 9476; ICANN's collision list)."""

_NOT_PUBLIC = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
"""RFC 6890 and its successors. Python's own `is_global` differs between versions, so these stand here too."""

_PUBLIC_V6 = ip_network("2000::/3")
_HIDING_V4 = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
"""Within 2000::/3: Teredo and other protocols, documentation, 6to4."""

Resolve = Callable[[str, int], Sequence[str]]
Dial = Callable[[str, int, float], socket.socket]


class Undelivered(HeedfulError):
    """What was sent did not arrive, or not well. It may be tried again."""

    code = "undelivered"


class Target(NamedTuple):
    """Where something may be sent. path: with the query."""

    host: str
    port: int
    path: str


class Outgoing:
    """Sends to addresses that others name.

    seconds: for everything, from the connection to the last byte. most: bytes of an answer that are read.
    resolve: the addresses of a name. dial: connects to one. context: of TLS; certificates are checked.
    """

    def __init__(
        self,
        *,
        seconds: float = 10.0,
        most: int = 64 << 10,
        resolve: Resolve | None = None,
        dial: Dial | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._resolve = resolve or _addresses
        self._dial = dial or _connected
        self._context = context

    def allowed(self, url: str) -> None:
        """Raise Invalid (`url_not_allowed`) unless something may be sent to `url` now. Looks its name up."""
        target = target_of(url)
        self._public(target)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send `body`; returns the status, 200 to 299.

        Raises Invalid (`url_not_allowed`), and Undelivered for any other status, a redirect too, and where it
        could not be sent in time.
        """
        target = target_of(url)
        address = self._public(target)
        try:
            status = self._exchange(target, address, body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Undelivered(f"{target.host} could not be reached: {type(error).__name__}") from error
        if not 200 <= status < 300:
            raise Undelivered(f"{target.host} answered {status}")
        return status

    def _public(self, target: Target) -> str:
        """The address to connect to. Raises Invalid if one of the name's addresses is not public."""
        try:
            found = self._resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise _refused(f"{target.host} has no address") from error
        if not found:
            raise _refused(f"{target.host} has no address")
        if not all(map(is_public, found)):
            raise _refused(f"{target.host} has an address that is not public")
        return found[0]

    def _exchange(self, target: Target, address: str, body: bytes, headers: Mapping[str, str]) -> int:
        plain = self._dial(address, target.port, self._seconds)
        with contextlib.closing(plain), contextlib.closing(plain.dup()) as held:
            # A server that sends a byte now and then would outlive every timeout of a single read. TLS takes the
            # socket over, so the connection is cut by another handle on it.
            over = threading.Timer(self._seconds, _cut, (held,))
            over.daemon = True
            over.start()
            try:
                context = self._context or ssl.create_default_context()
                with context.wrap_socket(plain, server_hostname=target.host) as secure:
                    return self._asked(secure, target, body, headers)
            finally:
                over.cancel()

    def _asked(self, secure: ssl.SSLSocket, target: Target, body: bytes, headers: Mapping[str, str]) -> int:
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = secure
        said = {"User-Agent": "heedful", "Connection": "close", **headers}
        connection.request("POST", target.path, body, said)
        answer = connection.getresponse()
        answer.read(self._most)
        return answer.status


def post_here(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = 10.0) -> int:
    """Send `body` to a server on this machine itself, http on any port, as the operator's own settings name it;
    returns the status, 200 to 299. Never for an address that came over the API.

    Raises Invalid (`url_not_allowed`) where the address leads elsewhere, Undelivered otherwise.
    """
    parts = urlsplit(url)
    if not is_here(url):
        raise _refused("it is not this machine")
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=seconds)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, {"User-Agent": "heedful", "Connection": "close", **headers})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Undelivered(f"{parts.hostname} could not be reached: {type(error).__name__}") from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise Undelivered(f"{parts.hostname} answered {status}")
    return status


def is_here(url: str) -> bool:
    """Whether an address is http on this machine itself, without user or fragment."""
    try:
        parts = urlsplit(url)
        plain = not (parts.username or parts.password or parts.fragment) and (parts.port or 80) > 0
    except ValueError:
        return False
    return parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"} and plain


def target_of(url: str) -> Target:
    """The parts of an address that could be allowed, without looking its name up. Raises Invalid."""
    if len(url) > LONGEST or not _PLAIN.fullmatch(url) or "\\" in url or "#" in url:
        raise _refused("it holds characters that no address needs, or too many")
    if not url.startswith("https://"):
        raise _refused("it does not begin with https://")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused("it is no address") from error
    if "@" in parts.netloc or parts.username is not None or parts.password is not None:
        raise _refused("it names a user")
    port = 443 if port is None else port
    if parts.netloc.endswith(":") or port not in PORTS:
        raise _refused(f"its port is none of {', '.join(map(str, sorted(PORTS)))}")
    host = parts.netloc.partition(":")[0]
    labels = host.split(".")
    if len(host) > 253 or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise _refused("its host is not a name of the public net, in small letters")
    if not _TOP.fullmatch(labels[-1]) or labels[-1] in _OURS:
        raise _refused("its host is not a name of the public net")
    return Target(host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def is_public(address: str) -> bool:
    """Whether an address is one that anybody on the internet can reach, and hides no other address in it."""
    try:
        known: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(known, IPv6Address):
        return (
            known.scope_id is None
            and known in _PUBLIC_V6
            and not any(known in each for each in _HIDING_V4)
            and known.is_global
        )
    return known.is_global and not known.is_multicast and not any(known in each for each in _NOT_PUBLIC)


def _refused(why: str) -> Invalid:
    return Invalid("url_not_allowed", f"nothing is sent to this address: {why}", path="url")


def _addresses(host: str, port: int) -> Sequence[str]:
    found: list[Any] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[4][0]) for place in found))


def _connected(address: str, port: int, seconds: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(seconds)
        made.connect((address, port))
    except OSError:
        made.close()
        raise
    return made


def _cut(plain: socket.socket) -> None:
    with contextlib.suppress(OSError):
        plain.shutdown(socket.SHUT_RDWR)
