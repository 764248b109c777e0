"""Each protocol asks what it says, of whom it says, and after nothing but what it says."""

from __future__ import annotations

import numpy as np
import pytest

from heedful.services.evaluate.protocols import Ask, GiveBack, Learn, Protocol, TakeIn, walk
from heedful.services.evaluate.streams import Stream
from heedful.vocabulary.errors import Invalid
from tests.services.evaluate.histories import orders, rules, told, views


def walked(protocol: Protocol, stream: Stream, **more: object) -> list[str]:
    return told(stream, walk(protocol, stream, rules(stream, **more)))


def test_prequential_asks_for_every_event_of_somebody_known_before_it_is_learned() -> None:
    stream = views(("ada", "a", 0), ("bo", "b", 1), ("ada", "b", 2), ("ada", "b", 3))
    assert walked(Protocol.PREQUENTIAL, stream) == ["+a", "+b", "?b|a", "+b", "?b|ab", "+b"]


def test_prequential_asks_for_strangers_on_request_and_only_after_the_warm_up() -> None:
    stream = views(("ada", "a", 0), ("bo", "b", 1), ("ada", "b", 2), ("ada", "b", 3))
    said = walked(Protocol.PREQUENTIAL, stream, strangers=True, warm_up=0.25)
    assert said == ["+a", "?b|", "+b", "?b|a", "+b", "?b|ab", "+b"]


def test_the_repeat_of_a_prequential_question_is_the_item_touched_last() -> None:
    stream = views(("ada", "a", 0), ("ada", "b", 1), ("ada", "b", 2))
    repeated = [
        step.repeated.tolist()
        for step in walk(Protocol.PREQUENTIAL, stream, rules(stream))
        if isinstance(step, Ask)
    ]
    assert repeated == [[0], [1]]


def test_next_item_tests_each_late_session_by_itself_and_gives_it_back() -> None:
    stream = views(
        ("ada", "a", 0), ("ada", "b", 1),
        ("bo", "a", 100), ("cy", "c", 101), ("bo", "b", 102), ("cy", "d", 103), ("bo", "c", 104),
    )  # fmt: skip
    said = walked(Protocol.NEXT_ITEM, stream, split=2 / 7)
    assert said == ["+a", "+b", "<a", "?b|a", "<b", "?c|ab", "<c", ">", "<c", "?d|c", "<d", ">"]


def test_a_session_that_lies_across_the_boundary_is_not_tested() -> None:
    stream = views(("ada", "a", 0), ("bo", "a", 5), ("ada", "b", 10), ("bo", "b", 20))
    assert walked(Protocol.NEXT_ITEM, stream, split=0.5) == ["+a", "+a"]


def test_next_item_asks_at_the_moment_of_the_newest_event_it_knows() -> None:
    stream = views(("ada", "a", 0), ("bo", "a", 100), ("bo", "b", 107))
    (asked,) = (
        step for step in walk(Protocol.NEXT_ITEM, stream, rules(stream, split=0.4)) if isinstance(step, Ask)
    )
    assert asked.at == stream.at[1]


def test_a_source_that_says_what_is_tested_is_divided_as_it_says() -> None:
    stream = views(("ada", "a", 0), ("bo", "b", 1), ("bo", "c", 2), ("cy", "d", 3))
    tested = np.array([False, True, True, False])
    divided = Stream(**{name: getattr(stream, name) for name in Stream.__slots__} | {"tested": tested})
    assert walked(Protocol.NEXT_ITEM, divided) == ["+a", "+d", "<b", "?c|b", "<c", ">"]


def test_last_item_asks_once_for_each_person_and_learns_everything_before() -> None:
    stream = views(("ada", "a", 0), ("bo", "b", 1), ("ada", "b", 2), ("ada", "c", 3), ("bo", "a", 4))
    assert walked(Protocol.LAST_ITEM, stream) == ["+a", "+b", "+b", "?c|ab", "+c", "?a|b", "+a"]


def test_strong_generalisation_takes_in_four_fifths_of_somebody_nobody_learned() -> None:
    stream = views(
        *[
            (who, item, minute)
            for minute, (who, item) in enumerate(zip("aaaaabbbbb", "vwxyzvwxyz", strict=True))
        ]
    )
    said = walked(Protocol.STRONG, stream, held_out=1.0)
    one = ["<v", "<w", "<x", "<y", "?z|vwxy", ">"]
    assert said == one + one
    assert walked(Protocol.STRONG, stream, held_out=0.0) == [f"+{item}" for item in "vwxyzvwxyz"]


def test_who_is_held_out_is_the_seeds_choice_alone() -> None:
    people = [f"p{number}" for number in range(400)]
    stream = views(*[(who, item, n) for n, who in enumerate(people) for item in "vwxyz"])

    def held(seed: int) -> set[int]:
        steps = walk(Protocol.STRONG, stream, rules(stream, held_out=0.25, seed=seed))
        return {step.subject for step in steps if isinstance(step, Ask)}

    assert held(1) == held(1) != held(2)
    assert 60 < len(held(1)) < 140


def test_the_next_basket_is_asked_for_whole() -> None:
    stream = orders(("ada", "o1", "ab", 0), ("bo", "o2", "c", 1), ("ada", "o3", "bc", 2))
    assert walked(Protocol.NEXT_BASKET, stream) == ["+ab", "+c", "?bc|ab", "+bc"]


def test_an_order_that_comes_in_parts_is_asked_for_once() -> None:
    stream = orders(("ada", "o1", "a", 0), ("ada", "o2", "b", 1), ("ada", "o2", "c", 2))
    assert walked(Protocol.NEXT_BASKET, stream) == ["+a", "?bc|a", "+b", "+c"]


def test_without_orders_there_is_no_next_basket() -> None:
    with pytest.raises(Invalid, match="no orders") as refused:
        walked(Protocol.NEXT_BASKET, views(("ada", "a", 0), ("ada", "b", 1)))
    assert refused.value.code == "nothing_to_ask"


@pytest.mark.parametrize("protocol", [Protocol.PREQUENTIAL, Protocol.LAST_ITEM, Protocol.NEXT_BASKET])
def test_every_event_is_learned_once_and_in_order(protocol: Protocol) -> None:
    stream = orders(*[(f"p{n % 7}", f"o{n}", "abcde"[n % 5], n) for n in range(60)])
    learned = [step.event for step in walk(protocol, stream, rules(stream)) if isinstance(step, Learn)]
    assert learned == list(range(60))


@pytest.mark.parametrize("protocol", [Protocol.NEXT_ITEM, Protocol.STRONG])
def test_what_is_tested_is_never_learned(protocol: Protocol) -> None:
    stream = views(*[(f"p{n % 7}", "abcdefg"[n % 6], 40 * n) for n in range(200)])
    steps = list(walk(protocol, stream, rules(stream, split=0.5, held_out=0.5)))
    learned = {step.event for step in steps if isinstance(step, Learn)}
    taken = {step.event for step in steps if isinstance(step, TakeIn)}
    assert learned
    assert taken
    assert not learned & taken
    assert isinstance(steps[-1], GiveBack)
