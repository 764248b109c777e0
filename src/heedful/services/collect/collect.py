"""The service at the door: a call's bytes in, what became of each of its events out.

Everything before the log is a pure function (`calls.read_call`, `records.to_records`); here stand the clock,
the log and the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from heedful.log.commit import Unstored
from heedful.privacy.purposes import Purposes
from heedful.services.collect.calls import SINGLE, read_call
from heedful.services.collect.choosing import Signalled, as_batch
from heedful.services.collect.commerce import Names
from heedful.services.collect.records import Origin, to_records
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.collection import CollectAnswer, EventFate
from heedful.vocabulary.consent import CONSENT
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.event import Record
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.receipt import KEY_DESTROYED, Receipt, Status
from heedful.vocabulary.time import Clock

_NO_MEANINGS: Mapping[str, str] = MappingProxyType({})


class Submitter(Protocol):
    """Takes records to the log and says later what became of them."""

    def submit(self, records: Sequence[Record], done: Callable[[Sequence[Receipt] | Unstored], None]) -> None:
        """Store `records`; call `done` once, when they would survive a power cut and the views have them."""


class Collect:
    """Collects events.

    position: how far the views are, as a string for the wire; asked when an answer is made.
    meanings_of_names: event names that the operator gives a kind, as {"Video Watched": "view"}. They win over
        the names we know. Raises SettingsError where a kind may not come from outside.
    signalled: writes down Global Privacy Control, and knows what can be consented to; without it ours alone.
    kept_out: whether nothing is collected about a pseudonym, because its person was forgotten.
    """

    def __init__(
        self,
        submitter: Submitter,
        pseudonyms: Pseudonyms,
        clock: Clock,
        position: Callable[[], str],
        *,
        meanings_of_names: Mapping[str, str] = _NO_MEANINGS,
        signalled: Signalled | None = None,
        kept_out: Callable[[SubjectId], bool] = lambda _: False,
    ) -> None:
        self._submitter = submitter
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._position = position
        self._names = Names(meanings_of_names)
        self._purposes = Purposes() if signalled is None else signalled.purposes
        self._signalled = signalled
        self._kept_out = kept_out

    def call(
        self,
        method: str,
        body: bytes,
        source: str,
        done: Callable[[CollectAnswer | HeedfulError], None],
        *,
        imported: bool = False,
        gpc: bool = False,
    ) -> None:
        """Take one call: `method` is identify, track, page, screen, group, alias, consent, batch or import.

        source names the sender; message ids are unique within it. imported keeps event times as they are. gpc:
        whether the request had `Sec-GPC: 1`.
        Raises Invalid or TooLarge when nothing of the call can be taken. Otherwise `done` is called once:
        with a fate for each event in the order received, after the accepted ones are durable and the views
        have them; or with LogUnavailable or KeyUnavailable, when nothing was stored.
        """
        chosen = method == CONSENT
        if chosen:
            method, body = "batch", as_batch(body, self._purposes)
        call = read_call(method, body)
        kind = method if method in SINGLE else ""
        origin = Origin(source, kind, self._clock.now(), imported)
        read = to_records(call, origin, self._pseudonyms, self._names)
        read = [self._let_in(outcome, len(source) + 1) for outcome in read]
        records = [outcome for outcome in read if isinstance(outcome, Record)]
        refusals: list[Record] = []
        if self._signalled is not None and not imported:
            refusals = self._signalled.refusals(records, origin.received, header=gpc)
        cut = len(source) + 1

        def answer(receipts: Sequence[Receipt] | Unstored) -> None:
            if isinstance(receipts, HeedfulError):
                done(receipts)
                return
            stored = [
                _fate(record.id[cut:], receipt) for record, receipt in zip(records, receipts, strict=False)
            ]  # refusals that the sender knows nothing of come last
            if len(stored) == len(read):
                fates = stored
            else:
                in_turn = iter(stored)
                fates = [outcome if isinstance(outcome, EventFate) else next(in_turn) for outcome in read]
            # One call of consent is one thing to its sender, also where the device has an event of its own.
            done(CollectAnswer(True, self._position(), tuple(fates[:1] if chosen else fates)))

        if records:
            self._submitter.submit([*records, *refusals] if refusals else records, answer)
        else:
            answer(())

    def _let_in(self, outcome: Record | EventFate, cut: int) -> Record | EventFate:
        """The record, unless it is of somebody who was forgotten and wants to stay so."""
        if isinstance(outcome, EventFate) or not self._kept_out(outcome.subject):
            return outcome
        what = "this person was forgotten, and nothing is collected about them"
        return EventFate(outcome.id[cut:], Status.REFUSED, "suppressed", "userId", what)


def _fate(message_id: str, receipt: Receipt) -> EventFate:
    if receipt.status is not Status.REFUSED:
        return EventFate(message_id, receipt.status)
    if receipt.code == KEY_DESTROYED:
        return EventFate(
            message_id,
            Status.REFUSED,
            KEY_DESTROYED,
            "",
            "this person was forgotten; nothing is kept of them",
        )
    return EventFate(
        message_id,
        Status.REFUSED,
        "conflict",
        "messageId",
        "another event was stored under this message id; give each event its own",
    )
