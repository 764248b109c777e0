"""Examples are what the server would have known and offered, at that moment and not later."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from heedful.models.examples import Examples
from heedful.services.evaluate.streams import Stream
from heedful.services.fit.gather import Gathered, Gatherer, GatherSettings
from heedful.services.fit.refit import worth_of
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.settings import Settings
from tests.services.fit.histories import as_served, baskets, rounds, stream_of

ALL = GatherSettings(judged=0.0, rows=1_000)


def gathered(stream: Stream, how: GatherSettings = ALL) -> Gathered:
    settings = Settings()
    return Gatherer(stream, as_served, settings, worth_of(settings), how).gather()


def groups(examples: Examples) -> list[tuple[bytes, bytes]]:
    """The features and gains of each question."""
    ends = np.cumsum(examples.sizes)
    return [
        (examples.table[end - size : end].tobytes(), examples.gains[end - size : end].tobytes())
        for end, size in zip(ends.tolist(), examples.sizes.tolist(), strict=True)
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_what_happens_later_changes_nothing_that_is_known_of_a_question(seed: int) -> None:
    stream = stream_of(rounds(15, seed=seed))
    whole = gathered(stream).examples
    assert len(whole) > 50
    for share in (0.6, 0.8):
        until = int(np.quantile(stream.at, share))
        early = gathered(stream.only(stream.at <= until)).examples
        asked = int(np.count_nonzero(whole.times <= until))
        assert 0 < asked == len(early) < len(whole)
        assert groups(whole)[:asked] == groups(early)


def test_another_future_is_the_same_past() -> None:
    visits = rounds(15)
    middle = len(visits) // 2
    others = [(who, "i0", minutes) for who, _, minutes in visits[middle:]]
    one, other = (gathered(stream_of(visits[:middle] + rest)).examples for rest in (visits[middle:], others))
    asked = int(np.count_nonzero(one.times < stream_of(visits).at[middle]))
    assert asked > 10
    assert groups(one)[:asked] == groups(other)[:asked]


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_every_positive_stays_when_rows_are_cut(rows: int) -> None:
    whole = gathered(baskets(12)).examples
    cut = gathered(baskets(12), msgspec.structs.replace(ALL, rows=rows)).examples
    assert len(cut) == len(whole)
    wanted, least = (
        np.add.reduceat(one.gains > 0, np.concatenate(([0], np.cumsum(one.sizes)[:-1])), dtype=np.int64)
        for one in (whole, cut)
    )
    assert wanted.max() > 3
    np.testing.assert_array_equal(wanted, least)
    np.testing.assert_array_equal(cut.sizes, np.minimum(whole.sizes, np.maximum(rows, wanted)))


def test_the_rows_that_are_drawn_are_the_seeds_choice_alone() -> None:
    stream = stream_of(rounds(15))
    how = msgspec.structs.replace(ALL, rows=10)
    one, same, other = (
        groups(gathered(stream, msgspec.structs.replace(how, seed=seed)).examples) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_the_newest_questions_judge_and_teach_nothing() -> None:
    stream = stream_of(rounds(15))
    whole, parted = gathered(stream), gathered(stream, msgspec.structs.replace(ALL, judged=0.4))
    learned = len(parted.examples)
    assert whole.asked == parted.asked == len(stream)
    assert groups(parted.examples) == groups(whole.examples)[:learned]
    telling = [one for one in parted.judged if one.gains.any()]
    newest = groups(whole.examples)[learned:]
    assert len(newest) > 10
    assert [(one.table.tobytes(), one.gains.tobytes()) for one in telling] == newest
    assert len(parted.judged) <= 0.4 * parted.asked


def test_only_what_the_objective_names_is_asked_for() -> None:
    settings = Settings()
    stream = baskets(12)
    buying = Gatherer(stream, as_served, settings, {"purchase": 3.0}, ALL).gather()
    assert set(np.unique(buying.examples.gains)) == {0.0, 3.0}
    with pytest.raises(Invalid) as refused:
        Gatherer(stream, as_served, settings, {"like": 1.0}, ALL).gather()
    assert refused.value.code == "nothing_to_ask"
