"""What a face needs from the inside, so that HTTP, a terminal and a test speak to the same small thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

import msgspec

from heedful.records.keys import Keys
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendRequest

T = TypeVar("T")

Done: TypeAlias = Callable[[T | HeedfulError], None]
"""Takes the answer or the failure. Called exactly once, in the event loop's thread, perhaps at once."""


class EngineStatus(msgspec.Struct, frozen=True):
    """How the inside is.

    ready: whether answers are to be had. reason: why not, or "".
    position: everything up to here is folded.
    log_stopped: why the log takes no more writes until a restart, or None.
    counters: figures for `/metrics`, by name without the prefix; a name in `_total` only ever grows.
    """

    ready: bool
    reason: str
    position: str
    log_stopped: str | None
    counters: Mapping[str, float]


class Engine(Protocol):
    """Everything a face may ask for. Every method is called in the event loop's thread and never blocks."""

    keys: Keys

    def collect(self, method: str, body: bytes, source: str, done: Done[CollectAnswer]) -> None:
        """Take one call. `method` is a word of `faces.http.collecting.METHODS`; `body` is JSON.

        Raises Invalid, TooLarge or Overloaded at once; LogUnavailable comes through `done`.
        """

    def recommend(self, request: RecommendRequest, done: Done[RecommendAnswer]) -> None:
        """Answer one question. Raises Invalid at once."""

    def put_items(self, items: Sequence[Item], done: Done[CollectAnswer]) -> None:
        """Write items; durable and folded when `done` is called, with one fate per item, in order."""

    def delete_item(self, item: ItemId, done: Done[CollectAnswer]) -> None:
        """Delete an item. NotFound, raised or through `done`, if it is not known."""

    def item(self, item: ItemId) -> Item | None:
        """What the catalogue says of an item."""

    def status(self) -> EngineStatus:
        """How the inside is, now. Cheap."""
