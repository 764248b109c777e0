"""What somebody was shown is read from their own rows, whatever order they came in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings as configured

from heedful.views.rows import NO_ITEM
from heedful.views.shown import Shown
from heedful.vocabulary.kinds import DECISION, IMPRESSION
from heedful.vocabulary.time import Instant
from tests.views.world import Row, World, histories

SHOWING = {"cart": IMPRESSION, "own": DECISION}  # the kinds that `histories` draws, made into showings


@configured(max_examples=80, deadline=None)
@given(histories())
def test_showings_are_the_impressions_and_the_decisions_with_items_since_then(rows: list[Row]) -> None:
    rows = [row._replace(kind=SHOWING.get(row.kind, row.kind)) for row in rows]
    world = World()
    world.history.apply(world.rows(rows))
    world.history.retract(world.rows(rows[::4]))
    live = [row for place, row in enumerate(rows) if place % 4]
    shown = Shown(world.history)
    for subject in ("s0", "s1", "s2", "stranger"):
        for since in (-70, -10, 0, 13):
            wanted = sorted(
                row.item
                for row in live
                if row.subject == subject and row.at >= since and row.item and row.kind in SHOWING.values()
            )
            found = shown.since(world.subject(subject), Instant(since))
            assert sorted(world.items.ids[item] for item in found.tolist()) == wanted
            assert NO_ITEM not in found
