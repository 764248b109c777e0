"""Fitted models by version: which was fitted when and to what, which answers now, and which answered before.

A model is a file of plain arrays whose name is drawn from its content, so the same fit is the same file. What
changes (measured, promoted, stale) stands in one small ledger that is replaced whole. A damaged file is said and
never believed: without a ledger that can be read nothing is in force, whoever serves goes on without, and the
next fit begins a new one. Nothing is guessed from the files beside it, since they do not say who was forgotten.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

from heedful.objects.folder import Folder
from heedful.views import snapshot
from heedful.vocabulary.errors import Corrupt, Invalid, NotFound
from heedful.vocabulary.time import Clock, SystemClock, iso

_LEDGER = "ledger.json"
_PREFIX = "model-"


class State(StrEnum):
    """What a model is to whoever serves.

    CANDIDATE: never promoted. IN_FORCE: answers now. RETIRED: answered before.
    STALE: learned from somebody who was forgotten since; never promoted again.
    """

    CANDIDATE = "candidate"
    IN_FORCE = "in force"
    RETIRED = "retired"
    STALE = "stale"


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a fit is a function of. It stands in the model's file, and so in its id.

    kind: how the arrays are read (`models.kinds`). place: what it is for; one model a place is in force.
    position: of the log, everything up to which was learned from. settings: of the fit. seed: of its chances.
    features: the columns, in order. learned: what fitting counted (groups, rows, trees, ...).
    """

    kind: str
    position: str
    settings: dict[str, str | int | float | bool]
    seed: int
    features: tuple[str, ...]
    learned: dict[str, str | int | float | bool | None] = {}
    place: str = "ranker"


class Version(msgspec.Struct, frozen=True):
    """One model as the ledger knows it.

    id: 16 hexadecimal digits of its file's SHA-256. created, promoted, stale: RFC 3339, or "" for never.
    metrics: what replay said of it. against: the id of the model in force that it was compared with, or "".
    compared: what the same replay said of that one. state: see `State`.
    A model in force that learned from a forgotten person stays in force until it is replaced: see `stale`.
    """

    id: str
    facts: Facts
    created: str
    metrics: dict[str, float] = {}
    against: str = ""
    compared: dict[str, float] = {}
    promoted: str = ""
    stale: str = ""
    state: State = State.CANDIDATE


class _Ledger(msgspec.Struct, frozen=True):
    """versions: in the order they came. lines: by place, the ids promoted and not rolled back, in force last.
    era: another after each forgetting."""

    versions: tuple[Version, ...] = ()
    lines: dict[str, tuple[str, ...]] = {}
    era: str = ""

    def version(self, model: str) -> Version:
        """The one version whose id begins with `model`. Raises NotFound."""
        found = [version for version in self.versions if version.id.startswith(model)] if model else []
        if len(found) != 1:
            raise NotFound(f"{len(found) or 'no'} models have an id that begins with {model!r}")
        return found[0]

    def with_(self, version: Version) -> _Ledger:
        """The ledger with another version of the same id."""
        return msgspec.structs.replace(
            self, versions=tuple(version if one.id == version.id else one for one in self.versions)
        )

    def settled(self) -> _Ledger:
        """The ledger with every version's state as the lines and times say."""
        in_force = {line[-1] for line in self.lines.values() if line}
        return msgspec.structs.replace(
            self,
            versions=tuple(
                msgspec.structs.replace(
                    one,
                    state=State.IN_FORCE if one.id in in_force
                    else State.STALE if one.stale
                    else State.RETIRED if one.promoted
                    else State.CANDIDATE,
                )
                for one in self.versions
            ),
        )  # fmt: skip


class _Sealed(msgspec.Struct, frozen=True):
    sha256: str
    ledger: msgspec.Raw


class Shelf:
    """The models of one data folder. Several processes may share it: a fit beside a server, the command line."""

    def __init__(self, folder: Folder, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()

    def era(self) -> str:
        """Changes with each forgetting: ask before reading the examples of a fit. Raises Corrupt."""
        return self._load().era

    def add(self, facts: Facts, arrays: Mapping[str, NDArray[Any]], *, era: str | None = None) -> Version:
        """Keep a fitted model as a candidate. The same facts and arrays again are the same version.

        era: what `era()` said before the examples were read; if somebody was forgotten since, the model is stale
        from the start. Raises OSError; then nothing was kept.
        """
        content = b"".join(snapshot.chunks(_key(facts), (0,), 0, arrays))
        model = hashlib.sha256(content).hexdigest()[:16]
        with self._changing(anew=True) as ledger:
            known = [one for one in ledger.versions if one.id == model]
            if not known or not self._intact(model):
                self._folder.put(_PREFIX + model, [content])
            if known:
                return known[0]
            now = iso(self._clock.now())
            version = Version(model, facts, now, stale="" if era in {None, ledger.era} else now)
            changed = msgspec.structs.replace(ledger, versions=(*ledger.versions, version))
            return self._save(changed).version(model)

    def measured(
        self,
        model: str,
        metrics: Mapping[str, float],
        *,
        against: str = "",
        compared: Mapping[str, float] | None = None,
    ) -> Version:
        """Write down what replay said of `model`, and of the one in force beside it. Raises NotFound."""
        with self._changing() as ledger:
            version = msgspec.structs.replace(
                ledger.version(model), metrics=dict(metrics), against=against, compared=dict(compared or {})
            )
            return self._save(ledger.with_(version)).version(version.id)

    def promote(self, model: str) -> Version:
        """Put `model` in force in its place, in one step; the one before can be rolled back to.

        `model` is an id or enough of its beginning. Raises NotFound, Corrupt if its file is damaged, Invalid
        if it is stale.
        """
        with self._changing() as ledger:
            version = ledger.version(model)
            if version.stale:
                raise Invalid(
                    "model_stale", f"model {version.id} learned from somebody who was forgotten since"
                )
            self.arrays(version.id)
            place = version.facts.place
            line = tuple(one for one in ledger.lines.get(place, ()) if one != version.id)
            changed = msgspec.structs.replace(
                ledger.with_(msgspec.structs.replace(version, promoted=iso(self._clock.now()))),
                lines={**ledger.lines, place: (*line, version.id)},
            )
            return self._save(changed).version(version.id)

    def rollback(self, place: str = "ranker") -> Version | None:
        """Put the model back in force that was before, passing over stale and damaged ones.

        Returns it, or None when there is none before: then nothing is in force. Raises NotFound if already
        nothing is.
        """
        with self._changing() as ledger:
            line = ledger.lines.get(place, ())
            if not line:
                raise NotFound(f"no model is in force as {place}")
            before = [one for one in line[:-1] if not ledger.version(one).stale and self._intact(one)]
            settled = self._save(
                msgspec.structs.replace(ledger, lines={**ledger.lines, place: tuple(before)})
            )
            return settled.version(before[-1]) if before else None

    def forget(self) -> list[str]:
        """Mark every model as stale, because somebody they may have learned from is forgotten; returns their ids.

        Those in force stay so until a new one is promoted; none of them is promoted or rolled back to again.
        """
        now = iso(self._clock.now())
        with self._changing(anew=True) as ledger:
            versions = tuple(
                one if one.stale else msgspec.structs.replace(one, stale=now) for one in ledger.versions
            )
            self._save(msgspec.structs.replace(ledger, versions=versions, era=secrets.token_hex(8)))
            return [one.id for one in ledger.versions if not one.stale]

    def prune(self, keep: int = 10) -> list[str]:
        """Delete all but the newest `keep` models and those in force or right before; returns the ids that went.

        Stale ones that are not in force go whatever their age: they hold what was learned from a forgotten
        person. Files that no ledger knows go too. Raises Corrupt.
        """
        with self._changing() as ledger:
            lines = {place: line[-2:] for place, line in ledger.lines.items()}
            held = {one for line in lines.values() for one in line}
            in_force = {line[-1] for line in lines.values() if line}
            newest = {one.id for one in ledger.versions[len(ledger.versions) - keep :]} if keep else set()
            stays = tuple(
                one for one in ledger.versions
                if one.id in in_force or (not one.stale and one.id in held | newest)
            )  # fmt: skip
            kept = {one.id for one in stays}
            lines = {place: tuple(one for one in line if one in kept) for place, line in lines.items()}
            self._save(msgspec.structs.replace(ledger, versions=stays, lines=lines))
            files = [name.removeprefix(_PREFIX) for name in self._folder.names(_PREFIX)]
            gone = [model for model in files if model not in kept]
            for model in gone:
                self._folder.delete(_PREFIX + model)
            return gone

    def list(self) -> tuple[Version, ...]:
        """Every model, oldest first. Raises Corrupt if the ledger is damaged, saying what to do."""
        return self._load().versions

    def find(self, model: str) -> Version:
        """The model whose id begins with `model`. Raises NotFound, Corrupt."""
        return self._load().version(model)

    def arrays(self, model: str) -> dict[str, NDArray[Any]]:
        """The arrays of a model, by its whole id. Raises NotFound, Corrupt if its file is not what was kept."""
        return self._open(model)[1]

    def in_force(self, place: str = "ranker") -> Version | None:
        """The model in force, or None. Raises Corrupt if the ledger is damaged: serve as if none were."""
        line = (ledger := self._load()).lines.get(place, ())
        return ledger.version(line[-1]) if line else None

    def stamp(self) -> tuple[int, int, int] | None:
        """Changes whenever the ledger does: look at it to learn that another process promoted something."""
        try:
            status = self._folder.where(_LEDGER).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _open(self, model: str) -> tuple[Facts, dict[str, NDArray[Any]]]:
        path = self._folder.where(_PREFIX + model)
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest()[:16] != model:
                raise Corrupt(f"the file of model {model} is damaged; fit it again, or roll back")
            header, arrays = snapshot.read(path)
        except FileNotFoundError as error:
            raise NotFound(f"the file of model {model} is gone; fit it again, or roll back") from error
        try:
            return msgspec.json.decode(header.key, type=Facts), arrays
        except msgspec.DecodeError as error:
            raise Corrupt(f"the file of model {model} is of no known shape: {error}") from error

    def _intact(self, model: str) -> bool:
        try:
            self._open(model)
        except (Corrupt, NotFound, OSError):
            return False
        return True

    def _load(self) -> _Ledger:
        path = self._folder.where(_LEDGER)
        try:
            sealed = msgspec.json.decode(path.read_bytes(), type=_Sealed)
            if hashlib.sha256(sealed.ledger).hexdigest() != sealed.sha256:
                raise Corrupt("its checksum fails")
            return msgspec.json.decode(sealed.ledger, type=_Ledger).settled()
        except FileNotFoundError:
            return _Ledger()
        except (msgspec.DecodeError, UnicodeDecodeError, Corrupt) as error:
            raise Corrupt(
                f"{path} is damaged ({error}), so no model is in force; bring it back from a backup, or fit "
                f"again, which begins a new one"
            ) from error

    def _save(self, ledger: _Ledger) -> _Ledger:
        ledger = ledger.settled()
        content = msgspec.json.encode(ledger)
        seal = _Sealed(hashlib.sha256(content).hexdigest(), msgspec.Raw(content))
        self._folder.put(_LEDGER, [msgspec.json.encode(seal)])
        return ledger

    @contextmanager
    def _changing(self, *, anew: bool = False) -> Iterator[_Ledger]:
        """Alone with the ledger as it is now; `anew` puts a damaged one aside and begins another."""
        with Path(self._folder.where(".lock")).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                ledger = self._load()
            except Corrupt:
                if not anew:
                    raise
                ledger = _Ledger(era=secrets.token_hex(8))
                damaged = self._folder.where(_LEDGER)
                damaged.replace(damaged.with_suffix(".damaged"))
            yield ledger


def _key(facts: Facts) -> str:
    """The facts as text that is equal for equal facts, whatever order their settings were written in."""
    return msgspec.json.encode(facts, order="deterministic").decode()
