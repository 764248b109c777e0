"""Group commit: everything that waits goes to disk in one transaction, with one sync.

One thread, the owner, submits and receives every callback; it owns the log, the views and the answers. Only
what waits runs in threads of its own, and while it does the next group gathers (DeWitt et al., "Implementation
techniques for main memory database systems", 1984, section 5.2): one thread seals a group, which may make keys and
sync them, while another one commits the group before. Rows are inserted by the owner in between.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol, TypeVar

from heedful.vocabulary.errors import KeyUnavailable, LogUnavailable
from heedful.vocabulary.event import Record, Stored
from heedful.vocabulary.receipt import FORGOTTEN, Receipt, Status

Unstored = LogUnavailable | KeyUnavailable

Done = Callable[[Sequence[Receipt] | Unstored], None]
"""Told what became of one submission: its receipts in order, or that nothing of it was stored."""

Seal = Callable[[Sequence[Record]], Sequence[Record | None]]
"""Each record as it is to be stored, None where its subject's key was destroyed. Raises KeyUnavailable."""

T = TypeVar("T")

LIMIT = 100_000
GROUP = 10_000
DEFERRED = 0.02
"""Seconds that a record nobody waits for may wait for company."""


class Writer(Protocol):
    """A log that stores in two steps."""

    def begin(self, records: Sequence[Record]) -> Sequence[Receipt]:
        """Take `records` in, all or none, without making them durable.

        Raises LogUnavailable, and then everything begun since the last commit is gone; after anything else
        that it raises, only `records` are not taken.
        """

    def commit(self) -> None:
        """Make everything begun durable, or raise LogUnavailable and drop it. May run in another thread."""


class _Submission(NamedTuple):
    records: Sequence[Record]
    done: Done


class _Sealed(NamedTuple):
    """A submission with its records as they are to be stored, None where one may not be; or why none may."""

    submission: _Submission
    records: Sequence[Record | None]
    failure: Unstored | None = None


class _Begun(NamedTuple):
    submission: _Submission
    receipts: Sequence[Receipt]


_Outcome = list[_Sealed] | LogUnavailable | None
"""Of an order to the second thread: a group that was sealed, or what became of a commit."""


class GroupCommit:
    """Stores submissions in groups and tells each what became of it.

    stored: called once per group, before any answer of it, with the records that were accepted, in position
      order; not called for a group without any.
    post: runs a function soon in the owner's thread (`loop.call_soon_threadsafe`); None to do everything
      within `submit`, without a second thread.
    seal: what is done to a group before it is stored, in the second thread; None to store records as they come.
      Everything else is told of the records as they were submitted.
    limit: events that may wait; beyond it a submission is turned away at once.
    group: events after which a group takes no further submission, so that one group stays short.
    commits, records, seconds: groups made durable, events accepted, and time spent waiting for the disk.
    waiting: events that are not begun yet. dropped: events that nobody waited for and that were not stored.
    later: calls a function after so many seconds in the owner's thread (`loop.call_later`); set by the owner.
    """

    def __init__(
        self,
        log: Writer,
        *,
        stored: Callable[[Sequence[Stored]], None],
        post: Callable[[Callable[[], None]], object] | None = None,
        seal: Seal | None = None,
        limit: int = LIMIT,
        group: int = GROUP,
    ) -> None:
        self.commits = self.records = self.waiting = self.dropped = 0
        self.seconds = 0.0
        self._log, self._stored, self._post, self._seal = log, stored, post, seal
        self._limit, self._group = limit, group
        self._queue: deque[_Submission] = deque()
        self._ready: list[_Sealed] = []
        self._under_way: list[_Begun] = []
        self._sealing = self._committing = self._working = self._closed = self._called = False
        self.later: Callable[[float, Callable[[], None]], object] | None = None
        self._when_idle: list[Callable[[], None]] = []
        self._failures: list[Exception] = []
        self._outcomes: SimpleQueue[_Outcome] = SimpleQueue()
        self._to_seal, self._to_commit = _Orders("log-seal"), _Orders("log-commit")
        if post is not None:
            self._to_commit.start(self._outcomes, lambda: post(self._collect))
            if seal is not None:
                self._to_seal.start(self._outcomes, lambda: post(self._collect))

    @property
    def idle(self) -> bool:
        """Whether everything submitted was answered."""
        return not self._busy and not self._queue

    @property
    def _busy(self) -> bool:
        return self._working or self._sealing or self._committing or bool(self._ready)

    def submit(self, records: Sequence[Record], done: Done) -> None:
        """Store `records` and then call `done` in the owner's thread. At once with LogUnavailable if too many
        wait, or if this is closed.

        What a callback raises is raised from here, or in the function posted, after all others were called.
        """
        if self._closed:
            done(LogUnavailable("the server is shutting down", retry_after=5))
            return
        if self.waiting + len(records) > self._limit:
            done(LogUnavailable(f"{self.waiting} events wait for the disk already", retry_after=1))
            return
        self._queue.append(_Submission(records, done))
        self.waiting += len(records)
        if not self._working:
            self._advance()
            self._settle()

    def defer(self, records: Sequence[Record], done: Done) -> None:
        """Store `records` with whatever is stored next, or within `DEFERRED` seconds where there is a `later`;
        nobody waits for them. At the latest with the next `submit`, `flush` or `close`, or when a thousand
        events wait."""
        if self._closed or self.waiting >= 1_000:
            self.submit(records, done)
            return
        self._queue.append(_Submission(records, done))
        self.waiting += len(records)
        if self.later is not None and not self._busy and not self._called:
            self._called = True
            self.later(DEFERRED, self._go_on)

    def unwatched(self, outcome: Sequence[Receipt] | Unstored) -> None:
        """A `Done` for one record that nobody waits for; a crash may lose the last milliseconds of those."""
        if not isinstance(outcome, Sequence) or outcome[0].status is Status.REFUSED:
            self.dropped += 1

    def _go_on(self) -> None:
        self._called = False
        if not self._busy:
            self._advance()
            self._settle()

    def when_idle(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, in the owner's thread, when everything is answered; now if it is."""
        if self.idle:
            callback()
        else:
            self._when_idle.append(callback)

    def flush(self, timeout: float) -> bool:
        """Wait in the owner's thread, at most `timeout` seconds, until everything submitted was answered;
        returns whether it was. The callbacks run from here."""
        deadline = time.monotonic() + timeout
        self._advance()
        while not self.idle:
            try:
                outcome = self._outcomes.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                return False
            self._receive(outcome)
        self._settle()
        return True

    def close(self, timeout: float = 30.0) -> bool:
        """Take nothing more, `flush`, and end the threads. Doing it twice is harmless."""
        self._closed = True
        answered = self.flush(timeout)
        if answered:
            self._to_seal.end()
            self._to_commit.end()
        return answered

    def _advance(self) -> None:
        """Begin whatever can be begun now. Within a callback nothing: whoever called it goes on."""
        if self._working:
            return
        self._working = True
        try:
            while True:
                if self._ready and not self._committing:
                    group, self._ready = self._ready, []
                    self._store(group)
                elif self._queue and not self._sealing and self._room():
                    self._take(self._next_group())
                else:
                    return
        finally:
            self._working = False

    def _room(self) -> bool:
        """Whether another group may be taken: while one commits, only to be sealed meanwhile."""
        if self._seal is None or self._post is None:
            return not self._committing
        return sum(len(sealed.records) for sealed in self._ready) < self._group

    def _take(self, group: list[_Submission]) -> None:
        if self._seal is not None and self._post is not None:
            self._sealing = True
            self._to_seal.give(partial(self._sealed, group, self._seal))
        else:
            self._ready = self._sealed(group, self._seal)

    def _receive(self, outcome: _Outcome) -> None:
        """Go on with what one of the threads has done."""
        if isinstance(outcome, list):
            self._sealing = False
            self._ready += outcome
        else:
            self._committing = False
            self._working = True
            self._finish(outcome)
            self._working = False
        self._advance()

    def _store(self, group: list[_Sealed]) -> None:
        """Begin `group` and have it committed."""
        self._under_way = self._begin(group)
        if not self._under_way:
            return
        if self._post is not None:
            self._committing = True
            self._to_commit.give(self._commit)
        else:
            self._finish(self._commit())

    def _next_group(self) -> list[_Submission]:
        taken: list[_Submission] = []
        size = 0
        while self._queue and size < self._group:
            taken.append(self._queue.popleft())
            size += len(taken[-1].records)
        self.waiting -= size
        return taken

    def _sealed(self, group: list[_Submission], seal: Seal | None) -> list[_Sealed]:
        """`group`, sealed in one go, or, where one of it is at fault, one by one."""
        if seal is None:
            return [_Sealed(submission, submission.records) for submission in group]
        try:
            return _sealed_together(group, seal)
        except KeyUnavailable as error:
            return [_Sealed(submission, (), error) for submission in group]
        except Exception as error:
            if len(group) > 1:
                return [one for submission in group for one in self._sealed([submission], seal)]
            failure = LogUnavailable(f"the log cannot keep this: {error}", retry_after=None)
            return [_Sealed(group[0], (), failure)]

    def _begin(self, group: list[_Sealed]) -> list[_Begun]:
        """Begin all of `group` in one go, or, where one of them is at fault, one by one. The ones that could
        not be begun are answered."""
        for sealed in group:
            if sealed.failure is not None:
                self._call(sealed.submission.done, sealed.failure)
        group = [sealed for sealed in group if sealed.failure is None]
        begun: list[_Begun] = []
        for part in [group, *([sealed] for sealed in group)] if group else []:
            try:
                begun += self._begin_together(part)
            except LogUnavailable as error:  # what was begun before is gone with it
                for submission in [*(one.submission for one in begun), *(one.submission for one in part)]:
                    self._call(submission.done, error)
                begun = []
            except Exception as error:
                if len(part) == len(group) > 1:
                    continue
                answer = LogUnavailable(f"the log cannot keep this: {error}", retry_after=None)
                self._call(part[0].submission.done, answer)
            if part is group:
                break
        return begun

    def _begin_together(self, part: list[_Sealed]) -> list[_Begun]:
        stored = iter(
            self._log.begin([record for sealed in part for record in sealed.records if record is not None])
        )
        return [
            _Begun(submission, [FORGOTTEN if record is None else next(stored) for record in records])
            for submission, records, _ in part
        ]

    def _commit(self) -> LogUnavailable | None:
        start = time.perf_counter()
        try:
            self._log.commit()
        except LogUnavailable as error:
            return error
        except Exception as error:
            return LogUnavailable(f"the log failed: {error!r}", retry_after=None)
        finally:
            self.seconds += time.perf_counter() - start
        return None

    def _collect(self) -> None:
        try:
            outcome = self._outcomes.get_nowait()
        except Empty:
            return  # `flush` was faster
        self._receive(outcome)
        self._settle()

    def _finish(self, outcome: LogUnavailable | None) -> None:
        """Feed what the group added and answer each of it."""
        begun, self._under_way = self._under_way, []
        if outcome is None:
            accepted = _accepted(begun)
            self.commits += 1
            self.records += len(accepted)
            if accepted:
                self._call(self._stored, accepted)
        for submission, receipts in begun:
            self._call(submission.done, receipts if outcome is None else outcome)

    def _call(self, callback: Callable[[T], None], argument: T) -> None:
        try:
            callback(argument)
        except Exception as error:
            self._failures.append(error)

    def _settle(self) -> None:
        if self.idle:
            callbacks, self._when_idle = self._when_idle, []
            for callback in callbacks:
                callback()
        if self._failures:
            failure, self._failures = self._failures[0], []
            raise failure


class _Orders:
    """A thread that does one thing after another; it begins with `start`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._orders: SimpleQueue[Callable[[], _Outcome] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, outcomes: SimpleQueue[_Outcome], tell: Callable[[], object]) -> None:
        """outcomes: where what came of each order is put. tell: called afterwards."""

        def work() -> None:
            while (order := self._orders.get()) is not None:
                outcomes.put(order())
                tell()

        self._thread = threading.Thread(target=work, name=self._name, daemon=True)
        self._thread.start()

    def give(self, order: Callable[[], _Outcome]) -> None:
        self._orders.put(order)

    def end(self) -> None:
        """Finish what was given, and end. Doing it twice is harmless."""
        if self._thread is not None:
            self._orders.put(None)
            self._thread.join()
            self._thread = None


def _sealed_together(group: list[_Submission], seal: Seal) -> list[_Sealed]:
    records = iter(seal([record for submission in group for record in submission.records]))
    return [_Sealed(one, [next(records) for _ in one.records]) for one in group]


def _accepted(begun: list[_Begun]) -> list[Stored]:
    """What the group added, in position order."""
    added = [
        Stored(receipt.position, record)
        for submission, receipts in begun
        for receipt, record in zip(receipts, submission.records, strict=True)
        if receipt.status is Status.ACCEPTED
    ]
    added.sort(key=attrgetter("position"))
    return added
