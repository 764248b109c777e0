"""The proof of choices: each becomes an entry of the hash-chained ledger, and a receipt that the person may have.

The log is the truth and the ledger follows it: a choice counts when it is in the log, and is written into the
ledger a moment later, under its event's id. What a crash kept from it is found and written at the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import structlog

from heedful.privacy.changes import Choice
from heedful.privacy.receipts import CHAIN, receipt_of, record_of
from heedful.privacy.signals import as_sent
from heedful.records.signing import Signer
from heedful.services.gates import Gates
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.consents import ConsentFact
from heedful.views.fold import Fold
from heedful.vocabulary.consent import CONSENT, NEVER, Receipt
from heedful.vocabulary.consent import ConsentRecord as Kept
from heedful.vocabulary.consent_answer import ConsentAnswer, ToldChoice, ToldPurpose
from heedful.vocabulary.errors import RecordsUnavailable
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.time import Clock, moment

if TYPE_CHECKING:
    from heedful.records.ledger import Draft, Ledger

Later = Callable[[float, Callable[[], None]], object]

_SOON = 0.02
_AGAIN = 5.0
"""Seconds after which writing is tried again that failed."""

_log = structlog.get_logger("heedful.proof")
_read_choice = msgspec.json.Decoder(Choice).decode
_read_kept = msgspec.json.Decoder(Kept).decode


class Proof:
    """The service. One thread owns it, the fold and the ledger.

    ledger, signer: None where nothing is kept on disk. later: calls a function after so many seconds; None for at
        once.
    """

    def __init__(
        self,
        *,
        fold: Fold,
        gates: Gates,
        pseudonyms: Pseudonyms,
        decode: Callable[[bytes], Event],
        ledger: Ledger | None,
        signer: Signer | None,
        clock: Clock,
    ) -> None:
        self._fold, self._gates, self._pseudonyms = fold, gates, pseudonyms
        self._decode = decode
        self.ledger, self.signer, self._clock = ledger, signer, clock
        self.later: Later | None = None
        self._waiting: dict[int, int] = {}
        self._called = False

    def settle(self) -> None:
        """Have what was chosen written: soon where there is a `later`, now otherwise. For after every batch."""
        if not self._waiting or self._called:
            return
        if self.later is None:
            self.flush()
            return
        self._called = True
        self.later(_SOON, self.flush)

    def flush(self) -> None:
        """Write everything that waits, durable on return; what cannot be written goes on waiting."""
        self._called = False
        if self.ledger is None or not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        try:
            self.ledger.append(CHAIN, self._drafts(waiting, self.ledger))
        except RecordsUnavailable as error:
            self._waiting = {**waiting, **self._waiting}
            _log.warning("consent_ledger_unavailable", why=str(error), waiting=len(self._waiting))
            if self.later is not None:
                self._called = True
                self.later(_AGAIN, self.flush)

    def close(self) -> None:
        """Write what waits, and let go of the ledger."""
        self.later = None
        self.flush()
        if self.ledger is not None:
            self.ledger.close()

    def mend(self) -> int:
        """Write what the log has and the ledger lacks, after a crash between the two; returns how many.

        For when the fold has caught up with its log: from now on it tells of new choices.
        """
        if self.ledger is None:
            return 0
        self._fold.chose = self._note
        known = {self._pseudonyms.fingerprint(EventId(key)) for key in self.ledger.keys(CHAIN)}
        held = self._fold.lawful.consents.events()
        self._waiting.update({event: subject for event, subject in held.items() if event not in known})
        count = len(self._waiting)
        self.flush()
        return count

    def tell(self, user: str, anonymous: str) -> ConsentAnswer:
        """What somebody chose, what it comes to and the receipts. Raises RecordsUnavailable."""
        self.flush()
        consents, rules = self._fold.lawful.consents, self._gates.rules
        subjects = self._gates.subjects(user, anonymous)
        changes = sorted(
            (one for subject in subjects for one in consents.changes(subject)),
            key=lambda one: (one.received, one.purpose, one.state),
        )
        stand = self._fold.lawful.stands(subjects, self._clock.now())
        purposes, place = {}, rules.place(self._gates.who(subjects))
        for name, verdict in self._gates.by_id(user, anonymous).items():
            rule, standing = rules.purposes.rule(name, place), stand(name)
            purposes[name] = ToldPurpose(
                verdict.allowed, verdict.why, rule.mechanism, rule.basis, standing.state,
                moment(verdict.since) if verdict.since > NEVER else None,
                moment(standing.expires) if standing.expires else None,
            )  # fmt: skip
        choices = [
            ToldChoice(
                one.purpose, one.state, moment(one.received), moment(one.at),
                moment(one.expires) if one.expires else None, one.notice, one.explicit, one.guardian,
            )
            for one in changes
        ]  # fmt: skip
        return ConsentAnswer(choices, purposes, self._receipts(subjects))

    def _receipts(self, subjects: Sequence[int]) -> list[Receipt]:
        if self.ledger is None or self.signer is None:
            return []
        found = []
        for subject in subjects:
            events = self._fold.lawful.consents.events_of(subject)
            for record, _ in self._fold.records_of(subject, np.array(events, dtype=np.uint64)):
                entry = self.ledger.get(CHAIN, record.id)
                if entry is not None:
                    found.append((entry.number, entry))
        return [
            receipt_of(_read_kept(entry.body), entry.at, self.signer)
            for _, entry in sorted(found, key=lambda one: one[0])
        ]

    def _note(self, facts: Sequence[ConsentFact]) -> None:
        self._waiting.update({fact.event: fact.subject for fact in facts})

    def _drafts(self, waiting: dict[int, int], ledger: Ledger) -> list[Draft]:
        """Entries of the events that still count, in order of arrival."""
        from heedful.records.ledger import Draft  # who works in memory does not pay for the import

        by_subject: dict[int, list[int]] = {}
        for event, subject in waiting.items():
            by_subject.setdefault(subject, []).append(event)
        records = [
            record
            for subject, events in by_subject.items()
            for record, _ in self._fold.records_of(subject, np.array(events, dtype=np.uint64))
        ]
        records.sort(key=lambda record: (record.received, record.id))
        return [
            Draft(record.id, record.received, self._kept(record))
            for record in records
            if ledger.get(CHAIN, record.id) is None
        ]

    def _kept(self, record: Record) -> Kept:
        event, rules = self._decode(record.body), self._gates.rules
        signals: dict[str, Any] = {
            name: value
            for name, value in as_sent(event.context, gpc=event.name == "Sec-GPC").items()
            if isinstance(value, str | bool)  # a number that is none of ours cannot be hashed
        }
        said = Choice(choices={"*": False})
        if event.kind == CONSENT:
            with suppress(msgspec.DecodeError, RecursionError):  # then it was kept as a refusal of everything
                said = _read_choice(event.properties)
        else:
            said = msgspec.structs.replace(said, method="external_provider")
        return record_of(
            record.id,
            record.subject,
            rules.changes(event, record.at, record.received),
            rules.purposes,
            jurisdiction=rules.jurisdiction,
            method=said.method,
            origin=said.origin,
            served_notice_id=said.served_notice_id,
            signals=signals,
        )
