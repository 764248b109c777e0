"""Receipts: what they are signed over, and whether they are true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from heedful.records.ledger import canonical
from heedful.records.signing import Signer
from heedful.services.forget.erasures import Begun, Erasure
from heedful.views.fold import Fold
from heedful.vocabulary.erasure import (
    FOREVER,
    OFF,
    Check,
    ErasureReceipt,
    ModelErasure,
    StoreErasure,
)
from heedful.vocabulary.time import DAY, Instant, iso


def message(receipt: ErasureReceipt) -> bytes:
    """What is signed: everything but the signature."""
    return canonical(msgspec.structs.replace(receipt, signature=""))


def signed(receipt: ErasureReceipt, signer: Signer) -> ErasureReceipt:
    """The receipt with our signature."""
    named = msgspec.structs.replace(receipt, algorithm=signer.algorithm, key_id=signer.key_id)
    return msgspec.structs.replace(named, signature=signer.sign(message(named)).hex())


def genuine(receipt: ErasureReceipt, signer: Signer) -> bool:
    """Whether we signed exactly this."""
    try:
        signature = bytes.fromhex(receipt.signature)
    except ValueError:
        return False
    ours = (receipt.algorithm, receipt.key_id) == (signer.algorithm, signer.key_id)
    return ours and signer.verifies(message(receipt), signature)


def receipt(
    erasure: Erasure,
    now: Instant,
    models: tuple[ModelErasure, ...],
    found: Sequence[Check],
    backups: int,
    *,
    told: bool,
    entry: str,
) -> ErasureReceipt:
    """What is signed of an erasure that is through. backups: days that copies of keys live. told: whether a
    webhook is told. entry: the hash at the end of the ledger."""
    said, before = erasure.accepted, erasure.begun or Begun(())
    retracted, destroyed = erasure.steps["retracted"], erasure.steps["keys"]["destroyed"]
    return ErasureReceipt(
        subject_request_id=erasure.id, number=erasure.number, received_time=iso(erasure.at),
        completed_time=iso(now), subjects=said.subjects, source=said.source, since=shown(said.since),
        until=shown(said.until),
        suppression=OFF if not said.suppressed else shown(said.suppressed) or FOREVER,
        through=before.end.encode(), records=retracted["records"],
        stores=(*_views(before, retracted), *_others(erasure)), models=models,
        keys_destroyed=iso(Instant(destroyed)) if destroyed else "",
        backups_until=iso(Instant(now + backups * DAY)) if destroyed else "",
        checks=tuple(found), webhook="told" if told else "none", entry=entry,
    )  # fmt: skip


def shown(at: int) -> str:
    """A time, or "" for one that is no limit."""
    return iso(Instant(at)) if abs(at) < 1 << 57 else ""


def _views(before: Begun, retracted: dict[str, dict[str, Any]]) -> Iterator[StoreErasure]:
    """Every view, as it was and as it is."""
    after, digests = retracted["counts"], retracted["digests"]
    for name, unit in UNITS.items():
        was, now = before.counts.get(name, 0), after.get(name, 0)
        yield StoreErasure(
            name, unit, max(0, was - now), was, now, before.digests.get(name, ""), digests.get(name, "")
        )


def _others(erasure: Erasure) -> Iterator[StoreErasure]:
    steps = erasure.steps
    yield StoreErasure("log", "bodies", steps["purged"]["records"])
    yield StoreErasure("decisions", "events", steps["retracted"]["decisions"])
    yield StoreErasure("traits", "events", steps["retracted"]["traits"])
    yield StoreErasure("surveys", "answers", 0)
    yield StoreErasure("snapshots", "files", steps.get("snapshots", {}).get("destroyed", 0))


def counts(fold: Fold) -> dict[str, int]:
    """How much each view holds, of everybody. Cheap, but for trends and the catalogue."""
    decisions, references = fold.outcomes.held()
    return {
        "history": int(fold.history.arrays.held.sum()),
        "sessions": len(fold.sessions),
        "trends": int(fold.trends.state()["counts"].sum()),
        "repeats": int((fold.repeats.table[:, 0] > 0).sum()),
        "outcomes": decisions + references,
        "variants": len(fold.variants),
        "orders": len(fold.orders),
        "catalogue": len(fold.catalogue),
        "trials": len(fold.trials.exposures),
        "consents": len(fold.lawful.consents),
    }


UNITS = {
    "history": "rows", "sessions": "sessions", "trends": "buckets", "repeats": "items", "outcomes": "facts",
    "variants": "decisions", "orders": "lines", "catalogue": "versions", "trials": "exposures",
    "consents": "choices",
}  # fmt: skip
"""What `counts` counts, by view."""
