"""The definitions of placements: read, changed, brought back; and what is in force, for every answer.

What is in force is kept in memory, so that a question costs no query. A change made here holds for the next
answer; one made by another process is noticed within a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from heedful.pipeline.rules import read_rules
from heedful.records.audit import Audit
from heedful.records.records import Action, Definition, Draft, Records
from heedful.services.telling import telling
from heedful.vocabulary.errors import HeedfulError, Invalid, NotFound
from heedful.vocabulary.placement import Placement, placement_of
from heedful.vocabulary.recommendation import RecommendAnswer
from heedful.vocabulary.time import Clock, iso
from heedful.vocabulary.variants import Algorithm, Variant, VariantPlacement

KIND = "placement"
MOST_NOTE = 1_000
_LOOK_AGAIN = 1.0
"""Seconds between looks for what other processes changed."""


class Standing(NamedTuple):
    """What is in force under a name. placement: None where what is stored cannot be read by this program."""

    placement: Placement | None
    version: int


class PlacementVersion(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One version on the wire. placement: left out where this version deleted it."""

    name: str
    version: int
    author: str
    created: str
    note: str = ""
    deleted: bool = False
    placement: Placement | None = None


class PlacementList(msgspec.Struct, frozen=True):
    """Every placement that is defined, by name."""

    placements: tuple[PlacementVersion, ...]


class PlacementVersions(msgspec.Struct, frozen=True):
    """The versions of one placement, newest first."""

    versions: tuple[PlacementVersion, ...]


class Preview(msgspec.Struct, frozen=True, rename="camel"):
    """What a draft would answer, and beside it what is in force. version: of that, 0 for what is built in."""

    draft: RecommendAnswer
    in_force: RecommendAnswer
    version: int


class Placements:
    """The service. One thread owns it."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        *,
        sources: Sequence[str] = (),
        audit: Audit | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """sources: the names that a placement's `sources` may give. audit: told of every change before it is made.
        ticks: seconds, for looking again."""
        self._records = records
        self._clock = clock
        self._audit = audit
        self.sources = tuple(sources)
        self._ticks = ticks
        self._next_look = 0.0
        self._revision = -1
        self._standing: Mapping[str, Standing] = {}
        self._look()

    def standing(self, name: str) -> Standing | None:
        """What is in force under `name`; None where nothing is defined."""
        if self._ticks() >= self._next_look:
            self._look()
        return self._standing.get(name)

    def variants(self, name: str) -> VariantPlacement | None:
        """The contents that are chosen from under `name`; None where none are defined."""
        standing = self.standing(name)
        placement = None if standing is None else standing.placement
        if placement is None or placement.kind != "variants":
            return None
        return VariantPlacement(
            variants=tuple(Variant(one.id, one.payload or None) for one in placement.variants),
            algorithm=Algorithm(placement.algorithm),
            minimum_propensity=placement.minimum_propensity,
            reward={placement.reward: 1.0},
            half_life_days=placement.half_life_days or 0.0,
        )

    def list(self) -> PlacementList:
        """Every placement that is defined, by name."""
        return PlacementList(tuple(map(_version, self._records.list(KIND))))

    def get(self, name: str) -> PlacementVersion:
        """The version in force. Raises NotFound."""
        return _version(self._current(name))

    def versions(self, name: str, *, before: int | None = None) -> PlacementVersions:
        """The newest 100 versions below `before`, newest first, deletions too. Raises NotFound if none was."""
        found = self._records.versions(KIND, name, before=before)
        if not found and before is None:
            raise _missing(name)
        return PlacementVersions(tuple(map(_version, found)))

    def checked(self, name: str, body: object) -> Placement:
        """The placement that `body` describes. Raises Invalid (`placement_invalid`), naming the path."""
        placement = placement_of(name, body)
        read_rules(placement)
        for source in placement.sources or ():
            if source not in self.sources:
                raise Invalid(
                    "placement_invalid",
                    f"sources.{source}: there is no such source; there are {', '.join(self.sources)}",
                    path=f"sources.{source}",
                )
        return placement

    def put(
        self,
        name: str,
        body: object,
        *,
        author: str,
        note: str = "",
        expected: int | None = None,
        actor: str = "",
    ) -> PlacementVersion:
        """Define `name`; in force for the next answer, durable on return.

        expected: as `Records.put` has it. actor: how the audit names the author, `terminal` when left out.

        Raises Invalid, Conflict, RecordsUnavailable.
        """
        content = msgspec.json.encode(self.checked(name, body))
        return self._change(name, content, "put", author, note, expected, actor)

    def delete(
        self, name: str, *, author: str, note: str = "", expected: int | None = None, actor: str = ""
    ) -> PlacementVersion:
        """Take the definition away: what is built in holds again. Raises NotFound, Conflict."""
        self._current(name)
        return self._change(name, b"", "delete", author, note, expected, actor)

    def rollback(
        self,
        name: str,
        version: int,
        *,
        author: str,
        note: str = "",
        expected: int | None = None,
        actor: str = "",
    ) -> PlacementVersion:
        """Append a version that is like `version`. Raises NotFound, Invalid if that one deletes, Conflict."""
        found = self._records.version(KIND, name, version)
        if found is None:
            raise NotFound(f"the placement {name!r} has no version {version}")
        if found.deleted:
            raise Invalid(
                "request_invalid", f"version {version} is a deletion; delete instead", path="version"
            )
        self.checked(name, msgspec.json.decode(found.body))
        return self._change(name, found.body, "rollback", author, note, expected, actor)

    def close(self) -> None:
        """Let go of the records."""
        self._records.close()

    def _change(
        self, name: str, body: bytes, action: Action, author: str, note: str, expected: int | None, actor: str
    ) -> PlacementVersion:
        if len(note) > MOST_NOTE:
            raise Invalid("request_invalid", f"a note has at most {MOST_NOTE} characters", path="note")
        draft = Draft(KIND, name, body, author, self._clock.now(), note, action)
        made = self._records.put(draft, expected=expected, tell=telling(self._audit, actor, KIND, action))
        self._look()
        return _version(made)

    def _current(self, name: str) -> Definition:
        found = self._records.current(KIND, name)
        if found is None:
            raise _missing(name)
        return found

    def _look(self) -> None:
        """Take over what changed. While the records cannot be read, what we know goes on."""
        self._next_look = self._ticks() + _LOOK_AGAIN
        try:
            revision = self._records.revision()
            if revision != self._revision:
                known = self._standing
                self._standing = {
                    one.name: _kept(known.get(one.name), one) for one in self._records.list(KIND)
                }
                self._revision = revision
        except HeedfulError:
            return


def _kept(known: Standing | None, definition: Definition) -> Standing:
    if known is not None and known.version == definition.version:
        return known
    try:
        placement = placement_of(definition.name, msgspec.json.decode(definition.body))
        read_rules(placement)
    except (Invalid, msgspec.DecodeError):
        return Standing(None, definition.version)  # a newer program wrote it
    return Standing(placement, definition.version)


def _version(definition: Definition) -> PlacementVersion:
    try:
        placement = msgspec.json.decode(definition.body, type=Placement) if definition.body else None
    except msgspec.MsgspecError:
        placement = None
    return PlacementVersion(
        name=definition.name,
        version=definition.version,
        author=definition.author,
        created=iso(definition.created),
        note=definition.note,
        deleted=definition.deleted,
        placement=placement,
    )


def _missing(name: str) -> NotFound:
    return NotFound(f"no placement {name!r} is defined: questions for it get what is built in")
