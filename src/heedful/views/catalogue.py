"""What the items are now: the last description of each, and columns of it for the pipeline.

The last one by (event time, fingerprint) holds. Every version is kept, so that taking one back brings back
the one before it. A description holds until it is replaced, however old it is; a deleted item stays deleted
until it is written again.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from heedful.views.dictionary import Items
from heedful.views.mixing import digest_of
from heedful.views.view import Arrays, zeros
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.item import Item
from heedful.vocabulary.time import Instant, instant

UNKNOWN = -1
"""The price, and the code of the first category, of an item that has none."""

UNPUBLISHED = int(np.iinfo(np.int64).min)
"""When an item was published that does not say."""

_HIGHEST = int(np.iinfo(np.int64).max)
_PENDING = 1_024

_encode = msgspec.json.Encoder(order="sorted").encode  # MessagePack has no integers beyond 64 bits, JSON has
_decode = msgspec.json.Decoder(Item).decode


class ItemChange(msgspec.Struct, frozen=True, gc=False):
    """One event of the catalogue.

    code: the item's dense number. item: what it is from now on, or None when it is deleted.
    at, fingerprint: the event's time and keyed hash, which decide what is last.
    """

    code: int
    at: Instant
    fingerprint: int
    item: Item | None


_rank = attrgetter("at", "fingerprint")


class Catalogue:
    """The view. Its columns are indexed by dense item and at least as long as `ensure` was told.

    servable: bool, whether the item may be shown: not deleted and available. An item that was never described
        is servable unless `required`.
    price_minor: int64, UNKNOWN when not said. published: int64 Instant, UNPUBLISHED when not said.
    revision: int64, the number of the item's last change, 0 for none, so that what was derived from one item can
        tell whether it still holds.
    category: int32, the code of the first category (`category_names[code]`), UNKNOWN when there is none.
    The arrays are replaced when they grow: do not keep them.
    changes: grows with every change, so that what was derived can tell whether it still holds.
    """

    name = "catalogue"
    version = 1
    purpose = "operation"

    def __init__(self, items: Items, *, required: bool = False) -> None:
        self._items = items
        self._required = required
        self._followers: list[set[int]] = []
        self._last: dict[int, ItemChange] = {}
        self._clear()

    def _clear(self) -> None:
        self._tell(self._last)
        self.servable = np.full(0, True)
        self.price_minor = np.zeros(0, dtype=np.int64)
        self.published = np.zeros(0, dtype=np.int64)
        self.category = np.zeros(0, dtype=np.int32)
        self.revision = np.zeros(0, dtype=np.int64)
        self.category_names: list[str] = []
        self._category_codes: dict[str, int] = {}
        self._members: dict[str, _Members] = {}
        self._last = {}
        self._earlier: dict[int, list[ItemChange]] = {}
        self._by_age: NDArray[np.int32] | None = None
        self._lengths: Counter[int] = Counter()
        self.changes = 0
        self.ensure(1_024)

    def ensure(self, count: int) -> None:
        """Give the first `count` dense items a place in the columns."""
        missing = count - len(self.servable)
        if missing > 0:
            more = max(missing, len(self.servable) // 4)
            self.servable = np.append(self.servable, np.full(more, not self._required))
            self.price_minor = np.append(self.price_minor, np.full(more, UNKNOWN, dtype=np.int64))
            self.published = np.append(self.published, np.full(more, UNPUBLISHED, dtype=np.int64))
            self.category = np.append(self.category, np.full(more, UNKNOWN, dtype=np.int32))
            self.revision = np.append(self.revision, np.zeros(more, dtype=np.int64))

    def release(self, codes: Sequence[int]) -> None:
        """These numbers stand for no item any more: nothing of them may be shown."""
        self.servable[np.array(codes, dtype=np.int64)] = False

    def __len__(self) -> int:
        """How many versions of descriptions are held."""
        return len(self._last) + sum(map(len, self._earlier.values()))

    def holds(self, code: int) -> bool:
        """Whether anything was ever said of `code`."""
        return code in self._last

    def apply(self, changes: Sequence[ItemChange]) -> None:
        """Count `changes` in. Each is given once."""
        for change in changes:
            last = self._last.get(change.code)
            if last is None or _rank(last) < _rank(change):
                if last is not None:
                    self._earlier.setdefault(change.code, []).append(last)
                self._become(change.code, last, change)
            else:
                insort(self._earlier.setdefault(change.code, []), change, key=_rank)
        self._tell(change.code for change in changes)

    def retract(self, changes: Sequence[ItemChange]) -> None:
        """Take `changes` out; what held before holds again. One that was never applied is left alone."""
        for change in changes:
            code, last = change.code, self._last.get(change.code)
            earlier = self._earlier.get(code, [])
            if last is not None and _rank(last) == _rank(change):
                self._become(code, last, earlier.pop() if earlier else None)
            else:
                earlier[:] = [one for one in earlier if _rank(one) != _rank(change)]
            if not earlier:
                self._earlier.pop(code, None)
        self._tell(change.code for change in changes)

    def follow(self) -> set[int]:
        """The dense items that are described, to which every item of which anything is said is added from now
        on. It belongs to the caller, who takes out what it has looked at: how what is derived keeps up."""
        follower = set(self._last)
        self._followers.append(follower)
        return follower

    def _tell(self, codes: Iterable[int]) -> None:
        codes = tuple(codes)
        for follower in self._followers:
            follower.update(codes)

    def advance(self, floor: Instant) -> None:
        """Nothing: a description holds until it is replaced."""

    def get(self, code: int) -> Item | None:
        """The description of dense item `code`, or None when it has none or was deleted."""
        last = self._last.get(code)
        return None if last is None else last.item

    def deleted(self, code: int) -> bool:
        """Whether the last word on `code` is that it is gone."""
        last = self._last.get(code)
        return last is not None and last.item is None

    def said_at(self, code: int) -> Instant | None:
        """When the last word on `code` was said, or None when there is none."""
        last = self._last.get(code)
        return None if last is None else last.at

    def first_said_at(self, code: int) -> Instant | None:
        """When `code` was first described, or None when it never was."""
        last = self._last.get(code)
        versions = () if last is None else (*self._earlier.get(code, ()), last)
        return next((version.at for version in versions if version.item is not None), None)

    def categories_of(self, code: int) -> tuple[str, ...]:
        """The categories of `code` in its owner's order."""
        item = self.get(code)
        return () if item is None else item.categories

    def members(self, category: str) -> NDArray[np.int32]:
        """The dense items of `category`, ascending and read-only; whether they are servable is not asked."""
        members = self._members.get(category)
        return np.zeros(0, dtype=np.int32) if members is None else members.array()

    def newest(self, limit: int) -> NDArray[np.int32]:
        """Described items, the latest published first, ties by ascending item key; at most `limit`."""
        if self._by_age is None:
            there = [code for code, change in self._last.items() if change.item is not None]
            codes = np.array(there, dtype=np.int32)
            self._by_age = codes[np.lexsort((self._items.keys[codes], ~self.published[codes]))]
        return self._by_age[:limit]

    def category_code(self, category: str) -> int:
        """The code of `category` in the column `category`, or UNKNOWN when no item ever had it."""
        return self._category_codes.get(category, UNKNOWN)

    def _become(self, code: int, before: ItemChange | None, after: ItemChange | None) -> None:
        """Let `after` hold in place of `before`, in the columns and the categories too."""
        self.ensure(code + 1)
        self._by_age = None
        self.changes += 1
        self.revision[code] = self.changes
        if after is None:
            self._last.pop(code, None)
        else:
            self._last[code] = after
        item = None if after is None else after.item
        self.servable[code] = item.available if item is not None else after is None and not self._required
        self.price_minor[code] = _price(item)
        self.published[code] = (
            UNPUBLISHED if item is None or item.published is None else instant(item.published)
        )
        old = () if before is None or before.item is None else before.item.categories
        new = () if item is None else item.categories
        self._count_vectors(before, -1)
        self._count_vectors(after, 1)
        if old != new:
            for category in set(old) - set(new):
                self._members[category].put(code, inside=False)
            for category in set(new) - set(old):
                self._members.setdefault(category, _Members()).put(code, inside=True)
        self.category[code] = self._coded(new[0]) if new else UNKNOWN

    def vector_length(self) -> int:
        """How many numbers the items' vectors have: as most do, ties to fewer; 0 when none has one."""
        return min(self._lengths, key=lambda length: (-self._lengths[length], length), default=0)

    def _count_vectors(self, change: ItemChange | None, by: int) -> None:
        if change is not None and change.item is not None and change.item.vector:
            length = len(change.item.vector)
            self._lengths[length] += by
            if not self._lengths[length]:
                del self._lengths[length]

    def _coded(self, category: str) -> int:
        code = self._category_codes.setdefault(category, len(self.category_names))
        if code == len(self.category_names):
            self.category_names.append(category)
        return code

    def _versions(self) -> list[ItemChange]:
        """Every version of every item, by item and then from the first to the last."""
        found: list[ItemChange] = []
        for code in sorted(self._last):
            found += self._earlier.get(code, ())
            found.append(self._last[code])
        return found

    def digest(self) -> bytes:
        """16 bytes over every version of every item: its id, time, fingerprint and content."""
        sums = zeros()
        for change in self._versions():
            name = self._items.ids[change.code].encode()
            hashed = blake2b(digest_size=16, person=b"catalogue")
            hashed.update(b"%d %d %d " % (len(name), change.at, change.fingerprint) + name)
            hashed.update(b"" if change.item is None else _encode(change.item))
            sums += np.frombuffer(hashed.digest(), dtype="<u8")
        return digest_of(sums)

    def state(self) -> Arrays:
        """codes int32, ats int64, fingerprints uint64, sizes int32 (n,): the versions; bodies uint8: their
        items as JSON, one after another, `sizes` bytes each, 0 where the item was deleted."""
        versions = self._versions()
        bodies = [b"" if change.item is None else _encode(change.item) for change in versions]
        return {
            "codes": np.array([change.code for change in versions], dtype=np.int32),
            "ats": np.array([change.at for change in versions], dtype=np.int64),
            "fingerprints": np.array([change.fingerprint for change in versions], dtype=np.uint64),
            "sizes": np.array([len(body) for body in bodies], dtype=np.int32),
            "bodies": np.frombuffer(b"".join(bodies), dtype=np.uint8),
        }

    def restore(self, state: Arrays) -> None:
        """Take over a state. The dictionary of items must hold the items of that moment already."""
        arrays = [
            _column(state, name, dtype)
            for name, dtype in (("codes", "i4"), ("ats", "i8"), ("fingerprints", "u8"), ("sizes", "i4"))
        ]
        codes, sizes, body = arrays[0], arrays[3], _column(state, "bodies", "u1").tobytes()
        if len({len(array) for array in arrays}) != 1 or (sizes < 0).any() or sizes.sum() != len(body):
            raise Corrupt("catalogue: the columns do not fit each other")
        if len(codes) and not 0 <= codes.min() <= codes.max() < len(self._items):
            raise Corrupt("catalogue: a code is not that of an item")
        self._clear()
        end = 0
        for code, at, fingerprint, size in zip(*(array.tolist() for array in arrays), strict=True):
            start, end = end, end + size
            try:
                item = _decode(body[start:end]) if size else None
            except msgspec.DecodeError as error:
                raise Corrupt(f"catalogue: a description cannot be read: {error}") from error
            self.apply([ItemChange(code, Instant(at), fingerprint, item)])


class _Members:
    """The items of one category: a sorted array, and the changes since it was made."""

    def __init__(self) -> None:
        self._settled = np.zeros(0, dtype=np.int32)
        self._changes: dict[int, bool] = {}

    def put(self, code: int, *, inside: bool) -> None:
        self._changes[code] = inside
        if len(self._changes) > _PENDING + len(self._settled) // 8:
            self.array()

    def array(self) -> NDArray[np.int32]:
        if self._changes:
            changed = np.fromiter(self._changes, dtype=np.int32)
            inside = np.fromiter(self._changes.values(), dtype=np.bool_)
            kept = self._settled[~np.isin(self._settled, changed)]
            self._settled = np.sort(np.concatenate((kept, changed[inside])))
            self._settled.flags.writeable = False
            self._changes.clear()
        return self._settled


def _price(item: Item | None) -> int:
    if item is None or item.price is None or item.price.minor < 0:
        return UNKNOWN
    return min(item.price.minor, _HIGHEST)


def _column(state: Arrays, name: str, dtype: str) -> NDArray[Any]:
    if name not in state or state[name].ndim != 1 or state[name].dtype != np.dtype(dtype):
        raise Corrupt(f"catalogue: the array {name} is missing or misshapen")
    return state[name]
