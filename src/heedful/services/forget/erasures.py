"""The erasure ledger: what is to be forgotten, and how far that has come.

Hash-chained and append-only, in a file of its own, so that today's ledger can be laid beside a data folder that
was restored from an older copy. It holds keyed hashes only. The numbers of its acceptances are what the log and
the snapshots name to say which forgettings they have gone through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec

from heedful.log.cursor import Cursor
from heedful.log.selection import BEGINNING, END, Selection
from heedful.records.ledger import Draft, Entry, Flaw, follow
from heedful.vocabulary.erasure import ErasureReceipt
from heedful.vocabulary.errors import Corrupt, NotFound
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant

CHAIN = "erasures"
ACCEPTED, BEGUN, RECEIPT, WEBHOOK = "accepted", "begun", "receipt", "webhook"

NEVER_AGAIN = int(END)
"""The end of a suppression that has none."""


class Chain(Protocol):
    """What keeps the entries: `records.ledger.Ledger`."""

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Entry]:
        """Add entries; durable on return."""

    def entries(self, chain: str, *, after: int = 0) -> Iterator[Entry]:
        """Every entry with a number above `after`, in order."""

    def verify(self, chain: str) -> Flaw | None:
        """The first thing that is wrong with a chain, or None."""

    def close(self) -> None:
        """Let go."""


class Named(msgspec.Struct, frozen=True):
    """A person as the ledger knows them: the first pseudonym of an id, hexadecimal, and the generation that is
    forgotten, from 0."""

    first: str
    generation: int


class Accepted(msgspec.Struct, frozen=True):
    """What was asked for. suppressed: until when the ids are not collected; 0 for not at all."""

    id: str
    number: int
    people: tuple[Named, ...]
    subjects: tuple[str, ...]
    source: str = ""
    since: int = int(BEGINNING)
    until: int = int(END)
    suppressed: int = 0

    @property
    def selection(self) -> Selection:
        """The records that are meant."""
        return Selection(
            frozenset(SubjectId(bytes.fromhex(one)) for one in self.subjects), self.source,
            Instant(self.since), Instant(self.until),
        )  # fmt: skip


class Begun(msgspec.Struct, frozen=True):
    """How things stood before: the end of the log, and the digest and count of each view."""

    through: tuple[int, ...]
    digests: dict[str, str] = {}
    counts: dict[str, int] = {}

    @property
    def end(self) -> Cursor:
        return Cursor(self.through)


class Erasure(msgspec.Struct):
    """One forgetting, as its entries say. steps: what was written down of each that is done, in order."""

    accepted: Accepted
    at: Instant
    begun: Begun | None = None
    steps: dict[str, dict[str, Any]] = {}
    receipt: ErasureReceipt | None = None
    delivered: Instant | None = None

    @property
    def id(self) -> str:
        return self.accepted.id

    @property
    def number(self) -> int:
        return self.accepted.number

    @property
    def step(self) -> str:
        """The last step that is done."""
        return RECEIPT if self.receipt is not None else next(reversed(self.steps), ACCEPTED)


class Erasures:
    """The ledger as it is read and added to. One thread owns it; one process writes it."""

    def __init__(self, chain: Chain) -> None:
        """Raises Corrupt if the chain is broken: nobody could say who was forgotten."""
        self._chain = chain
        flaw = chain.verify(CHAIN)
        if flaw is not None:
            raise Corrupt(f"the erasure ledger is damaged: {flaw.message}; bring it back from a copy")
        self.all: list[Erasure] = []
        self._by_id: dict[str, Erasure] = {}
        self.head = ""
        for entry in chain.entries(CHAIN):
            self._take(entry)

    def find(self, erasure: str) -> Erasure:
        """By id. Raises NotFound."""
        try:
            return self._by_id[erasure]
        except KeyError:
            raise NotFound(f"there is no forgetting {erasure[:100]!r}") from None

    def write(self, erasure: str, step: str, at: Instant, body: Any) -> Erasure:
        """Write a step down; durable on return. A step that is there already stays as it is."""
        known = self._by_id.get(erasure)
        if known is None or not self._has(known, step):
            (entry,) = self._chain.append(CHAIN, [Draft(f"{erasure}/{step}", at, body)])
            self._take(entry)
        return self._by_id[erasure]

    def intact(self) -> Flaw | None:
        """What is wrong with the chain, or None."""
        return self._chain.verify(CHAIN)

    def has(self, head: str) -> bool:
        """Whether an entry with this hash stands in the chain."""
        return any(entry.hash.hex() == head for entry in self._chain.entries(CHAIN))

    def close(self) -> None:
        self._chain.close()

    def _has(self, erasure: Erasure, step: str) -> bool:
        return (
            step == ACCEPTED
            or (step == BEGUN and erasure.begun is not None)
            or (step == RECEIPT and erasure.receipt is not None)
            or (step == WEBHOOK and erasure.delivered is not None)
            or step in erasure.steps
        )

    def _take(self, entry: Entry) -> None:
        name, _, step = entry.key.partition("/")
        self.head = entry.hash.hex()
        try:
            if step == ACCEPTED:
                accepted = msgspec.json.decode(entry.body, type=Accepted)
                self._by_id[name] = Erasure(accepted, entry.at)
                self.all.append(self._by_id[name])
                return
            erasure = self._by_id[name]
            if step == BEGUN:
                erasure.begun = msgspec.json.decode(entry.body, type=Begun)
            elif step == RECEIPT:
                erasure.receipt = msgspec.json.decode(entry.body, type=ErasureReceipt)
            elif step == WEBHOOK:
                erasure.delivered = entry.at
            else:
                erasure.steps[step] = msgspec.json.decode(entry.body)
        except (msgspec.DecodeError, KeyError) as error:
            raise Corrupt(f"entry {entry.number} of the erasure ledger does not read: {error}") from error


class MemoryChain:
    """A chain without a disk, for an engine that keeps nothing."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Entry]:
        """See `Chain.append`."""
        made = []
        for draft in drafts:
            made.append(follow(self._entries[-1] if self._entries else None, chain, draft))
            self._entries.append(made[-1])
        return made

    def entries(self, chain: str, *, after: int = 0) -> Iterator[Entry]:
        """See `Chain.entries`."""
        return iter([one for one in self._entries[after:] if one.chain == chain])

    def verify(self, chain: str) -> Flaw | None:  # noqa: ARG002 (memory does not rot)
        """See `Chain.verify`."""
        return None

    def close(self) -> None:
        """See `Chain.close`."""
