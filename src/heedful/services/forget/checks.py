"""Is anything left of what was forgotten? Asked by the saga before it signs, and by whoever doubts a receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from heedful.log.log import LogReader
from heedful.log.selection import Selection
from heedful.models.shelf import Shelf
from heedful.records.signing import Signer
from heedful.services import remember
from heedful.services.forget.erasures import Erasure, Erasures
from heedful.services.forget.proof import genuine
from heedful.services.forget.taking import ERASED, Searched, lying, mark
from heedful.services.remember import Snapshots
from heedful.views.dictionary import MISSING
from heedful.views.fold import Fold
from heedful.vocabulary.erasure import Check, ErasureReceipt


def left(erasure: Erasure, fold: Fold, log: Searched, snapshots: Snapshots | None) -> Iterator[Check]:
    """What can be looked at while serving."""
    selection = erasure.accepted.selection
    end = erasure.begun.end if erasure.begun else log.end()
    codes = [fold.subjects.find(one) for one in selection.subjects] if selection.whole else []
    rows = sum(fold.history.count(code) for code in codes if code != MISSING)
    yield Check("views", rows == 0, f"{rows} rows of theirs in the history that every view is cut from")
    if selection.whole:
        known = sum(code != MISSING for code in codes)
        yield Check("names", known == 0, f"{known} of their pseudonyms in the dictionaries")
    bodies = sum(len(part) for part in lying(log, selection, end))
    yield Check("log", bodies == 0, f"{bodies} of their records in the log up to {end.encode()}")
    old = 0 if snapshots is None else remember.before(erasure.number, snapshots)
    yield Check("snapshots", old == 0, f"{old} snapshots from before")


def doubted(
    receipt: ErasureReceipt,
    *,
    fold: Fold,
    empty: Callable[[], Fold],
    log: Searched,
    erasures: Erasures,
    signer: Signer,
    shelf: Shelf | None,
    snapshots: Snapshots | None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Check]:
    """Whether `receipt` is true, the law included: every view equals a fold from zero of the log without them."""
    yield Check("signature", genuine(receipt, signer), f"by key {receipt.key_id}")
    flaw = erasures.intact()
    yield Check("ledger", flaw is None, "the chain holds" if flaw is None else flaw.message)
    try:
        erasure = erasures.find(receipt.subject_request_id)
    except Exception:
        yield Check("known", False, "the ledger of this installation does not have this forgetting")
        return
    same = erasure.receipt == receipt and erasures.has(receipt.entry)
    yield Check("known", same, f"forgetting {receipt.number} of the ledger")
    through = mark(log, ERASED)
    yield Check("purged", through >= receipt.number, f"the log went through {through} forgettings")
    yield from left(erasure, fold, log, snapshots)
    selection, end = erasure.accepted.selection, (erasure.begun.end if erasure.begun else log.end())
    fresh = empty()
    _fold_without(fresh, log, selection, end.offset(0), progress)
    fresh.advance(fold.floor)
    rebuilt = fresh.digests()
    for name, digest in fold.digests().items():
        agrees = digest == rebuilt[name]
        yield Check(
            f"view {name}", agrees, f"{digest[:16]} in use, {rebuilt[name][:16]} from zero without them"
        )
    for model in () if shelf is None else shelf.list():
        stale = bool(model.stale)
        yield Check(
            f"model {model.id}", None if stale else True,
            f"{model.facts.place}, stale since {model.stale}, not fitted anew yet" if stale
            else f"{model.facts.place}, fitted {model.created}",
        )  # fmt: skip
    if receipt.backups_until:
        yield Check("backups", None, f"copies of keys may live in backups until {receipt.backups_until}")


def _fold_without(
    fresh: Fold, log: LogReader, selection: Selection, end: int, progress: Callable[[int], None] | None
) -> None:
    count, last = 0, log.end()
    while batch := log.read(fresh.cursor, limit=5_000):
        fresh.apply([one for one in batch if one.position > end or not selection.holds(one.record)])
        count += len(batch)
        fresh.reach(type(last)((batch[-1].position,)))
        if progress is not None:
            progress(count)
    fresh.reach(last)
