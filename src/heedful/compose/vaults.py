"""The vault of a data folder: settings to master keys, a store and what is closed with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import structlog

from heedful.log.cursor import Cursor
from heedful.log.log import LogReader
from heedful.vault.cipher import is_sealed
from heedful.vault.key_database import SqliteKeyStore
from heedful.vault.key_services import AwsKey, GoogleKey
from heedful.vault.key_store import MemoryKeyStore
from heedful.vault.master import KeyFolder, LocalKey, MasterKey, Masters, environment_key
from heedful.vault.vault import Vault
from heedful.vocabulary.errors import HeedfulError, SettingsError
from heedful.vocabulary.event import position
from heedful.vocabulary.settings import VaultSettings
from heedful.vocabulary.time import Clock

_log = structlog.get_logger("heedful.vault")

STORE = "vault.sqlite3"
VARIABLE = "HEEDFUL_MASTER_KEY"
_LOOKED_AT = 100


def vault_of(
    folder: Path, settings: VaultSettings, clock: Clock, *, create: bool = False, start: bool = True
) -> Vault:
    """The vault of a data folder, its master keys found to be the right ones unless `start` is False.

    create: make what is missing, for the owner of the log; a key store without its key file is refused all the
    same. Raises SettingsError, Corrupt, KeyUnavailable.
    """
    path = folder / STORE
    fresh = not path.exists()
    if fresh and not create:
        raise SettingsError(
            f"{path} is missing. The data cannot be read without it: restore it from a backup"
        )
    # The key first: a store that stands was made with a key that was there.
    masters = masters_of(settings, folder, create=fresh)
    store = SqliteKeyStore(path)
    try:
        vault = Vault(
            store,
            masters,
            clock,
            lease=settings.lease_minutes * 60,
            again=lambda: masters_of(settings, folder, create=False),
        )
        if start:
            vault.start()
    except BaseException:
        store.close()
        raise
    return vault


def memory_vault(clock: Clock) -> Vault:
    """A vault that ends with the process, for a log that does."""
    return Vault(MemoryKeyStore(), Masters(LocalKey(os.urandom(32), "memory", "this process")), clock)


def refuse_without_keys(folder: Path, log: LogReader) -> None:
    """Raise SettingsError if the log of `folder` is sealed and its key store is gone: a new one opens nothing."""
    if (folder / STORE).exists():
        return
    end = log.end().offset(0)
    newest = log.read(Cursor().advanced(position(0, max(0, end - _LOOKED_AT))), limit=_LOOKED_AT)
    if any(is_sealed(stored.record.body) for stored in newest):
        raise SettingsError(
            f"{folder / STORE} is missing, and the log cannot be read without it: restore it from a backup"
        )


def tell_of_keys(error: HeedfulError | None) -> None:
    """Say in the log that keys cannot be had, once, and that they can be had again, once."""
    if error is None:
        _log.info("keys_are_back")
    else:
        _log.error("keys_not_tended", why=str(error))


def masters_of(settings: VaultSettings, folder: Path, *, create: bool) -> Masters:
    """The master key in use and the older ones. Raises SettingsError."""
    current = _keys(settings.master, folder, create=create)
    older = [key for said in settings.older for key in _keys(said, folder, create=False)]
    return Masters(current[0], (*current[1:], *older))


def files_of(settings: VaultSettings, folder: Path) -> KeyFolder | None:
    """Where the master keys in files lie, or None where the one in use is no file."""
    kind, _, name = settings.master.partition(":")
    return KeyFolder(Path(name) if name else folder) if kind == "file" else None


def _keys(said: str, folder: Path, *, create: bool) -> Sequence[MasterKey]:
    """The keys that a setting names, the one in use first."""
    kind, _, name = said.partition(":")
    match kind:
        case "file":
            files = KeyFolder(Path(name) if name else folder).masters(create=create)
            return (files.current, *files.older)
        case "environment":
            return (environment_key(name or VARIABLE),)
        case "aws":
            return (AwsKey(name),)
        case "google":
            return (GoogleKey(name),)
    raise SettingsError(f"[vault] master is file, environment, aws:ARN or google:NAME, not {said!r}")
