"""The vault of one process: everything it does with keys, over one store and one set of master keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from heedful.vault.cipher import Cipher
from heedful.vault.key_store import KeyStore, Tombstone
from heedful.vault.keys import Keys, Rotation
from heedful.vault.master import Masters
from heedful.vault.sealed_files import SealedFiles
from heedful.vault.wrapping import LEASE_SECONDS, Monotonic, WrappingKeys
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Clock

TEND_SECONDS = 1.0
"""How often the background looks whether there is something to do."""

Told = Callable[[HeedfulError | None], None]
"""Told when tending begins to fail, with why, and with None once it works again."""


class Vault:
    """Keys, and what is closed with them.

    bodies, files: seal and open events' bodies and whole files. keys: the data keys below both. rotation: changes
    wrapping and master keys. lease: seconds that an opened wrapping key may be used.
    """

    def __init__(
        self,
        store: KeyStore,
        masters: Masters,
        clock: Clock,
        *,
        lease: float = LEASE_SECONDS,
        again: Callable[[], Masters] | None = None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        """again: reads the master keys again, where one is in use that was not there at the start."""
        self.store = store
        self.wrapping = WrappingKeys(store, masters, lease=lease, monotonic=monotonic, again=again)
        self.keys = Keys(store, self.wrapping, clock, monotonic=monotonic)
        self.bodies = Cipher(self.keys)
        self.files = SealedFiles(self.keys, clock)
        self.rotation = Rotation(store, self.wrapping, clock)
        self._clock, self._lease, self._monotonic = clock, lease, monotonic
        self._wiped = True
        self._renewed = 0.0
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Find out whether the right master keys are here, and follow a change of the one in use.

        Raises SettingsError (a master key is missing), Corrupt (it is another one), KeyUnavailable.
        """
        self.wrapping.renew()
        self._renewed = self._monotonic()
        self.wrapping.current(
            self._clock.now()
        )  # made now if there is none, so that a wrong setting is noticed
        if self.rotation.due():
            self.rotation.begin()

    def destroy(self, subjects: Sequence[SubjectId]) -> list[Tombstone]:
        """Destroy every generation of the keys of `subjects`. Durable when it returns; again is harmless.

        `wiped` says whether older bytes of them are gone too. Raises KeyUnavailable (do it again), Invalid for
        `NOBODY`.
        """
        self._wiped = False
        made = self.keys.destroy(subjects)
        self._wiped = self.keys.wipe()
        return made

    def wiped(self) -> bool:
        """Whether no byte of a destroyed key is left in the store's files; tries to see to it. False while another
        process reads an older state of the store; the background tries again, and so does the next start."""
        if not self._wiped:
            self._wiped = self.keys.wipe()
        return self._wiped

    def tend(self) -> None:
        """Renew the leases, bring a rotation to its end and wipe what is left to wipe, where any of it is due.

        Raises KeyUnavailable and others; call it again.
        """
        if self._monotonic() - self._renewed >= self._lease / 4:
            self.wrapping.renew()
            self._renewed = self._monotonic()
        while self.rotation.unfinished() and not self._ending.is_set():
            self.rotation.step()
        self.wiped()

    def tend_beside(self, told: Told) -> None:
        """`tend` in a thread of its own from now on, so that nothing else waits for a master key."""
        self.wrapping.tended = True
        self._thread = threading.Thread(target=self._tend, args=(told,), name="vault", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and give the store back. Doing it twice is harmless."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.keys.forget()
        self.store.close()

    def _tend(self, told: Told) -> None:
        failing = False
        while not self._ending.wait(min(TEND_SECONDS, self._lease / 4)):
            try:
                self.tend()
            except HeedfulError as error:
                if not failing:
                    told(error)
                failing = True
            else:
                if failing:
                    told(None)
                failing = False
