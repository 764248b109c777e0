"""What consent takes: the gates that serving and disclosing ask, the proof of choices, the signal at the door."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from heedful.log.codec import decode
from heedful.privacy.judge import Rules
from heedful.records.signing import Signer
from heedful.services.collect.choosing import Signalled
from heedful.services.gates import Gates
from heedful.services.proof import Proof
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.consent import PrivacySettings
from heedful.vocabulary.time import Clock

if TYPE_CHECKING:
    from heedful.records.ledger import Ledger


class Consenting(NamedTuple):
    """The services about consent of one engine."""

    gates: Gates
    proof: Proof
    signalled: Signalled


def consenting(
    fold: Fold,
    pseudonyms: Pseudonyms,
    clock: Clock,
    settings: PrivacySettings,
    ledger: Ledger | None,
    signer: Signer | None,
) -> Consenting:
    """ledger, signer: None where nothing is kept on disk."""
    rules = Rules(settings)
    gates = Gates(fold, rules, pseudonyms, clock)
    proof = Proof(
        fold=fold,
        gates=gates,
        pseudonyms=pseudonyms,
        decode=decode,
        ledger=ledger,
        signer=signer,
        clock=clock,
    )
    return Consenting(
        gates, proof, Signalled(rules.purposes, pseudonyms, gates.opted_out, strict=settings.strict_gpc)
    )


def ledger_of(folder: Path) -> Ledger:
    """The ledger of a data folder, made now if it is missing."""
    from heedful.records.ledger import sqlite_ledger  # who works in memory does not pay for the import

    return sqlite_ledger(folder / "ledger.sqlite3")
