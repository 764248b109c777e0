"""Look after the keys: say which there are, change the master key, and have data keys followed by new ones."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from heedful.vault.master import KeyFolder, Source
from heedful.vault.vault import Vault
from heedful.vocabulary.errors import KeyUnavailable
from heedful.vocabulary.time import Clock, Instant, iso


class WrappingStatus(msgspec.Struct, frozen=True):
    """A wrapping key: its number, the master key it lies under, when it was made."""

    number: int
    source: str
    created: str


class VaultStatus(msgspec.Struct, frozen=True):
    """The keys of a data folder, without any key.

    master: in use. older: that still open something or could. trouble: why keys cannot be had, or "".
    living, destroyed: data keys, and subjects whose keys are gone. renewal: data keys made before are followed by
    new ones, or "". rotating: whether a rotation is to be finished. wiped: whether every destroyed key is gone
    from the store's files too.
    """

    master: Source
    older: tuple[Source, ...]
    trouble: str
    wrapping: tuple[WrappingStatus, ...]
    living: int
    destroyed: int
    renewal: str
    rotating: bool
    wiped: bool


class RotateKeys:
    """The service, over a vault, beside a running server too. folder: where master keys in files lie, or None."""

    def __init__(self, vault: Vault, folder: KeyFolder | None, clock: Clock) -> None:
        self._vault, self._folder, self._clock = vault, folder, clock

    def status(self) -> VaultStatus:
        """What there is. Asks the master keys whether they answer."""
        trouble, total = "", self._vault.store.total()
        try:
            self._vault.wrapping.renew()
        except KeyUnavailable as error:
            trouble = str(error)
        masters, renewal = self._vault.wrapping.masters, self._vault.store.renewal()
        return VaultStatus(
            master=masters.current.describe(),
            older=tuple(key.describe() for key in masters.older),
            trouble=trouble,
            wrapping=tuple(
                WrappingStatus(key.number, key.source, iso(key.created))
                for key in self._vault.store.wrapping_keys()
            ),
            living=total.living,
            destroyed=total.destroyed,
            renewal=iso(renewal) if renewal else "",
            rotating=self._vault.rotation.unfinished(),
            wiped=self._vault.wiped(),
        )

    def rotate(self, told: Callable[[int], None] | None = None) -> int:
        """Close every data key anew under a new wrapping key; returns how many. A master key in a file is followed
        by a new one; another is the one in the settings. A rotation that was begun is only finished.

        Everything is read and written meanwhile. Killed at any moment, do it again. told: how many are done.
        Raises KeyUnavailable, SettingsError.
        """
        rotation = self._vault.rotation
        if (
            rotation.due()
        ):  # the settings name another master key, or a kill came between a new file and its use
            rotation.begin()
        elif not rotation.unfinished():
            if self._folder is not None:
                self._vault.wrapping.masters = self._folder.add()
            rotation.begin()
        done = 0
        for count in rotation.run():
            done += count
            if told is not None:
                told(done)
        return done

    def renew_before(self, at: Instant | None) -> Instant:
        """Have data keys made before `at` (None: now) followed by new ones as their people come back, also by a
        running server. What lies under the old ones stays readable. Returns that moment."""
        at = self._clock.now() if at is None else at
        self._vault.store.renew_before(at)
        return at

    def remove_older(self) -> list[str]:
        """Delete key files under which nothing lies any more, which closes older copies of the key store for good;
        returns their names. Removes none while a rotation is to be finished."""
        if self._folder is None or self._vault.rotation.unfinished():
            return []
        used = {key.source for key in self._vault.store.wrapping_keys()}
        masters = self._folder.masters(create=False)
        spare = [key.describe() for key in masters.older if key.describe().id not in used]
        for source in spare:
            self._folder.remove(source)
        return [source.name for source in spare]
