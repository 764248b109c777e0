"""A small shop over a real engine in memory, with a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from heedful.compose import Heedful, read_settings
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.recommendation import RecommendAnswer
from heedful.vocabulary.time import MINUTE, FixedClock, Instant, iso

OPENED = Instant(1_795_433_631_000_000)  # 2026-11-23T11:33:51Z


class Shop(Heedful):
    """What people do in a shop, in a word each. Each takes a second; otherwise time stands still."""

    def __init__(self, where: object = ":memory:") -> None:
        self.clock = FixedClock(OPENED)
        said = read_settings(Path(str(where)))
        # Whether somebody is held out hangs on the folder's random key; here everybody is answered.
        settings = msgspec.structs.replace(said, holdout=0.0)
        super().__init__(str(where), clock=self.clock, settings=settings)

    def wait(self, minutes: float) -> None:
        self.clock.at = Instant(self.clock.at + int(minutes * MINUTE))

    def does(self, event: str, who: str, *items: str, ago: float = 0, **properties: Any) -> CollectAnswer:
        """`who` did `event` with `items`, `ago` minutes before now."""
        about: dict[str, Any] = {"products": [{"product_id": item} for item in items]}
        if len(items) == 1:
            about = {"product_id": items[0]}
        at = iso(Instant(self.clock.at - int(ago * MINUTE)))
        answer = self.track(event, user_id=who, properties={**about, **properties}, timestamp=at)
        assert [fate.status for fate in answer.events] == ["accepted"]
        self.wait(1 / 60)
        return answer

    def views(self, who: str, *items: str, ago: float = 0) -> None:
        for item in items:
            self.does("Product Viewed", who, item, ago=ago)

    def buys(self, who: str, *items: str, order: str) -> CollectAnswer:
        return self.does("Order Completed", who, *items, order_id=order)

    def ids(self, who: str | None = None, **question: Any) -> list[str]:
        """What `who` is shown, best first; up to 100 items unless said otherwise."""
        return ids_of(self.recommend(who, **{"limit": 100, **question}))

    def sources(self, who: str | None = None, **question: Any) -> dict[str, Mapping[str, float]]:
        """Every candidate that was ranked, with what each source said of it."""
        trace = self.recommend(who, explain=True, limit=100, **question).trace
        assert trace is not None
        return {one["itemId"]: one["sources"] for one in trace["candidates"]}


def ids_of(answer: RecommendAnswer) -> list[str]:
    return [item.item_id for item in answer.items]


__all__ = ["OPENED", "Shop", "ids_of"]
