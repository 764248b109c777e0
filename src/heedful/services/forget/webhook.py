"""Tell somebody else that a person was forgotten: one signed POST, through a client that goes only where it may.

A receiver's address is looked up when it is sent to, every address it has is judged, and the connection goes to
one of those, so that a name cannot mean something else a moment later. No redirect is followed, at most 64 KiB of
an answer is read, and nothing of it is kept but the status.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog

from heedful.records.signing import Signer
from heedful.vocabulary.errors import SettingsError

SECONDS = 10.0
PORTS = frozenset({443, 8443})
_MOST = 1 << 16

_log = structlog.get_logger("heedful.forget")


class Refused(Exception):
    """The address may not be sent to, or the receiver did not take it."""


def check(url: str) -> None:
    """Whether a receiver's address can be right at all. Raises SettingsError, saying what is wrong."""
    parts = urlsplit(url)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise SettingsError(f"the webhook {url!r} must be https; http only for this machine itself")
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise SettingsError(f"the webhook {url!r} must be a plain address, without user or fragment")
    if not local and (parts.port or 443) not in PORTS:
        raise SettingsError(f"the webhook {url!r} must be on port 443 or 8443")


def post(url: str, body: bytes, headers: dict[str, str]) -> None:
    """Send `body`. Blocks for `SECONDS` at most for each wait. Raises Refused, OSError."""
    check(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    local = host in {"localhost", "127.0.0.1", "::1"}
    found = {str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    for address in found:
        _judge(address, local=local)
    connection = _Pinned(host, port, sorted(found)[0], tls=parts.scheme == "https")
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        answer.read(_MOST)
        if not 200 <= answer.status < 300:
            raise Refused(f"the receiver answered {answer.status}")
    except http.client.HTTPException as error:
        raise Refused(f"the receiver does not speak HTTP: {type(error).__name__}") from error
    finally:
        connection.close()


def _judge(address: str, *, local: bool) -> None:
    """Raise Refused for an address that a name on the internet must not lead to."""
    judged = ip_address(address.partition("%")[0])
    mapped = getattr(judged, "ipv4_mapped", None)
    judged = mapped or judged
    if local != judged.is_loopback or not (local or judged.is_global) or judged.is_multicast:
        raise Refused(f"the receiver's name leads to {judged}, where nothing is sent")


class _Pinned(http.client.HTTPConnection):
    """A connection to one address under the name it was found by."""

    def __init__(self, host: str, port: int, address: str, *, tls: bool) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._where, self._tls = address, tls

    def connect(self) -> None:
        plain = socket.create_connection((self._where, self.port), SECONDS)
        self.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) if self._tls else plain
        )


class Courier:
    """Delivers to one receiver, in a thread of its own for each try."""

    def __init__(self, url: str, signer: Signer) -> None:
        """Raises SettingsError for an address that cannot be right."""
        check(url)
        self._url, self._signer = url, signer

    def send(self, body: bytes, done: Callable[[bool], None]) -> None:
        """Try once. `done` is called in the other thread."""
        headers = {
            "Heedful-Key": self._signer.key_id,
            "Heedful-Signature": f"{self._signer.algorithm}={self._signer.sign(body).hex()}",
        }

        def deliver() -> None:
            try:
                post(self._url, body, headers)
            except (Refused, OSError, SettingsError) as error:
                _log.warning("webhook_not_delivered", why=str(error))
                done(False)
            else:
                done(True)

        threading.Thread(target=deliver, name="forget-webhook", daemon=True).start()
