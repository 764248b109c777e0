"""The definitions of flags: read, changed, brought back, and made ready for evaluation.

What is in force stays answerable whatever happens around it: a rule whose experiment does not run is passed over,
and a definition that a later program wrote is an error of that flag alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec

from heedful.experiments.assignment import Assigner
from heedful.experiments.flags import Flags as Evaluator
from heedful.experiments.flags import configuration_digest
from heedful.records.audit import Audit
from heedful.records.records import Definition, Records
from heedful.services.definitions import Definitions
from heedful.services.experiments import Experiments
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.experiment import Arm, Experiment, Status
from heedful.vocabulary.flag import Flag, flag_of
from heedful.vocabulary.time import Clock, iso

KIND = "flag"
_SERVING = (Status.RUNNING, Status.ROLLED_OUT)


class FlagVersion(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One version on the wire. flag: left out where this version deleted it."""

    key: str
    version: int
    author: str
    created: str
    note: str = ""
    deleted: bool = False
    flag: Flag | None = None


class Ready(NamedTuple):
    """Everything in force, made ready. quiet: the same for who is in no experiment: what was rolled out is for
    them too, and no lot is drawn. experiments: that the rules name and that serve, by key. digest: of it all."""

    drawing: Evaluator
    quiet: Evaluator
    experiments: Mapping[str, Experiment]
    digest: bytes


class Flags:
    """The service. One thread owns it."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        experiments: Experiments,
        *,
        audit: Audit | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._definitions = Definitions(KIND, flag_of, records, clock, audit=audit, ticks=ticks)
        self._experiments = experiments
        self._made = (-1, -1)
        self._ready = _made_ready({}, {})

    def ready(self) -> Ready:
        """What is in force now, as of at most a second ago."""
        flags, experiments = self._definitions.standing(), self._experiments.standing()
        made = (self._definitions.made, self._experiments.made)
        if made != self._made:
            self._made = made
            with suppress(Invalid):  # two processes made a circle between them: what was in force goes on
                self._ready = _made_ready(flags, experiments)
        return self._ready

    @property
    def unread(self) -> frozenset[str]:
        """The keys of flags that a later program wrote, and this one cannot read."""
        return self._definitions.unread

    def look(self) -> None:
        """Take over now what other processes changed."""
        self._definitions.look()

    def list(self) -> tuple[FlagVersion, ...]:
        """Every flag, by key."""
        return tuple(map(_version, self._definitions.list()))

    def get(self, key: str) -> FlagVersion:
        """The version in force. Raises NotFound."""
        return _version(self._definitions.get(key))

    def arms_of(self, key: str, experiment: str) -> frozenset[str] | None:
        """The arms of an experiment that the rules of a flag name; None where there is no such flag."""
        flag = self._definitions.standing().get(key)
        if flag is None:
            return None
        return frozenset(arm for rule in flag.rules if rule.experiment == experiment for arm in rule.arms)

    def versions(self, key: str, *, before: int | None = None) -> tuple[FlagVersion, ...]:
        """The newest 100 versions below `before`, newest first, deletions too. Raises NotFound if none was."""
        return tuple(map(_version, self._definitions.versions(key, before=before)))

    def checked(self, key: str, body: object) -> Flag:
        """The flag that `body` describes, seen to fit the others and the experiments. Raises Invalid."""
        flag = flag_of(key, body)
        experiments = self._experiments.standing()
        for place, rule in enumerate(flag.rules):
            if rule.experiment is None:
                continue
            path = f"rules[{place}].experiment"
            known = experiments.get(rule.experiment)
            if known is None:
                raise Invalid(
                    "flag_invalid", f"{path}: there is no experiment {rule.experiment!r}", path=path
                )
            if known.on is None or known.on.kind != KIND:
                raise Invalid("flag_invalid", f"{path}: {rule.experiment!r} is not on a flag", path=path)
        others = {name: one for name, one in self._definitions.standing().items() if name != key}
        assigners = {name: Assigner(one) for name, one in _on_flags(experiments).items()}
        fitting = _fitting(others.values(), assigners)
        Evaluator([*fitting, flag], {**_stubs(fitting, assigners), **assigners})
        return flag

    def put(
        self,
        key: str,
        body: object,
        *,
        author: str,
        note: str = "",
        expected: int | None = None,
        actor: str = "",
    ) -> FlagVersion:
        """Define `key`; in force for the next evaluation, durable on return. The rest as `Definitions.change`."""
        content = msgspec.json.encode(self.checked(key, body))
        change = self._definitions.change
        return _version(change(key, content, "put", author=author, note=note, expected=expected, actor=actor))

    def delete(
        self, key: str, *, author: str, note: str = "", expected: int | None = None, actor: str = ""
    ) -> FlagVersion:
        """Take the flag away: evaluations say FLAG_NOT_FOUND. Raises NotFound, Conflict."""
        self._definitions.get(key)
        change = self._definitions.change
        return _version(change(key, b"", "delete", author=author, note=note, expected=expected, actor=actor))

    def rollback(
        self,
        key: str,
        version: int,
        *,
        author: str,
        note: str = "",
        expected: int | None = None,
        actor: str = "",
    ) -> FlagVersion:
        """Append a version that is like `version`. Raises NotFound, Invalid, Conflict."""
        body = self._definitions.version(key, version).body
        self.checked(key, msgspec.json.decode(body))
        change = self._definitions.change
        return _version(
            change(key, body, "rollback", author=author, note=note, expected=expected, actor=actor)
        )


def _made_ready(flags: Mapping[str, Flag], experiments: Mapping[str, Experiment]) -> Ready:
    serving = {key: one for key, one in _on_flags(experiments).items() if one.status in _SERVING}
    assigners = {key: Assigner(one) for key, one in serving.items()}
    fitting = _fitting(flags.values(), assigners)
    stubs = _stubs(fitting, assigners)
    named = {rule.experiment for flag in fitting for rule in flag.rules if rule.experiment in serving}
    rolled_out = {key: one for key, one in assigners.items() if serving[key].status is Status.ROLLED_OUT}
    out = {
        key: Assigner(msgspec.structs.replace(one, status=Status.DRAFT, epochs=()))
        for key, one in serving.items()
        if key not in rolled_out
    }
    used = {key: serving[key] for key in sorted(key for key in named if key is not None)}
    return Ready(
        drawing=Evaluator(fitting, {**stubs, **assigners}),
        quiet=Evaluator(fitting, {**stubs, **out, **rolled_out}),
        experiments=used,
        digest=configuration_digest(flags.values(), used.values()),
    )


def _on_flags(experiments: Mapping[str, Experiment]) -> dict[str, Experiment]:
    return {key: one for key, one in experiments.items() if one.on is not None and one.on.kind == KIND}


def _fitting(flags: Iterable[Flag], assigners: Mapping[str, Assigner]) -> list[Flag]:
    """The flags without the arms that a draft had when they were defined, and what started has not."""
    found = []
    for flag in flags:
        rules = []
        for rule in flag.rules:
            assigner = assigners.get(rule.experiment or "")
            if assigner is None:
                rules.append(rule)
                continue
            known = {arm.key for arm in assigner.experiment.arms}
            arms = {arm: variant for arm, variant in rule.arms.items() if arm in known}
            if arms:
                rules.append(msgspec.structs.replace(rule, arms=arms))
        found.append(msgspec.structs.replace(flag, rules=tuple(rules)))
    return found


def _stubs(flags: Iterable[Flag], assigners: Mapping[str, Assigner]) -> dict[str, Assigner]:
    """Drafts in place of experiments that do not serve, with the arms that rules name: nobody takes part."""
    arms: dict[str, dict[str, None]] = {}
    for flag in flags:
        for rule in flag.rules:
            if rule.experiment is not None and rule.experiment not in assigners:
                arms.setdefault(rule.experiment, {}).update(dict.fromkeys(rule.arms))
    return {
        key: Assigner(
            Experiment(key=key, arms=tuple(Arm(arm) for arm in [*named, *_SPARE][: max(2, len(named))]))
        )
        for key, named in arms.items()
    }


_SPARE = ("\ufffd0", "\ufffd1")
"""Arms that no rule names, for experiments of which the rules name fewer than there must be."""


def _version(definition: Definition) -> FlagVersion:
    try:
        flag = msgspec.json.decode(definition.body, type=Flag) if definition.body else None
    except msgspec.MsgspecError:
        flag = None
    return FlagVersion(
        key=definition.name,
        version=definition.version,
        author=definition.author,
        created=iso(definition.created),
        note=definition.note,
        deleted=definition.deleted,
        flag=flag,
    )
