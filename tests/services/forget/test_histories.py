"""The law over random histories, and a saga that is cut short at every step of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.compose import open_engine
from heedful.log.claims import Claims
from heedful.log.codec import decode, encode
from heedful.log.memory import MemoryLog
from heedful.models.shelf import Facts, Shelf
from heedful.services import remember
from heedful.services.engine import Engine
from heedful.services.verify import catch_up
from heedful.views.fold import Fold
from heedful.views.variant_facts import FEATURES
from heedful.vocabulary.erasure import ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.event import Event, Line, Record
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.kinds import CLICK, DECISION, PURCHASE
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, MINUTE, FixedClock, Instant
from heedful.vocabulary.variants import VariantDecision
from tests.views.test_fold import NAMES, PEOPLE, records

KEY = b"k" * 32
PLAIN = Settings(holdout=0.0)
SOURCES = ("s", "shop", "app")


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Histories of several people and sources: orders, refunds, answers, choices and what came of them, late ones,
    repeats under one id, people who share items and who have their own."""
    made = []
    for record in draw(records()):
        source = draw(st.sampled_from(SOURCES))
        name = record.id.replace("s:", f"{source}:", 1) if record.id.startswith("s:") else record.id
        made.append(msgspec.structs.replace(record, id=EventId(name)))
    for n in range(draw(st.integers(0, 5))):
        who = NAMES.user(draw(st.sampled_from(PEOPLE)))
        at = Instant(draw(st.integers(0, 8)) * 10 * MINUTE)
        choice = draw(st.sampled_from(("v1", "v2", "v3")))
        if draw(st.booleans()):
            said = VariantDecision(
                "hero", draw(st.sampled_from(("a", "b"))), ["a", "b"], [1 << 31, 1 << 31], 7, 0,
                [16, *[0] * (FEATURES - 1)], "thompson", "", personalized=True, degraded=False,
            )  # fmt: skip
            event = Event(DECISION, decision=choice, properties=msgspec.json.encode(said))
            name = f"heedful:{choice}"
        else:
            event = Event(draw(st.sampled_from((CLICK, PURCHASE))), decision=choice, value=5)
            name = f"{draw(st.sampled_from(SOURCES))}:v{n}"
        made.append(Record(EventId(name), who, at, at, Instant(0), at, encode(event)))
    own = draw(st.sampled_from(PEOPLE))
    event, zero = Event("own_deed", name="Own Deed"), Instant(0)
    made.append(Record(EventId("app:own"), NAMES.user(own), zero, zero, zero, zero, encode(event)))
    return draw(st.permutations(made))


def fold_of(history: Sequence[Record]) -> Fold:
    """A fold of another log, which holds just this."""
    log = MemoryLog()
    log.append(history)
    fold = Fold(pseudonyms=NAMES, claims=Claims(), bodies=log, decode=decode, idle=30 * MINUTE)
    catch_up(fold, log)
    return fold


def opened(folder: Path) -> Engine:
    folder.mkdir(exist_ok=True)
    key = folder / "pseudonym.key"
    if not key.exists():
        key.write_bytes(KEY)
        key.chmod(0o600)
        (folder / "log.sqlite3").touch()
    return open_engine(folder, clock=FixedClock(Instant(3 * DAY)), settings=PLAIN)


def shelf_of(engine: Engine) -> Shelf:
    shelf = engine.forgetting._kept.shelf
    assert shelf is not None
    return shelf


def append(engine: Engine, history: Sequence[Record]) -> list[Record]:
    """Store and fold; returns what was taken."""
    kept: list[Record] = []
    for record in history:
        engine._commits.submit(
            [record],
            lambda receipts, record=record: kept.extend(  # type: ignore[misc]  # mypy infers no default
                [record] if not isinstance(receipts, Exception) and receipts[0].status == "accepted" else []
            ),
        )
    return kept


def forget(engine: Engine, request: ForgetRequest) -> ErasureStatus:
    outcome: list[ErasureStatus | HeedfulError] = []
    engine.forget(request, outcome.append)
    assert isinstance(outcome[0], ErasureStatus), outcome
    return outcome[0]


def meant(request: ForgetRequest) -> Callable[[Record], bool]:
    """Written apart from the code: whether a record is to be forgotten."""
    since = int(request.since[14:16]) * MINUTE if request.since else -(1 << 62)

    def holds(record: Record) -> bool:
        if request.source:
            return record.id.split(":")[0] == request.source and record.at >= since
        people = {NAMES_THEN[name] for name in PEOPLE if name == request.user_id}
        return record.subject in people and record.at >= since

    return holds


NAMES_THEN = {name: NAMES.user(name) for name in PEOPLE}
requests = st.one_of(
    st.builds(ForgetRequest, user_id=st.sampled_from(PEOPLE), suppress=st.sampled_from(("off", "forever"))),
    st.builds(ForgetRequest, user_id=st.sampled_from(PEOPLE), since=st.just("1970-01-01T00:20:00Z")),
    st.builds(ForgetRequest, source=st.sampled_from(SOURCES)),
    st.builds(ForgetRequest, source=st.sampled_from(SOURCES), since=st.just("1970-01-01T00:30:00Z")),
)


@settings(max_examples=40, deadline=None)
@given(histories(), st.lists(requests, min_size=1, max_size=3))
def test_any_history_without_them_is_what_is_left(history: list[Record], asked: list[ForgetRequest]) -> None:
    with TemporaryDirectory() as name:
        engine = opened(Path(name) / "a")
        left = append(engine, history)
        for request in asked:
            status = forget(engine, request)
            left = [record for record in left if not meant(request)(record)]
            assert status.receipt is not None
            never = fold_of(left)
            assert engine.fold.digests() == never.digests()
            assert engine.verify().agrees
            assert set(engine.fold.items.ids) - {""} <= set(never.items.ids)
            assert set(engine.fold.kinds.names) == set(never.kinds.names)
        state = {name: array.copy() for name, array in engine.fold.state().items()}
        engine.close()
        again = opened(Path(name) / "a")
        assert again.fold.digests() == never.digests()
        again.close()
        assert state.keys() == again.fold.state().keys()


class Killed(BaseException):
    """The power went."""


@contextmanager
def killed_after(engine: Engine, calls: int) -> Iterator[list[str]]:
    """Every durable step of the saga fails for good from the `calls`th on, before or after it was done."""
    done: list[str] = []

    def around(owner: Any, name: str) -> Callable[[], None]:
        inner = getattr(owner, name)

        def step(*given: Any, **named: Any) -> Any:
            for half in (0, 1):
                done.append(name)
                if len(done) > calls:
                    raise Killed(name)
                if half == 0:
                    found = inner(*given, **named)
            return found

        setattr(owner, name, step)
        return lambda: setattr(owner, name, inner)

    service = engine.forgetting
    with ExitStack() as undo:
        for owner, name in (
            (service.erasures, "write"), (engine.log, "note"), (engine.log, "purge"), (engine.fold, "forget"),
            (remember, "take"), (remember, "destroy_before"), (shelf_of(engine), "forget"),
            (shelf_of(engine), "prune"),
        ):  # fmt: skip
            undo.callback(around(owner, name))
        yield done


def crash(engine: Engine) -> None:
    """Let go of the files as a process that died does: nothing is finished."""
    engine.log.close()
    engine.forgetting.erasures.close()
    engine.placements.close()


WAYS = (ForgetRequest(user_id="bo"), ForgetRequest(source="shop"))


@pytest.mark.parametrize("request_", WAYS, ids=["person", "source"])
def test_cut_short_anywhere_it_goes_on_at_the_next_start(tmp_path: Path, request_: ForgetRequest) -> None:
    history = example()
    start = tmp_path / "start"
    engine = opened(start)
    kept = append(engine, history)
    shelf_of(engine).add(Facts("linear", "v1.1", {}, 1, ()), {})
    engine.snapshot()
    engine.close()
    never = fold_of([record for record in kept if not meant(request_)(record)]).digests()
    at, steps = 0, 1
    while at < steps:
        shutil.rmtree(tmp_path / "now", ignore_errors=True)
        shutil.copytree(start, tmp_path / "now")
        engine = opened(tmp_path / "now")
        with killed_after(engine, at) as done, suppress(Killed):
            forget(engine, request_)
            steps = at
        steps = max(steps, at + 2) if len(done) > at else steps
        crash(engine)
        again = opened(tmp_path / "now")
        try:
            accepted = again.erasures()
            if accepted:
                assert again.fold.digests() == never, (at, done)
                assert again.verify().agrees
                assert [one.state for one in accepted] == ["done"], (at, done)
                receipt = again.erasure(accepted[0].id).receipt
                assert receipt is not None
                assert not [one for one in again.doubt(receipt) if one.ok is False]
                assert [one.stale for one in shelf_of(again).list()] == []
            else:
                assert at <= 1, "accepted was durable before anything else"
        finally:
            again.close()
        at += 1
    assert at > 20


def example() -> list[Record]:
    """One history with a bit of everything."""
    found = []
    for n in range(60):
        who = NAMES.user(PEOPLE[n % 3])
        kind = ("view", "cart", "purchase", "own_deed")[n % 4]
        lines = (
            () if kind == "own_deed" else (Line(f"i{n % 5}", key=f"i{n % 5}"), Line(f"only-{n % 3}", key="x"))
        )
        at = Instant(n * MINUTE)
        event = Event(kind, lines, order=f"o{n}" if kind == "purchase" else "")
        source = SOURCES[n % len(SOURCES)] if n % 2 else "app"
        found.append(Record(EventId(f"{source}:{n}"), who, at, at, Instant(0), at, encode(event)))
    return found


def test_a_restored_folder_forgets_them_again_before_it_serves(tmp_path: Path) -> None:
    engine = opened(tmp_path / "live")
    kept = append(engine, example())
    engine.snapshot()
    engine.close()
    shutil.copytree(tmp_path / "live", tmp_path / "backup")
    engine = opened(tmp_path / "live")
    receipts = [forget(engine, way).receipt for way in WAYS]
    engine.close()
    for name in ("erasures.sqlite3", "erasures.sqlite3-wal", "erasures.sqlite3-shm"):
        if (tmp_path / "live" / name).exists():
            shutil.copy(tmp_path / "live" / name, tmp_path / "backup" / name)
    gone = [meant(way) for way in WAYS]
    never = fold_of([one for one in kept if not any(holds(one) for holds in gone)]).digests()
    engine = opened(tmp_path / "backup")
    assert engine.fold.digests() == never
    assert engine.verify().agrees
    assert not [one for receipt in receipts if receipt for one in engine.doubt(receipt) if one.ok is False]
    engine.close()
    for snapshots in (True, False):
        if not snapshots:
            shutil.rmtree(tmp_path / "backup" / "snapshots")
        engine = opened(tmp_path / "backup")
        assert engine.fold.digests() == never
        engine.close()
