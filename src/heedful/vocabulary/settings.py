"""What an operator may set. A setting exists where two deployments truly differ."""

from __future__ import annotations

import msgspec

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
    """smallest_group: a metric over fewer people than this is not shown, at least 1."""

    smallest_group: int = 20

    def __post_init__(self) -> None:
        if self.smallest_group < 1:
            raise ValueError("smallest_group must be at least 1")


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """fit_every: a ranker is fitted in the background after this many new records, and no sooner than the log has
    grown by half since the last fit; 0 for fits by hand only."""

    fit_every: int = 20_000

    def __post_init__(self) -> None:
        if self.fit_every < 0:
            raise ValueError("fit_every must be 0 or more")


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
    forgetting: ForgettingSettings = ForgettingSettings()
    kinds: dict[str, Meaning] = {}
    names: dict[str, str] = {}

    def __post_init__(self) -> None:
        if self.idle_minutes <= 0:
            raise ValueError("idle_minutes must be more than 0")
        if self.retention_days < 0 or self.snapshot_every < 0:
            raise ValueError("retention_days and snapshot_every must be 0 or more")
        if not 0.0 <= self.holdout <= 0.5:
            raise ValueError("holdout must be 0 (nobody) to 0.5 (every second person)")
