"""How much may wait at once. Beyond it callers are told to come again, before memory runs out.

Two budgets, so that the one cannot be used against the other: bodies that are still arriving, and requests
that wait for their answer. A body that came in one piece never draws on the first, so a crowd that sends
large bodies slowly, for which it needs no key, does not keep small events and questions out.
"""

from __future__ import annotations

from heedful.vocabulary.errors import Overloaded


class Gate:
    """requests, waiting: how many requests, with how many bytes, wait for their answer. arriving: bytes of
    bodies of which more is to come."""

    def __init__(
        self, *, requests: int = 10_000, waiting: int = 256 << 20, arriving: int = 256 << 20
    ) -> None:
        self._requests = requests
        self._waiting = waiting
        self._arriving = arriving
        self.inside = 0
        self.held = 0
        self.partial = 0

    def enter(self, size: int) -> None:
        """Let a request with a body of `size` bytes wait for its answer. Raises Overloaded."""
        if self.inside >= self._requests or self.held + size > self._waiting:
            raise Overloaded("Too many requests wait for their answer.")
        self.inside += 1
        self.held += size

    def leave(self, size: int) -> None:
        """The request that `enter` let in is answered."""
        self.inside -= 1
        self.held -= size

    def take(self, size: int) -> None:
        """Keep `size` more bytes of a body that is still arriving. Raises Overloaded."""
        if self.partial + size > self._arriving:
            raise Overloaded("Too many bodies are arriving.")
        self.partial += size

    def give(self, size: int) -> None:
        """Bytes that `take` kept are no longer arriving."""
        self.partial -= size
