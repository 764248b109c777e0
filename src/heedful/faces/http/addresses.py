"""Where a request comes from: the address to count it under, and whether it is this machine's.

`X-Forwarded-For` is a text that anybody can send. It counts only as far as machines that the operator named
wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from heedful.faces.http.exchange import Headers, Scope
from heedful.vocabulary.errors import SettingsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOWHERE = "-"
"""The place of a caller without an address, as over a Unix socket."""

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
_MOST = 32
"""Most addresses of X-Forwarded-For that are looked at."""


def proxies(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks of trusted proxies, as `10.0.0.0/8` or `192.0.2.7`. Raises SettingsError."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise SettingsError(f"a trusted proxy is an address or a network: {error}") from error


def place(scope: Scope, trusted: Sequence[Network] = ()) -> str:
    """What a caller is counted under: an IPv4 address, or an IPv6 one's /64, since whoever has one has them all.

    The address is the connection's; where that is a trusted proxy's, the last in X-Forwarded-For that is not. An
    entry that is no address ends the search at the proxy that passed it on.
    """
    client = scope.get("client")
    if client is None:
        return NOWHERE
    if not trusted:
        return _place_of(client[0])
    address = _parsed(client[0])
    if address is None:
        return NOWHERE
    if _within(address, trusted):
        fields = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        for entry in reversed(b",".join(fields).split(b",")[-_MOST:]):
            before = _parsed(entry.decode("latin-1").strip())
            if before is None:
                break
            address = before
            if not _within(address, trusted):
                break
    return prefix(address)


@lru_cache(maxsize=4_096)
def _place_of(text: str) -> str:
    """The place of a connection, kept since the same ones ask again: to parse an address costs more than a key."""
    address = _parsed(text)
    return NOWHERE if address is None else prefix(address)


def prefix(address: Address) -> str:
    """The address if it is IPv4, also mapped into IPv6; otherwise its /64."""
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


def here(place: str) -> bool:
    """Whether what `place` gave is this machine."""
    return place.startswith("127.") or place == "::/64"


def local(scope: Scope, headers: Headers) -> bool:
    """Whether somebody on this machine asks, and asked for this machine.

    A proxy on this machine makes everybody look local, so its header fields end that; a page of another
    site whose name was bound to 127.0.0.1 names itself in Host, so only names of this machine will do.
    """
    client = scope.get("client")
    if client is None or any(name in headers for name in _FORWARDED):
        return False
    address = _parsed(client[0])
    host = headers.get(b"host", b"").decode("latin-1").lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return address is not None and address.is_loopback and name in ("localhost", "127.0.0.1", "::1")


def _within(address: Address, networks: Sequence[Network]) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def _parsed(text: str) -> Address | None:
    """An address as proxies write it, with or without a port; None if it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None
