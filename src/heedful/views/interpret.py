"""What one record says to the views: the pure function from an event to its share.

The same function serves learning and forgetting, so that what was added is exactly what is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np

from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.catalogue import ItemChange
from heedful.views.consents import ConsentFact
from heedful.views.dictionary import Items, Kinds, Subjects
from heedful.views.lawful import Carried, Judge, Said
from heedful.views.orders import OrderEvent, OrderLine
from heedful.views.outcome_facts import Facts
from heedful.views.outcomes import Group, Outcomes
from heedful.views.rows import NO_ITEM, Rows
from heedful.views.trial_sums import Change
from heedful.views.trials import Exposure
from heedful.views.variant_facts import Reaction, Shown, arms_of, is_about_variants, own_id, reaction, shown
from heedful.views.who import NOBODY_SAID, WhoFact
from heedful.vocabulary.consent import CONSENT
from heedful.vocabulary.decision import Outline, outline_of
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event, Record
from heedful.vocabulary.ids import NOBODY, EventId, ItemId, SubjectId
from heedful.vocabulary.item import Item
from heedful.vocabulary.kinds import (
    CANCEL,
    DECISION,
    EXPOSURE,
    IDENTIFY,
    ITEM,
    ITEM_DELETED,
    PURCHASE,
    REFUND,
    TRIAL,
)
from heedful.vocabulary.time import MINUTE
from heedful.vocabulary.trial import Trial

RECORD_LINE = 0xFFFF
"""The line number of the row that says only that a record exists: item-less events, and order events, whose
items come and go with their order."""

_OF_AN_ORDER = frozenset({PURCHASE, REFUND, CANCEL})

_read_arms = msgspec.json.Decoder(list[tuple[str, str]]).decode


class Answer(NamedTuple):
    """A decision: its fingerprint, its time, whom it was for, and what joining outcomes needs of it."""

    fingerprint: int
    at: int
    subject: SubjectId
    outline: Outline


class Reference(NamedTuple):
    """An event that names a decision, both by fingerprint."""

    event: int
    at: int
    decision: int
    subject: SubjectId


class Paid(NamedTuple):
    """What a line of a purchase cost, in minor units of a currency."""

    event: int
    line: int
    at: int
    amount: int
    currency: str


@dataclass(slots=True)
class Share:
    """What a batch of records says: plain columns under construction, item changes, order events, what was shown
    of variants and named afterwards, choices about consent, consent that events brought, by fingerprint, who saw
    which arm of an experiment, and how experiments stand."""

    subjects: list[SubjectId] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    ats: list[int] = field(default_factory=list)
    fingerprints: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    quantities: list[int] = field(default_factory=list)
    changes: list[ItemChange] = field(default_factory=list)
    orders: list[OrderEvent] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    paid: list[Paid] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    consents: list[ConsentFact] = field(default_factory=list)
    bearers: list[WhoFact] = field(default_factory=list)
    carried: dict[int, Carried] = field(default_factory=dict)
    exposures: list[Exposure] = field(default_factory=list)
    trials: list[Change] = field(default_factory=list)

    @property
    def said(self) -> Said:
        """What it says of consent, and of how old and where people are."""
        return Said(self.consents, self.bearers)


class Interpreter:
    """Reads records in the dense numbers of one process."""

    def __init__(
        self,
        items: Items,
        kinds: Kinds,
        subjects: Subjects,
        pseudonyms: Pseudonyms,
        decode: Callable[[bytes], Event],
        judge: Judge,
    ) -> None:
        self._judge = judge
        self._items = items
        self._kinds = kinds
        self._subjects = subjects
        self._pseudonyms = pseudonyms
        self._decode = decode

    def share(self, records: Iterable[tuple[Record, int]]) -> Share:
        """The share of `records`, each with its fingerprint. Raises Corrupt if a body does not read."""
        share = Share()
        subjects, items, kinds, ats = share.subjects, share.items, share.kinds, share.ats
        fingerprints, numbers, quantities = share.fingerprints, share.lines, share.quantities
        item_codes, kind_codes, decode = self._items.codes, self._kinds.codes, self._decode
        choosing = self._judge.choosing
        for record, fingerprint in records:
            event = decode(record.body)
            kind = event.kind
            lines = event.lines
            if event.decision:
                if is_about_variants(event):
                    self._variant(record, event, fingerprint, share)
                elif kind == EXPOSURE:
                    self._exposed(record, fingerprint, _read_arms(event.properties), share)
                elif record.subject != NOBODY:
                    self._decision(record, event, fingerprint, share)
            if record.subject == NOBODY:
                self._catalogue(record, event, fingerprint, share)
                continue
            if event.order and kind in _OF_AN_ORDER:
                self._order(record, event, fingerprint, share)
                lines = ()
            if kind == CONSENT or event.name in choosing:
                self._consent(record, event, fingerprint, share)
            elif kind == IDENTIFY:
                self._bearer(record, event, fingerprint, share)
            context = event.context
            # A key may be written with escapes. (`find` costs half of what `in` does.)
            if context and (context.find(b"consent") >= 0 or context.find(92) >= 0):
                signals = self._judge.carried(context)
                if signals is not None:
                    share.carried[fingerprint] = Carried(signals, record.received)
            kind_code = kind_codes.get(kind)
            if kind_code is None:
                kind_code = self._kinds.code(kind)
            if not lines:
                subjects.append(record.subject)
                items.append(NO_ITEM)
                kinds.append(kind_code)
                ats.append(record.at)
                fingerprints.append(fingerprint)
                numbers.append(RECORD_LINE)
                quantities.append(1)
                continue
            for number, line in enumerate(lines):
                item_code = item_codes.get(line.item)
                subjects.append(record.subject)
                items.append(self._items.code(line.item) if item_code is None else item_code)
                kinds.append(kind_code)
                ats.append(record.at)
                fingerprints.append(fingerprint)
                numbers.append(number)
                quantities.append(line.quantity)
        return share

    def rows(self, share: Share) -> Rows:
        """The columns of `share` as arrays."""
        return Rows(
            subject=self._subjects.codes(share.subjects),
            item=np.array(share.items, dtype=np.int32),
            kind=np.array(share.kinds, dtype=np.uint16),
            at=np.array(share.ats, dtype=np.int64),
            fingerprint=np.array(share.fingerprints, dtype=np.uint64),
            line=np.array(share.lines, dtype=np.uint16),
            quantity=np.array(share.quantities, dtype=np.int32),
        )

    def facts(
        self, share: Share, outcomes: Outcomes, kept: Callable[[int], bool] | None = None
    ) -> Facts | None:
        """The columns of what `share` says of decisions and outcomes, None if it says nothing. kept: of which
        events, by fingerprint; None: of all."""
        answers, references, paid = share.answers, share.references, share.paid
        if kept is not None:
            answers = [one for one in answers if kept(one.fingerprint)]
            references = [one for one in references if kept(one.event)]
            paid = [one for one in paid if kept(one.event)]
        if not (answers or references or paid):
            return None
        code = self._items.code
        outlines = [answer.outline for answer in answers]
        groups = [outcomes.group(Group(o.placement, o.policy, o.model, o.holdout)) for o in outlines]
        return Facts(
            prints=np.array([answer.fingerprint for answer in answers], dtype=np.uint64),
            ats=np.array([answer.at for answer in answers], dtype=np.int64),
            windows=np.array([o.window * MINUTE for o in outlines], dtype=np.int64),
            buying=np.array([o.purchase_window * MINUTE for o in outlines], dtype=np.int64),
            subjects=self._subjects.codes([answer.subject for answer in answers]),
            groups=np.array(groups, dtype=np.int32),
            shown=np.array([o.counts_as_shown for o in outlines], dtype=np.uint8),
            ends=np.cumsum([len(o.items) for o in outlines], dtype=np.int64),
            items=np.array([code(item) for o in outlines for item in o.items], dtype=np.int32),
            ref_events=np.array([one.event for one in references], dtype=np.uint64),
            ref_ats=np.array([one.at for one in references], dtype=np.int64),
            ref_decisions=np.array([one.decision for one in references], dtype=np.uint64),
            ref_subjects=self._subjects.codes([one.subject for one in references]),
            paid_events=np.array([one.event for one in paid], dtype=np.uint64),
            paid_lines=np.array([one.line for one in paid], dtype=np.uint16),
            paid_ats=np.array([one.at for one in paid], dtype=np.int64),
            paid=np.array([one.amount for one in paid], dtype=np.int64),
            currencies=np.array([outcomes.currency(one.currency) for one in paid], dtype=np.int16),
        )

    def _consent(self, record: Record, event: Event, fingerprint: int, share: Share) -> None:
        changes = tuple(self._judge.changes(event, record.at, record.received))
        if changes:
            subject = int(self._subjects.codes((record.subject,))[0])
            share.consents.append(ConsentFact(subject, fingerprint, changes))

    def _exposed(
        self, record: Record, fingerprint: int, arms: Sequence[tuple[str, str]], share: Share
    ) -> None:
        if arms and record.subject != NOBODY:
            subject = int(self._subjects.codes((record.subject,))[0])
            share.exposures.append(Exposure(fingerprint, record.at, subject, tuple(arms)))

    def _bearer(self, record: Record, event: Event, fingerprint: int, share: Share) -> None:
        who = self._judge.who(event)
        if who != NOBODY_SAID:
            subject = int(self._subjects.codes((record.subject,))[0])
            share.bearers.append(WhoFact(subject, fingerprint, record.received, who))

    def _decision(self, record: Record, event: Event, fingerprint: int, share: Share) -> None:
        if event.kind == DECISION:
            outline = outline_of(event.properties)
            share.answers.append(Answer(fingerprint, record.at, record.subject, outline))
            self._exposed(record, fingerprint, outline.arms, share)
        else:
            named = self._pseudonyms.fingerprint(EventId(f"heedful:{event.decision}"))
            share.references.append(Reference(fingerprint, record.at, named, record.subject))

    def _catalogue(self, record: Record, event: Event, fingerprint: int, share: Share) -> None:
        if event.kind == ITEM:
            try:
                item = msgspec.json.decode(event.properties, type=Item)
            except msgspec.DecodeError as error:
                raise Corrupt(f"the item event {record.id} does not read: {error}") from error
            share.changes.append(ItemChange(self._items.code(item.id), record.at, fingerprint, item))
        elif event.kind == ITEM_DELETED:
            share.changes.append(ItemChange(self._items.code(event.name), record.at, fingerprint, None))
        elif event.kind == TRIAL:
            try:
                trial = msgspec.json.decode(event.properties, type=Trial)
            except msgspec.DecodeError as error:
                raise Corrupt(f"the trial event {record.id} does not read: {error}") from error
            share.trials.append(Change(record.at, fingerprint, trial))

    def _variant(self, record: Record, event: Event, fingerprint: int, share: Share) -> None:
        nobody = record.subject == NOBODY
        subject = -1 if nobody else int(self._subjects.codes((record.subject,))[0])
        if event.kind == DECISION:
            fact = shown(record, event, fingerprint, subject)
            if fact is not None:
                share.shown.append(fact)
                self._exposed(record, fingerprint, arms_of(event), share)
        else:
            named = self._pseudonyms.fingerprint(own_id(event.decision))
            share.reactions.append(reaction(record, event, fingerprint, subject, named))

    def _order(self, record: Record, event: Event, fingerprint: int, share: Share) -> None:
        key = self._pseudonyms.item_key
        lines = tuple(
            OrderLine(self._items.code(line.item), line.quantity, key(ItemId(line.key or line.item)))
            for line in event.lines
        )
        order = OrderEvent(
            order=self._pseudonyms.order_key(event.order),
            kind=event.kind,
            subject=int(self._subjects.codes((record.subject,))[0]),
            at=record.at,
            fingerprint=fingerprint,
            lines=lines,
        )
        share.orders.append(order)
        if event.kind == PURCHASE:
            for number, amount in enumerate(_amounts(event)):
                if amount:
                    share.paid.append(Paid(fingerprint, number, record.at, amount, event.currency))


def _amounts(event: Event) -> list[int]:
    """What each line of a purchase cost. Where no line says it, the order's value by quantity, the remainder of
    whole units on the first lines."""
    amounts = [line.amount for line in event.lines]
    total = event.value or 0
    units = sum(line.quantity for line in event.lines)
    if any(amounts) or total <= 0 or not units:
        return amounts
    before = 0
    for number, line in enumerate(event.lines):
        after = before + line.quantity
        amounts[number] = -(-total * after // units) - -(-total * before // units)
        before = after
    return amounts
