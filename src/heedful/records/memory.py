"""Definitions in memory: for an engine that keeps nothing, and the short twin of the database."""

from __future__ import annotations

from collections.abc import Sequence

from heedful.records.records import Change, Definition, Draft, Heard, check_expected


class MemoryRecords:
    """`Records` without a disk."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], list[Definition]] = {}
        self._audit: list[Change] = []

    def current(self, kind: str, name: str) -> Definition | None:
        last = self._last(kind, name)
        return None if last is None or last.deleted else last

    def list(self, kind: str) -> Sequence[Definition]:
        last = [versions[-1] for (of, _), versions in sorted(self._versions.items()) if of == kind]
        return [definition for definition in last if not definition.deleted]

    def versions(
        self, kind: str, name: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[Definition]:
        versions = self._versions.get((kind, name), [])
        return [one for one in reversed(versions) if before is None or one.version < before][:limit]

    def version(self, kind: str, name: str, version: int) -> Definition | None:
        versions = self._versions.get((kind, name), [])
        return versions[version - 1] if 1 <= version <= len(versions) else None

    def put(self, draft: Draft, *, expected: int | None = None, tell: Heard | None = None) -> Definition:
        last = self._last(draft.kind, draft.name)
        check_expected(last, expected, draft.name)
        before = 0 if last is None else last.version
        made = Definition(draft.kind, draft.name, before + 1, draft.body, draft.author, draft.at, draft.note)
        if tell is not None:
            tell(None if last is None or last.deleted else last, made)
        self._versions.setdefault((draft.kind, draft.name), []).append(made)
        self._audit.append(
            Change(
                len(self._audit) + 1, draft.at, draft.author, draft.action, draft.kind, draft.name,
                0 if last is None or last.deleted else before, made.version, draft.note,
            )
        )  # fmt: skip
        return made

    def audit(self, kind: str, name: str, *, limit: int = 100) -> Sequence[Change]:
        mine = [change for change in self._audit if (change.kind, change.name) == (kind, name)]
        return mine[::-1][:limit]

    def revision(self) -> int:
        return len(self._audit)

    def close(self) -> None:
        """Nothing is held."""

    def _last(self, kind: str, name: str) -> Definition | None:
        versions = self._versions.get((kind, name))
        return versions[-1] if versions else None
