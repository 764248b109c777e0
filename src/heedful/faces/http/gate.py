"""How much may wait at once. Beyond it callers are told to come again, before memory runs out."""

from __future__ import annotations

from heedful.faces.http.exchange import Headers
from heedful.vocabulary.errors import Overloaded


class Gate:
    """Counts the requests under way and the bytes that they may bring.

    requests: how many at once. size: how many bytes at once, by what each announces or may bring at most.
    """

    def __init__(self, requests: int = 10_000, size: int = 256 << 20) -> None:
        self._requests = requests
        self._size = size
        self.inside = 0
        self.held = 0

    def enter(self, headers: Headers, limit: int) -> int:
        """Let a request in whose body may have `limit` bytes. Returns what `leave` wants to be given back.

        Raises Overloaded.
        """
        length = headers.get(b"content-length", b"")
        known = length.isdigit() and len(length) < 8 and b"content-encoding" not in headers
        size = min(int(length), limit) if known else limit
        if self.inside >= self._requests or self.held + size > self._size:
            raise Overloaded("Too many requests are under way.")
        self.inside += 1
        self.held += size
        return size

    def leave(self, size: int) -> None:
        """The request that `enter` let in is answered."""
        self.inside -= 1
        self.held -= size
