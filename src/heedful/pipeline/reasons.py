"""Why an item is there, in one sentence that is true and safe to show: it names items and nothing else."""

from __future__ import annotations

from heedful.views.catalogue import Catalogue
from heedful.views.dictionary import Items
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.recommendation import Reason

_ABOUT = {
    "sessions": ("viewed_together", "Looked at in the same visits as “{}”"),
    "next": ("viewed_next", "Often looked at next after “{}”"),
    "together": ("bought_together", "Often bought or put into the basket in the same visit as “{}”"),
    "similar": ("similar", "Described much like “{}”"),
    "fresh": ("new_similar", "New here, and much like “{}”"),
    "vstan": ("viewed_together", "Looked at in the same visits as “{}”"),
    "bought": ("bought_with", "Bought by people who bought “{}”"),
    "companions": ("shared_past", "Turned to by people who also turned to “{}”"),
    "taste": ("taste", "Fits what you have turned to over time, such as “{}”"),
    "category": ("popular_in_category", "Popular now among things like “{}”"),
}
_PLAIN = {
    "trending": Reason("popular", "Popular right now"),
    "again": Reason("buy_again", "You had this before, and it may be time again"),
    "newest": Reason("new", "New here"),
    "pins": Reason("picked", "Hand-picked"),
}

_SEEN = Reason("seen_before", "You were interested in this before")
"""Said of an item that speaks for itself: the person's own, from further back on their trail."""

_SENTENCES = dict(_ABOUT.values())
_WORDS = {reason.code: reason for reason in (*_PLAIN.values(), _SEEN)}

CODES = frozenset((*_SENTENCES, *_WORDS))
"""Every code that a reason may have."""

_KEPT = 50_000
"""Sentences that are kept to be used again."""


class Reasons:
    """Writes reasons for the items of a slate."""

    def __init__(self, sources: tuple[str, ...], catalogue: Catalogue, items: Items) -> None:
        self._families = tuple(source.partition("_")[0] for source in sources)
        self._catalogue = catalogue
        self._items = items
        self._written: dict[tuple[int, int], Reason] = {}
        self._written_at = catalogue.changes

    def reason(self, source: int, because: int, item: int = -1) -> Reason:
        """The reason for dense `item`, which column `source` carried, with dense `because` (or -1) behind it."""
        if item >= 0 and item == because:
            return _SEEN
        if self._written_at != self._catalogue.changes or len(self._written) > _KEPT:
            self._written, self._written_at = {}, self._catalogue.changes
        reason = self._written.get((source, because))
        if reason is None:
            reason = self._written[source, because] = self._write(self._families[source], because)
        return reason

    def again(self, code: str, because: ItemId | None) -> Reason:
        """The reason that a kept decision gave by its code, in today's words; without text if there are none."""
        about = () if because is None else (because,)
        if because is None:
            return _WORDS.get(code) or Reason(code, "")
        sentence = _SENTENCES.get(code)
        if sentence is None:
            return Reason(code, "", about)
        known = self._items.find(because)
        item = None if known < 0 else self._catalogue.get(known)
        return Reason(code, sentence.format(item.title if item and item.title else because), about)

    def _write(self, family: str, because: int) -> Reason:
        plain = _PLAIN.get(family)
        if plain is not None:
            return plain
        code, sentence = _ABOUT[family]
        item = self._catalogue.get(because)
        name = self._items.ids[because]
        return Reason(code, sentence.format(item.title if item and item.title else name), (ItemId(name),))
