"""What an operator may set. A setting exists where two deployments truly differ."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from heedful.vocabulary.access_settings import AccessSettings, HttpSettings
from heedful.vocabulary.consent import PrivacySettings
from heedful.vocabulary.kinds import Meaning


class CatalogueSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """required: only items that were described can be recommended; otherwise any item seen in events can."""

    required: bool = False


class DecisionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """full_share: the share of decisions, 0 to 1, that keep all candidates with their features."""

    full_share: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.full_share <= 1:
            raise ValueError("full_share must be 0 to 1")


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """smallest_group: a metric over fewer people than this is not shown, at least 1. currency: of the revenue that
    experiments measure, ISO 4217."""

    smallest_group: int = 20
    currency: str = "EUR"

    def __post_init__(self) -> None:
        if self.smallest_group < 1:
            raise ValueError("smallest_group must be at least 1")
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):
            raise ValueError("currency is three capital letters, as EUR")


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """fit_every: a ranker is fitted in the background after this many new records, and no sooner than the log has
    grown by half since the last fit; 0 for fits by hand only."""

    fit_every: int = 20_000

    def __post_init__(self) -> None:
        if self.fit_every < 0:
            raise ValueError("fit_every must be 0 or more")


class VaultSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """master: the key above all others: `file` (in the data folder), `file:FOLDER`, `environment`,
    `environment:VARIABLE`, `aws:ARN` or `google:NAME`. older: those that open what they closed before it.
    lease_minutes: for how long keys may be used before the master key is asked again, more than 0."""

    master: str = "file"
    older: tuple[str, ...] = ()
    lease_minutes: float = 60.0

    def __post_init__(self) -> None:
        if self.lease_minutes <= 0:
            raise ValueError("lease_minutes must be more than 0")


class RightsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """contact: who is responsible and how to reach them, in words, for what people get. domain: this server's
    name on the net, which signed OpenDSR answers carry."""

    contact: str = ""
    domain: str = "localhost"

    def __post_init__(self) -> None:
        if not 1 <= len(self.domain) <= 253 or not self.domain.isascii() or "/" in self.domain:
            raise ValueError("rights.domain is a host name, as privacy.shop.example")


RETAINED = ("personalization", "learning", "analytics")
"""Purposes that views are kept for. Personalization's is the history, what each person did."""


class RetentionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whole days, by name. purposes: of `RETAINED`; what one learned from events older than this is taken back.
    kinds: events of a kind that are older are taken out of every view and their bodies destroyed in the log."""

    purposes: dict[str, Annotated[int, Meta(ge=1)]] = {}
    kinds: dict[str, Annotated[int, Meta(ge=1)]] = {}

    def __post_init__(self) -> None:
        for purpose in self.purposes:
            if purpose not in RETAINED:
                raise ValueError(
                    f"retention.purposes.{purpose}: no view is kept for it, only for {', '.join(RETAINED)}"
                )


class ForgettingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """webhook: an address that is told of every forgetting, https, or http on this machine; "" for none.
    key_backup_days: how long copies of keys live in backups, 0 to 7; receipts say until when.
    """

    webhook: str = ""
    key_backup_days: int = 7

    def __post_init__(self) -> None:
        if not 0 <= self.key_backup_days <= 7:
            raise ValueError("forgetting.key_backup_days must be 0 to 7")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Read from `settings.toml` in the data folder.

    idle_minutes: a session ends after this long without an event, more than 0.
    retention_days: views forget what is older than this, at least 1; 0 keeps everything the log keeps.
    snapshot_every: a snapshot is made in the background after this many new records; 0 only at the end.
    holdout: the share of people who get popular items only, so that what personalization is worth is always
        measured; 0 to 0.5.
    kinds: what an event kind teaches, by name; replaces the default of that kind.
    names: your own event names to kinds, as `"Song Played" = "view"`.
    """

    idle_minutes: float = 30.0
    retention_days: int = 0
    snapshot_every: int = 1_000_000
    holdout: float = 0.05
    catalogue: CatalogueSettings = CatalogueSettings()
    models: ModelSettings = ModelSettings()
    decisions: DecisionSettings = DecisionSettings()
    metrics: MetricsSettings = MetricsSettings()
    access: AccessSettings = AccessSettings()
    http: HttpSettings = HttpSettings()
    vault: VaultSettings = VaultSettings()
    rights: RightsSettings = RightsSettings()
    retention: RetentionSettings = RetentionSettings()
    privacy: PrivacySettings = PrivacySettings()
    forgetting: ForgettingSettings = ForgettingSettings()
    kinds: dict[str, Meaning] = {}
    names: dict[str, str] = {}

    def __post_init__(self) -> None:
        if self.idle_minutes <= 0:
            raise ValueError("idle_minutes must be more than 0")
        if self.retention_days < 0 or self.snapshot_every < 0:
            raise ValueError("retention_days and snapshot_every must be 0 or more")
        history = self.retention.purposes.get("personalization", 0)
        for kind, days in self.retention.kinds.items():
            if any(0 < other < days for other in (self.retention_days, history)):
                raise ValueError(
                    f"retention.kinds.{kind}: {days} days are longer than the history is kept, which finds them"
                )
        if not 0.0 <= self.holdout <= 0.5:
            raise ValueError("holdout must be 0 (nobody) to 0.5 (every second person)")
