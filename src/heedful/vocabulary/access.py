"""Who may do what: scopes, which a key or a role holds, and roles, which people hold."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

import msgspec


class Scope(StrEnum):
    """One thing that may be done. A name is `what:how`, and is stable."""

    EVENTS_WRITE = "events:write"
    RECOMMEND_READ = "recommend:read"
    DECISIONS_READ = "decisions:read"
    ITEMS_READ = "items:read"
    ITEMS_WRITE = "items:write"
    PLACEMENTS_READ = "placements:read"
    PLACEMENTS_WRITE = "placements:write"
    EXPERIMENTS_READ = "experiments:read"
    EXPERIMENTS_WRITE = "experiments:write"
    METRICS_READ = "metrics:read"
    OPERATIONS_READ = "operations:read"
    PRIVACY_READ = "privacy:read"
    PRIVACY_WRITE = "privacy:write"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)

PUBLIC_SCOPES = frozenset({Scope.EVENTS_WRITE})
"""What a write key holds: it stands in web pages, so it may send and nothing else."""


class Role(StrEnum):
    """What somebody is to this installation. Each person has one."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    EDITOR = "editor"
    PRIVACY_OFFICER = "privacy_officer"
    ADMIN = "admin"


_LOOK = frozenset({Scope.ITEMS_READ, Scope.PLACEMENTS_READ, Scope.EXPERIMENTS_READ, Scope.METRICS_READ})

GRANTS = MappingProxyType({
    Role.VIEWER: _LOOK,
    Role.ANALYST: _LOOK | {Scope.OPERATIONS_READ},
    Role.EDITOR: _LOOK | {Scope.ITEMS_WRITE, Scope.PLACEMENTS_WRITE, Scope.EXPERIMENTS_WRITE},
    Role.PRIVACY_OFFICER: _LOOK | {Scope.DECISIONS_READ, Scope.PRIVACY_READ, Scope.PRIVACY_WRITE},
    Role.ADMIN: ALL_SCOPES,
})  # fmt: skip
"""What each role may do. Only the privacy officer and the administrator see what concerns one person."""


class Subject(msgspec.Struct, frozen=True):
    """Somebody who was proven to be who asks. Exactly one of the two is not None."""

    user_id: str | None = None
    anonymous_id: str | None = None
