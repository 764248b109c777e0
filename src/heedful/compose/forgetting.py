"""Settings to the service that forgets, and the one place where it is bound to the vault."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import NamedTuple, cast

from heedful.log.commit import GroupCommit
from heedful.models.shelf import Shelf
from heedful.objects.folder import Folder
from heedful.records.ledger import sqlite_ledger
from heedful.records.signing import signer
from heedful.services.forget import forget
from heedful.services.forget.erasures import Chain, Erasure, Erasures, MemoryChain
from heedful.services.forget.forget import Forget
from heedful.services.forget.seals import NoSeals, Seals
from heedful.services.forget.taking import Purged
from heedful.services.forget.webhook import Courier
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import Clock

LEDGER = "erasures.sqlite3"


class Kept(NamedTuple):
    """What an engine keeps: see `services.forget.forget.Kept`. log: any; only some can be purged."""

    fold: Fold
    log: object
    commits: GroupCommit
    snapshots: Folder | None
    shelf: Shelf | None
    seals: Seals = NoSeals()


def forgetting_over(
    kept: Kept,
    chain: Chain | None,
    pseudonyms: Pseudonyms,
    settings: Settings,
    clock: Clock,
    secret: bytes,
) -> Forget:
    """The service. secret: of the data folder; b"" for one that is thrown away.

    Raises SettingsError for a webhook that cannot be right, Corrupt for a broken ledger.
    """
    sign = signer(secret or secrets.token_bytes(32), "erasure receipts")
    said = settings.forgetting
    able = hasattr(kept.log, "places") and hasattr(kept.log, "purge")
    inner = forget.Kept(
        kept.fold, cast(Purged, kept.log), kept.commits, kept.snapshots, kept.shelf, kept.seals,
        said.key_backup_days, able,
    )  # fmt: skip
    courier = Courier(said.webhook, sign) if said.webhook else None
    erasures = Erasures(chain or MemoryChain())
    return Forget(inner, erasures=erasures, pseudonyms=pseudonyms, signer=sign, clock=clock, courier=courier)


def erasures_beside(where: Path) -> list[Erasure]:
    """What is to be forgotten in a data folder, read beside its owner."""
    chain = sqlite_ledger(where / LEDGER)
    try:
        return Erasures(chain).all
    finally:
        chain.close()
