"""From a choice to its proof: the record that the ledger keeps, and the receipt that the person takes home.

Shape and words are those of ISO/IEC TS 27560; `docs/consent.md` lists the fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from heedful.privacy.purposes import Purposes, place_of
from heedful.records.canonical import canonical
from heedful.records.signing import Signer
from heedful.vocabulary.consent import (
    ALL,
    ConsentChange,
    ConsentRecord,
    Controller,
    Method,
    Notice,
    Origin,
    Receipt,
    RecordedEvent,
    RecordedPurpose,
)
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.time import Instant, iso

NO_CONTROLLER = Controller()

CHAIN = "consent"
"""The chain of the ledger that keeps consent records. An entry's key is its event's id."""


def record_of(
    event: EventId,
    subject: SubjectId,
    changes: Sequence[ConsentChange],
    purposes: Purposes,
    *,
    jurisdiction: str,
    controller: Controller = NO_CONTROLLER,
    method: Method = "save",
    origin: Origin = "api",
    served_notice_id: str = "",
    signals: Mapping[str, Any] | None = None,
    anonymized_ip: str = "",
) -> ConsentRecord:
    """The record of the `changes` that one event makes. Raises ValueError where there are none.

    signals: as sent (`privacy.signals.as_sent`). anonymized_ip: cut to /24 or /48 by the caller.
    """
    if not changes:
        raise ValueError("a record is about at least one change")
    named = sorted({name for one in changes for name in (purposes if one.purpose == ALL else (one.purpose,))})
    place = place_of(jurisdiction)
    sent = dict(signals or {})
    granted = {one.purpose for one in changes if not one.denies}
    return ConsentRecord(
        record_id=event,
        subject=subject.hex(),
        notice=_notice(named, purposes, max(one.notice for one in changes)),
        purposes=tuple(_purpose(name, purposes, place) for name in named),
        controller=controller,
        events=tuple(_event(one, method) for one in changes),
        origin=origin,
        served_notice_id=served_notice_id,
        user_geography=place,
        signals=sent,
        conflicts_with_gpc=bool(sent.get("gpc"))
        and any(purposes[name].discloses for name in named if name in purposes and granted & {name, ALL}),
        anonymized_ip=anonymized_ip,
    )


def receipt_of(record: ConsentRecord, at: Instant, signer: Signer) -> Receipt:
    """A receipt for `record`, made at `at`. The same record, time and key give the same receipt."""
    created = iso(at)
    unsigned = Receipt(
        receipt_id=sha256(canonical([record.record_id, created])).hexdigest()[:32],
        record_id=record.record_id,
        created=created,
        record=record,
        algorithm=signer.algorithm,
        key_id=signer.key_id,
    )
    return msgspec.structs.replace(unsigned, signature=signer.sign(canonical(unsigned)).hex())


def is_genuine(receipt: Receipt, signer: Signer) -> bool:
    """Whether we made `receipt`, and nobody changed it since."""
    try:
        signature = bytes.fromhex(receipt.signature)
    except ValueError:
        return False
    return signer.verifies(canonical(msgspec.structs.replace(receipt, signature="")), signature)


def _notice(names: Sequence[str], purposes: Purposes, read: int) -> Notice:
    """The notice of the purposes, the first that has an id; in the version that was read, where that was said.

    The hash is that of the current text, so an older version has none.
    """
    notices = [purposes[name].notice for name in names if name in purposes]
    notice = next((notice for notice in notices if notice.id), notices[0] if notices else Notice())
    if read in (0, notice.version):
        return notice
    return Notice(id=notice.id, version=read, language=notice.language)


def shortened(address: str) -> str:
    """An internet address cut to /24, or /48 for version 6, as records may keep it; "" for what is none."""
    try:
        whole = ip_address(address)
    except ValueError:
        return ""
    whole = getattr(whole, "ipv4_mapped", None) or whole
    return str(ip_network((whole, 24 if whole.version == 4 else 48), strict=False).network_address)


def _purpose(name: str, purposes: Purposes, place: str) -> RecordedPurpose:
    known = purposes.get(name)
    if known is None:
        return RecordedPurpose(purpose_id=name, jurisdiction=place)
    return RecordedPurpose(
        purpose_id=name,
        dpv=known.dpv,
        data_categories=known.data_categories,
        special_category=known.special_category,
        legal_basis=purposes.rule(name, place).basis,
        recipients=known.recipients,
        storage=f"{known.retention_days} days" if known.retention_days else "until erased",
        jurisdiction=place,
        withdrawal_method="POST /v1/consent",
    )


def _event(change: ConsentChange, method: Method) -> RecordedEvent:
    return RecordedEvent(
        purpose_id=change.purpose,
        state=change.state,
        type="explicit" if change.explicit else "expressed",
        time=iso(change.received),
        duration=iso(change.expires) if change.expires else "",
        expressed_by="guardian" if change.guardian else "self",
        method=method,
    )
