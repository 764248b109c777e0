"""Forgetting on the wire: what is asked for, how far it has come, and the receipt that proves it.

The receipt follows OpenDSR 2.0 (`subject_request_id`, `received_time`, ...) as far as that goes, and adds every
store with counts and digests. It names people by keyed hashes only.
"""

from __future__ import annotations

import msgspec

FOREVER = "forever"
OFF = "off"


class Alias(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """One more id of the same person; exactly one of the two."""

    user_id: str | None = None
    anonymous_id: str | None = None


class ForgetRequest(
    msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What is to be forgotten: a person by id and `aliases`, or everything that one sender sent (`source`).

    since, until: RFC 3339 times; only what happened from `since` on and before `until`. suppress: `forever` (a
    forgotten id is not collected again), `off` (who comes back is a new person), or an RFC 3339 time until which
    the id is not collected. A stretch of time and a source are never suppressed.
    """

    user_id: str | None = None
    anonymous_id: str | None = None
    aliases: tuple[Alias, ...] = ()
    source: str = ""
    since: str = ""
    until: str = ""
    suppress: str = FOREVER


class StoreErasure(msgspec.Struct, frozen=True, rename="camel"):
    """What a store held. before, after: counts of `unit`, of everybody. removed: of what was forgotten.

    digest_before, digest_after: of the whole store, hexadecimal, "" where it has none or was too large to digest
    while it served.
    """

    name: str
    unit: str
    removed: int
    before: int = 0
    after: int = 0
    digest_before: str = ""
    digest_after: str = ""


class ModelErasure(msgspec.Struct, frozen=True, rename="camel"):
    """A fitted model that may have learned from what was forgotten. rebuilt: when one fitted without it took its
    place, "" for not yet; `state` is then `rebuilt`, else `stale`, or `deleted` if it answers nobody any more."""

    id: str
    place: str
    created: str
    state: str
    stale: str = ""
    rebuilt: str = ""


class Check(msgspec.Struct, frozen=True):
    """Something that was looked at. ok: None where it was not."""

    name: str
    ok: bool | None
    text: str


class ErasureReceipt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was forgotten, where, and when; signed.

    subjects: keyed hashes, hexadecimal. through: the position of the log up to which it was forgotten.
    number: of this forgetting in the ledger. keys_destroyed: RFC 3339, or "" where nothing is sealed.
    backups_until: until when copies of keys may exist in backups, or "".
    entry: the hash of the ledger's entry before this receipt. signature: hexadecimal, over all the rest.
    """

    schema: str = "heedful-erasure-1"
    subject_request_id: str
    subject_request_type: str = "erasure"
    number: int
    received_time: str
    completed_time: str
    subjects: tuple[str, ...] = ()
    source: str = ""
    since: str = ""
    until: str = ""
    suppression: str = OFF
    through: str = ""
    records: int = 0
    stores: tuple[StoreErasure, ...] = ()
    models: tuple[ModelErasure, ...] = ()
    keys_destroyed: str = ""
    backups_until: str = ""
    checks: tuple[Check, ...] = ()
    webhook: str = ""
    entry: str = ""
    algorithm: str = ""
    key_id: str = ""
    signature: str = ""


class ErasureStatus(msgspec.Struct, frozen=True, rename="camel"):
    """How far a forgetting has come. state: `running` or `done`. step: the last one that is done.

    models: as they stand now. webhook: `none`, `pending`, or when it was delivered.
    """

    id: str
    number: int
    state: str
    step: str
    received: str
    records: int = 0
    models: tuple[ModelErasure, ...] = ()
    webhook: str = "none"
    receipt: ErasureReceipt | None = None


class ErasureList(msgspec.Struct, frozen=True):
    """Forgettings, newest first."""

    erasures: list[ErasureStatus]
