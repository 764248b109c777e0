"""Settings to the service that forgets, and the one place where it is bound to the vault."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from heedful.log.commit import GroupCommit
from heedful.log.sealed import SealedLog
from heedful.models.shelf import Shelf
from heedful.records.audit import Audit
from heedful.records.signing import Signer, signer
from heedful.services.forget import forget
from heedful.services.forget.erasures import Chain, Erasure, Erasures, MemoryChain
from heedful.services.forget.forget import Forget
from heedful.services.forget.webhook import Courier
from heedful.services.remember import Snapshots
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.vault import Vault
from heedful.views.fold import Fold
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import Clock, Instant

if TYPE_CHECKING:
    from heedful.records.ledger import Ledger

LEDGER = "erasures.sqlite3"


class Kept(NamedTuple):
    """What an engine keeps: see `services.forget.forget.Kept`."""

    fold: Fold
    log: SealedLog
    commits: GroupCommit
    snapshots: Snapshots | None
    shelf: Shelf | None
    vault: Vault
    audit: Audit | None
    settle: Callable[[], None]


class VaultSeals:
    """`Seals` over the vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def turn(self) -> int:
        """See `Seals.turn`."""
        return self._vault.files.turn()

    def destroy(self, subjects: Sequence[SubjectId]) -> Instant | None:
        """See `Seals.destroy`."""
        made = self._vault.destroy(subjects)
        return max((one.at for one in made), default=None)

    def wipe(self) -> bool:
        """See `Seals.wipe`."""
        return self._vault.wiped()


def forgetting_over(
    kept: Kept,
    chain: Chain | None,
    pseudonyms: Pseudonyms,
    settings: Settings,
    clock: Clock,
    sign: Signer | None,
    *,
    able: bool,
) -> Forget:
    """The service. sign: signs receipts; None where nothing is kept. able: whether the log can be searched and
    purged.

    Raises SettingsError for a webhook that cannot be right, Corrupt for a broken ledger.
    """
    sign = sign or signer(secrets.token_bytes(32), "erasure receipts")
    said = settings.forgetting
    inner = forget.Kept(
        kept.fold, kept.log, kept.commits, kept.snapshots, kept.shelf, VaultSeals(kept.vault),
        said.key_backup_days, able, kept.audit, kept.settle,
    )  # fmt: skip
    courier = Courier(said.webhook, sign) if said.webhook else None
    erasures = Erasures(chain or MemoryChain())
    return Forget(inner, erasures=erasures, pseudonyms=pseudonyms, signer=sign, clock=clock, courier=courier)


def erasures_beside(where: Path) -> list[Erasure]:
    """What is to be forgotten in a data folder, read beside its owner."""
    chain = erasures_of(where)
    try:
        return Erasures(chain).all
    finally:
        chain.close()


def erasures_of(where: Path) -> Ledger:
    """The ledger of what was forgotten in a data folder, made now if it is missing."""
    from heedful.records.ledger import sqlite_ledger  # who works in memory does not pay for the import

    return sqlite_ledger(where / LEDGER)
