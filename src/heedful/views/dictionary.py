"""External names to dense integers and back. A dense integer means no order and never leaves the process."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.arena import grown
from heedful.views.compiled import compiled
from heedful.vocabulary.ids import ItemId, SubjectId
from heedful.vocabulary.kinds import BUILT_IN

MISSING = -1
RELEASED = ItemId("")
"""What stands in a dictionary for a name that was forgotten. No name is empty."""

_HIGHEST = (1 << 64) - 1


class Items:
    """Item ids. `keys[dense]` is the 64-bit key that decides ties and enters digests."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self.ids: list[ItemId] = []
        self.codes: dict[str, int] = {}
        self.keys: NDArray[np.uint64] = np.zeros(1_024, dtype=np.uint64)

    def __len__(self) -> int:
        return len(self.ids)

    def code(self, item: str) -> int:
        """The dense number of `item`, given now if it is new."""
        code = self.codes.get(item)
        if code is None:
            code = len(self.ids)
            if code == len(self.keys):
                self.keys = grown(self.keys, 2 * code)
            self.keys[code] = self._pseudonyms.item_key(ItemId(item))
            self.ids.append(ItemId(item))
            self.codes[item] = code
        return code

    def find(self, item: str) -> int:
        """The dense number of `item`, or MISSING."""
        return self.codes.get(item, MISSING)

    def release(self, code: int) -> None:
        """Forget the name behind `code`. Its number is not given again; no view may use it any more."""
        del self.codes[self.ids[code]]
        self.ids[code] = RELEASED
        self.keys[code] = 0

    def restore(self, names: Sequence[str]) -> None:
        """Take over the names, empty where one was released."""
        for name in names:
            self.code(name)
            if name == RELEASED:
                self.release(len(self.ids) - 1)


class Kinds:
    """Kinds of event. Built-in ones have fixed codes."""

    def __init__(self) -> None:
        self.names: list[str] = list(BUILT_IN)
        self.codes: dict[str, int] = {name: code for code, name in enumerate(BUILT_IN)}

    def code(self, kind: str) -> int:
        """The dense code of `kind`, given now if it is new; kinds beyond the 60,000th share the last code."""
        code = self.codes.get(kind)
        if code is None:
            code = min(len(self.names), 60_000)
            if code < 60_000:
                self.names.append(kind)
                self.codes[kind] = code
        return code

    def release(self, code: int) -> None:
        """Forget the name of `code`, which is none of the built-in ones. Its code is not given again."""
        if code >= len(BUILT_IN):
            self.codes.pop(self.names[code], None)
            self.names[code] = RELEASED

    def restore(self, names: Sequence[str]) -> None:
        """Take over the names, empty where one was released; the first built-in one is empty too."""
        for code, name in enumerate(names):
            if name == RELEASED and code >= len(BUILT_IN):
                self.names.append(name)
            else:
                self.code(name)


class Subjects:
    """Subject pseudonyms, packed: 16 bytes a name and an open table of dense numbers, no object each.

    `keys[dense]` is the first half of the pseudonym: it decides ties and enters digests.
    """

    def __init__(self) -> None:
        self.count = 0
        self.keys: NDArray[np.uint64] = np.zeros(1_024, dtype=np.uint64)
        self.rests: NDArray[np.uint64] = np.zeros(1_024, dtype=np.uint64)
        self._table: NDArray[np.int32] = np.full(2_048, MISSING, dtype=np.int32)

    def __len__(self) -> int:
        return self.count

    def codes(self, subjects: Sequence[SubjectId]) -> NDArray[np.int32]:
        """Dense numbers of `subjects`, shape (n,), given now where new."""
        names = np.frombuffer(b"".join(subjects), dtype=np.uint64).reshape(-1, 2)
        self._reserve(len(names))
        found = np.empty(len(names), dtype=np.int32)
        self.count = _intern(names, self.keys, self.rests, self._table, self.count, found)
        return found

    def find(self, subject: SubjectId) -> int:
        """The dense number of `subject`, or MISSING."""
        names = np.frombuffer(subject, dtype=np.uint64)
        return int(_look_up(names[0], names[1], self.keys, self.rests, self._table))

    def name(self, code: int) -> SubjectId:
        """The pseudonym of a dense number."""
        return SubjectId(self.keys[code].tobytes() + self.rests[code].tobytes())

    def release(self, code: int) -> None:
        """Forget the pseudonym behind `code`: noise takes its place, so that nothing finds it. Its number is not
        given again; no view may use it any more."""
        _take_out(self.keys, self._table, code)
        self.keys[code], self.rests[code] = (secrets.randbelow(_HIGHEST) for _ in range(2))

    def _reserve(self, more: int) -> None:
        need = self.count + more
        if need > len(self.keys):
            size = max(need, len(self.keys) * 3 // 2)
            self.keys = grown(self.keys, size)
            self.rests = grown(self.rests, size)
        if need * 10 > len(self._table) * 7:
            size = 1 << (need * 2).bit_length()
            self._table = np.full(size, MISSING, dtype=np.int32)
            _rebuild(self.keys, self.count, self._table)

    def state(self) -> dict[str, NDArray[np.uint64]]:
        """The arrays that `restore` needs."""
        return {"keys": self.keys[: self.count], "rests": self.rests[: self.count]}

    def restore(self, state: Mapping[str, NDArray[np.uint64]]) -> None:
        """Take over what `state` gave. Raises KeyError if an array is missing."""
        keys, rests = state["keys"], state["rests"]
        self.count = len(keys)
        room = self.count + self.count // 2 + 1_024  # the first new subject must not copy them all
        self.keys, self.rests = grown(keys, room), grown(rests, room)
        self._table = np.full(max(2_048, 1 << (self.count * 2).bit_length()), MISSING, dtype=np.int32)
        _rebuild(self.keys, self.count, self._table)


def _take_out(keys: NDArray[np.uint64], table: NDArray[np.int32], code: int) -> None:
    """Take `code` out of the table; later entries of its run move back (Knuth, TAOCP 3, 6.4, algorithm R). Runs
    are short, so that this needs no kernel."""
    mask = len(table) - 1
    hole = int(keys[code]) & mask
    while table[hole] != code:
        if table[hole] < 0:
            return
        hole = (hole + 1) & mask
    slot = hole
    while table[slot := (slot + 1) & mask] >= 0:
        home = int(keys[table[slot]]) & mask
        if (slot - home) & mask >= (slot - hole) & mask:
            table[hole] = table[slot]
            hole = slot
    table[hole] = MISSING


@compiled
def _look_up(
    key: np.uint64,
    rest: np.uint64,
    keys: NDArray[np.uint64],
    rests: NDArray[np.uint64],
    table: NDArray[np.int32],
) -> int:
    mask = len(table) - 1
    slot = np.int64(key & np.uint64(mask))
    while table[slot] >= 0:
        code = table[slot]
        if keys[code] == key and rests[code] == rest:
            return int(code)
        slot = (slot + 1) & mask
    return -1


@compiled
def _intern(
    names: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    rests: NDArray[np.uint64],
    table: NDArray[np.int32],
    count: int,
    found: NDArray[np.int32],
) -> int:
    mask = len(table) - 1
    for i in range(len(names)):
        key, rest = names[i, 0], names[i, 1]
        slot = np.int64(key & np.uint64(mask))
        code = table[slot]
        while code >= 0 and not (keys[code] == key and rests[code] == rest):
            slot = (slot + 1) & mask
            code = table[slot]
        if code < 0:
            code = np.int32(count)
            keys[code], rests[code] = key, rest
            table[slot] = code
            count += 1
        found[i] = code
    return count


@compiled
def _rebuild(keys: NDArray[np.uint64], count: int, table: NDArray[np.int32]) -> None:
    mask = len(table) - 1
    for code in range(count):
        slot = np.int64(keys[code] & np.uint64(mask))
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = code
