"""Visitors in real time: they follow the clock, can be stopped, and do not make up for a silence."""

from __future__ import annotations

from datetime import datetime
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from heedful.playground.live import Live
from heedful.playground.world import OPENED, World
from heedful.vocabulary.time import HOUR, SECOND, FixedClock, Instant, SystemClock, instant

WORLD = World(seed=7, items=200, shoppers=50)


def live(**options: float) -> Live:
    return Live(WORLD, lambda call: None, FixedClock(OPENED), **options)


def listen(source: Live, seconds: int, step: float) -> list[dict[str, Any]]:
    calls = []
    for tick in range(1, int(seconds / step) + 1):
        calls += source.due(Instant(OPENED + int(tick * step * SECOND)))
    return calls


def test_the_same_visitors_come_however_often_one_looks() -> None:
    assert listen(live(), 300, 0.5) == listen(live(), 300, 20)


def test_visitors_come_at_the_rate_asked_for() -> None:
    pages = [call for call in listen(live(visitors_per_second=2), 500, 5) if call["type"] == "page"]
    assert abs(len(pages) - 1_000) < 4.5 * 1_000**0.5


def test_calls_come_in_order_of_time_with_ids_of_their_own() -> None:
    calls = listen(live(visitors_per_second=3), 300, 1)
    stamps = [call["timestamp"] for call in calls]
    assert stamps == sorted(stamps) and len(set(stamps)) == len(stamps)
    ids = {call["messageId"] for call in calls}
    assert len(ids) == len(calls)
    assert not ids & {call["messageId"] for call in WORLD.events(OPENED, 1)}


def test_guests_are_new_each_time_and_the_others_are_of_the_crowd() -> None:
    devices = {shopper.device for shopper in WORLD.shoppers()}
    calls = listen(live(guests=0.5), 600, 5)
    visitors = [call["anonymousId"] for call in calls if call["type"] == "page"]
    guests = [name for name in visitors if name not in devices]
    assert len(guests) == len(set(guests))
    assert 0.35 < len(guests) / len(visitors) < 0.65
    assert not any("userId" in call for call in calls if call["anonymousId"] in set(guests))


def test_after_a_long_silence_what_was_missed_is_skipped() -> None:
    source = live(visitors_per_second=5)
    listen(source, 60, 1)
    later = Instant(OPENED + HOUR)
    calls = source.due(later)
    assert len(calls) < 100
    more = source.due(Instant(later + 20 * SECOND))
    assert more
    assert all(instant(datetime.fromisoformat(call["timestamp"])) >= later for call in calls + more)


def test_it_sends_in_real_time_until_it_is_stopped() -> None:
    stop, some = Flag(), Flag()
    sent: list[dict[str, Any]] = []

    def send(call: dict[str, Any]) -> None:
        sent.append(call)
        some.set()

    source = Live(WORLD, send, SystemClock(), visitors_per_second=200)
    thread = Thread(target=source.run, args=(stop, 0.01))
    thread.start()
    assert some.wait(10)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert sent[0]["type"] in {"page", "identify"}


@pytest.mark.parametrize("options", [{"visitors_per_second": 0.0}, {"guests": 1.5}])
def test_impossible_figures_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        live(**options)
