"""Keys for tests: over any store, with clocks that hands move, and a store that dies at an operation."""

from __future__ import annotations

from typing import Any

from heedful.vault.key_store import KeyStore, MemoryKeyStore
from heedful.vault.keys import Keys
from heedful.vault.master import LocalKey, MasterKey, Masters
from heedful.vault.wrapping import WrappingKeys
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import FixedClock, Instant
from tests.vault.services import Hands

ANN, BOB, EVE = (SubjectId(letter * 16) for letter in (b"a", b"b", b"e"))
MASTER = LocalKey(bytes(range(32)), "file", "master.1.key")
OTHER = LocalKey(bytes(range(1, 33)), "file", "master.2.key")


class Vault:
    """Everything over one store, as a process has it."""

    def __init__(
        self,
        store: KeyStore | None = None,
        *,
        master: MasterKey = MASTER,
        older: tuple[MasterKey, ...] = (),
        hands: Hands | None = None,
        **limits: Any,
    ) -> None:
        self.store = store or MemoryKeyStore()
        self.hands = hands or Hands()
        self.clock = FixedClock(Instant(1_000_000))
        self.wrapping = WrappingKeys(self.store, Masters(master, older), lease=100.0, monotonic=self.hands)
        self.keys = Keys(self.store, self.wrapping, self.clock, monotonic=self.hands, **limits)


class Died(BaseException):
    """The process ended here. Not an Exception, so that nothing catches it."""


class DyingStore:
    """A store whose process dies at its `at`-th writing operation, before it or just after it took effect."""

    def __init__(self, store: KeyStore, at: int, *, after: bool) -> None:
        self._store, self._at, self._after, self.count = store, at, after, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._store, name)
        if name not in {"put", "destroy", "rewrap", "add_wrapping_key", "retire"}:
            return real

        def operation(*values: Any, **named: Any) -> Any:
            self.count += 1
            dies = self.count == self._at
            if dies and not self._after:
                raise Died
            answer = real(*values, **named)
            if dies:
                raise Died
            return answer

        return operation
