"""The engine on a loop: commits run beside it, and a question waits a little for what it must reflect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from heedful.compose import open_engine
from heedful.services.engine import PATIENCE, Engine
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import HeedfulError, LogUnavailable
from heedful.vocabulary.outcome import Done
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendRequest, Situation
from heedful.vocabulary.settings import Settings

T = TypeVar("T")


def on_a_loop(folder: Path, story: Callable[[Engine], Awaitable[None]]) -> None:
    """Tell `story` with an engine that belongs to a running loop, over a folder."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        engine = open_engine(folder, post=loop.call_soon_threadsafe, settings=Settings(holdout=0.0))
        engine.later = loop.call_later
        try:
            await story(engine)
        finally:
            engine.close()

    asyncio.run(main())


async def told(start: Callable[[Done[T]], None]) -> T:
    """What a call is answered. Raises what it failed with."""
    answer: asyncio.Future[T | HeedfulError] = asyncio.get_running_loop().create_future()
    start(answer.set_result)
    outcome = await answer
    if isinstance(outcome, HeedfulError):
        raise outcome
    return outcome


def view(who: str, item: str) -> bytes:
    return msgspec.json.encode({"userId": who, "event": "Product Viewed", "properties": {"product_id": item}})


async def views(engine: Engine, who: str, *items: str) -> CollectAnswer:
    """One view after another, each acknowledged; what the last was answered."""
    for item in items[:-1]:
        await views(engine, who, item)
    return await told(lambda done: engine.collect("track", view(who, items[-1]), "t", done))


async def asks(engine: Engine, request: RecommendRequest) -> RecommendAnswer:
    return await told(lambda done: engine.recommend(request, done))


def test_an_acknowledged_event_is_in_the_next_answers(tmp_path: Path) -> None:
    async def story(engine: Engine) -> None:
        await views(engine, "ada", "tent", "stove")
        other = await asks(engine, RecommendRequest(user_id="bo", context=Situation("tent")))
        assert [item.item_id for item in other.items] == ["stove"]
        same = await asks(engine, RecommendRequest(user_id="ada"))
        assert [item.item_id for item in same.items] == ["tent"]

    on_a_loop(tmp_path, story)


def test_a_question_waits_for_what_it_must_reflect(tmp_path: Path) -> None:
    async def story(engine: Engine) -> None:
        await views(engine, "ada", "tent", "stove")
        place = engine.place()
        request = RecommendRequest(user_id="bo", context=Situation("stove"), after=f"v1.{place + 1}")
        waiting = asyncio.create_task(asks(engine, request))
        await asyncio.sleep(0)
        assert not waiting.done()
        await views(engine, "ada", "lamp")
        answer = await waiting
        assert not answer.behind
        assert {item.item_id for item in answer.items} == {"tent", "lamp"}

    on_a_loop(tmp_path, story)


def test_a_question_that_waits_in_vain_is_answered_behind(tmp_path: Path) -> None:
    async def story(engine: Engine) -> None:
        await views(engine, "ada", "tent")
        began = asyncio.get_running_loop().time()
        answer = await asks(engine, RecommendRequest(after="v1.1000000"))
        assert asyncio.get_running_loop().time() - began >= PATIENCE * 0.9
        assert answer.behind
        assert [item.item_id for item in answer.items] == ["tent"]

    on_a_loop(tmp_path, story)


def test_questions_that_waited_in_vain_are_forgotten(tmp_path: Path) -> None:
    async def story(engine: Engine) -> None:
        asking = (asks(engine, RecommendRequest(after="v1.1000000")) for _ in range(50))
        assert all(answer.behind for answer in await asyncio.gather(*asking))
        await views(engine, "ada", "tent")
        assert engine._waiting == []

    on_a_loop(tmp_path, story)


def test_a_waiting_question_that_cannot_be_answered_fails_alone(tmp_path: Path) -> None:
    async def story(engine: Engine) -> None:
        await views(engine, "ada", "tent")
        bad = RecommendRequest(limit=0, after=f"v1.{engine.place() + 1}")
        waiting = asyncio.create_task(asks(engine, bad))
        await asyncio.sleep(0)
        answer = await views(engine, "ada", "stove")
        assert [fate.status for fate in answer.events] == ["accepted"]
        with pytest.raises(HeedfulError):
            await waiting

    on_a_loop(tmp_path, story)


def test_many_at_once_are_each_answered_for_themselves(tmp_path: Path) -> None:
    async def story(engine: Engine) -> None:
        answers = await asyncio.gather(*(views(engine, f"p{n}", f"i{n}") for n in range(200)))
        positions = [int(answer.position.removeprefix("v1.")) for answer in answers]
        assert all(len(answer.events) == 1 for answer in answers)
        assert max(positions) <= engine.place()
        assert engine.status().counters["items"] == 200
        asked = await asyncio.gather(
            *(asks(engine, RecommendRequest(user_id=f"p{n}", limit=100)) for n in range(200))
        )
        assert all(f"i{n}" not in [i.item_id for i in answer.items] for n, answer in enumerate(asked))

    on_a_loop(tmp_path, story)


def test_a_closed_engine_takes_nothing_and_says_so(tmp_path: Path) -> None:
    kept: list[Engine] = []

    async def story(engine: Engine) -> None:
        kept.append(engine)
        await views(engine, "ada", "tent")

    on_a_loop(tmp_path, story)
    outcome: list[CollectAnswer | HeedfulError] = []
    kept[0].collect("track", view("ada", "tent"), "t", outcome.append)
    assert isinstance(outcome[0], LogUnavailable)
    kept[0].close()  # doing it twice is harmless


def test_what_is_under_way_when_it_closes_is_finished(tmp_path: Path) -> None:
    outcome: list[CollectAnswer | HeedfulError] = []

    async def story(engine: Engine) -> None:
        for number in range(20):
            engine.collect("track", view("ada", f"i{number}"), "t", outcome.append)

    on_a_loop(tmp_path, story)
    assert [type(one) for one in outcome] == [CollectAnswer] * 20
    engine = open_engine(tmp_path)
    assert len(engine.fold.items) == 20
    engine.close()
