"""Long-term taste is what its equations say, whatever numbered the items, and survives being kept."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.models.ease import Ease
from heedful.models.factors import Factors, cut, fit, restore
from heedful.models.ials import NEWEST, Ials, Settings
from heedful.models.sample import Sample, sample
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.dictionary import Items, Kinds, Subjects
from heedful.views.history import History
from heedful.views.meanings import Meanings
from heedful.views.pasts import Pasts
from heedful.views.rows import Rows
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.kinds import VIEW
from heedful.vocabulary.time import DAY, Instant

HOW = Settings(factors=6, ridge=0.02, sweeps=4)


class People:
    """Who viewed what, one view a day, in the order given."""

    def __init__(self, touched: dict[str, Sequence[str]], *, first: Sequence[str] = ()) -> None:
        self.items, self.subjects, kinds = Items(Pseudonyms(b"k" * 32)), Subjects(), Kinds()
        for item in first:
            self.items.code(item)
        history = History(self.subjects, self.items, kinds)
        self.pasts = Pasts(history, Meanings(kinds))
        told = [(who, item, day) for who, items in touched.items() for day, item in enumerate(items)]
        names = [SubjectId(blake2b(who.encode(), digest_size=16).digest()) for who, _, _ in told]
        n = len(told)
        history.apply(
            Rows(
                subject=self.subjects.codes(names),
                item=self.codes([item for _, item, _ in told]),
                kind=np.full(n, kinds.code(VIEW), dtype=np.uint16),
                at=np.array([day * DAY for _, _, day in told], dtype=np.int64),
                fingerprint=np.arange(n, dtype=np.uint64),
                line=np.zeros(n, dtype=np.uint16),
                quantity=np.ones(n, dtype=np.int32),
            )
        )

    def codes(self, names: Sequence[str]) -> NDArray[np.int32]:
        return np.array([self.items.code(name) for name in names], dtype=np.int32)

    def sample(self, **how: Any) -> Sample:
        return sample(self.pasts, self.subjects, self.items, **{"seed": 5, "support": 1, **how})

    def told(self, model: Factors, names: Sequence[str], limit: int = 50) -> list[tuple[str, float, str]]:
        """What `model` says to somebody with these items, the newer of which weigh more."""
        weights = 1.0 / np.arange(1, len(names) + 1)
        found = model.propose(self.codes(names), weights, limit)
        ids = self.items.ids
        return [
            (ids[item], score, ids[because])
            for item, score, because in zip(
                found.items.tolist(), found.scores.tolist(), found.because.tolist(), strict=True
            )
        ]


def crowd(chance: np.random.Generator, people: int = 60, items: int = 24) -> dict[str, Sequence[str]]:
    """Two crowds, each with its own half of the items."""
    half = items // 2
    return {
        f"p{n}": [
            f"i{(n % 2) * half + int(i)}" for i in chance.permutation(half)[: 2 + int(chance.integers(6))]
        ]
        for n in range(people)
    }


def dense(chosen: Sample) -> NDArray[np.float64]:
    """People by items."""
    table = np.zeros((len(chosen.starts) - 1, len(chosen.keys)))
    table[np.repeat(np.arange(len(table)), np.diff(chosen.starts)), chosen.items] = 1
    return table


def places(people: People, chosen: Sample, names: Sequence[str]) -> list[int]:
    keys = people.items.keys[people.codes(names)]
    return [int(np.flatnonzero(chosen.keys == key)[0]) for key in keys]


def test_ease_answers_what_its_equation_says() -> None:
    people = People(crowd(np.random.default_rng(3)))
    chosen = people.sample()
    table = dense(chosen)
    inverse = np.linalg.inv(table.T @ table + 7.0 * np.eye(table.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    weights[weights < 0] = 0.0  # only what speaks for an item is kept
    mine = ["i3", "i7", "i1"]
    spots = places(people, chosen, mine)
    shares = weights[spots] / np.arange(1, 4)[:, None]
    total = shares.sum(axis=0)
    model = Ease.fit(chosen, people.items, ridge=7.0)
    found = people.told(model, mine)
    names = [people.items.ids[int(np.flatnonzero(people.items.keys == key)[0])] for key in chosen.keys]
    expected = sorted(((total[p], names[p]) for p in range(len(total)) if total[p] > 0), reverse=True)
    assert [score for _, score, _ in found] == pytest.approx([score for score, _ in expected], rel=1e-5)
    because: dict[str, str] = {names[p]: mine[int(shares[:, p].argmax())] for p in range(len(total))}
    assert {item: why for item, _, why in found} == {item: because[item] for item, _, _ in found}
    assert {item for item, _, _ in found} <= {f"i{n}" for n in range(12)}  # the other crowd has other items


def test_rows_are_cut_to_their_strongest() -> None:
    people = People(crowd(np.random.default_rng(3)))
    whole = Ease.fit(people.sample(), people.items)
    short = Ease.fit(people.sample(), people.items, kept=2)
    assert np.diff(short.related.starts).max() == 2
    assert people.told(short, ["i3"]) == people.told(whole, ["i3"])[:2]


def test_factors_fold_a_person_in_by_their_equation() -> None:
    people = People(crowd(np.random.default_rng(4)))
    model = Ials.fit(people.sample(), people.items, HOW, seed=2)
    mine, weights = ["i2", "i9", "i5"], np.array([1.0, 0.5, 0.25])
    vectors = model.vectors.astype(np.float64)
    own = vectors[places(people, people.sample(), mine)]
    reg = HOW.ridge * (weights.sum() + HOW.unobserved * len(vectors)) ** HOW.power
    left = HOW.unobserved * vectors.T @ vectors + (own.T * weights) @ own + reg * np.eye(HOW.factors)
    expected = np.linalg.solve(left, own.T @ weights)
    assert model.folded(people.codes(mine), weights) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    found = model.propose(people.codes(mine), weights, 50)
    keys = people.items.keys[found.items]
    scores = [float(vectors[np.flatnonzero(model.keys == key)[0]] @ expected) for key in keys]
    assert found.scores == pytest.approx(scores, rel=1e-2, abs=1e-3)


def test_a_sweep_lowers_the_loss_it_is_said_to_lower() -> None:
    people = People(crowd(np.random.default_rng(5)))
    chosen = people.sample()
    table = dense(chosen)

    def loss(sweeps: int) -> float:
        how = HOW._replace(sweeps=sweeps)
        model = Ials.fit(chosen, people.items, how, seed=2)
        items = model.vectors.astype(np.float64)
        sizes, nothing = table.sum(axis=1), how.unobserved * len(items)
        ridges = how.ridge * (sizes + nothing) ** how.power
        persons = np.array([
            np.linalg.solve(
                how.unobserved * items.T @ items + (items.T * row) @ items + ridge * np.eye(how.factors),
                items.T @ row,
            )
            for row, ridge in zip(table, ridges, strict=True)
        ])  # fmt: skip
        guess = persons @ items.T
        item_ridges = how.ridge * (table.sum(axis=0) + how.unobserved * len(table)) ** how.power
        return float(
            (table * (1 - guess) ** 2).sum() + how.unobserved * (guess**2).sum()
            + ridges @ (persons**2).sum(axis=1) + item_ridges @ (items**2).sum(axis=1)
        )  # fmt: skip

    losses = [loss(sweeps) for sweeps in (1, 2, 4, 8)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("small", [1_000, 0])
def test_a_fit_depends_neither_on_how_items_are_numbered_nor_on_being_kept(small: int) -> None:
    touched = crowd(np.random.default_rng(6))
    one = People(touched)
    other = People(dict(reversed(touched.items())), first=[f"i{n}" for n in (20, 3, 99, 7)])
    models = [
        fit(people.sample(), people.items, settings=HOW, seed=3, small=small) for people in (one, other)
    ]
    states = [model.state() for model in models]
    assert states[0].keys() == states[1].keys()
    for name, array in states[0].items():
        assert np.array_equal(array, states[1][name]), name
    again = restore(models[0].name, {name: array.copy() for name, array in states[0].items()}, other.items)
    for mine in (["i1", "i4"], ["i20", "i13", "i15"], ["i3"]):
        assert one.told(models[0], mine) == other.told(models[1], mine) == other.told(again, mine)
        assert one.told(models[0], mine, 3) == one.told(models[0], mine)[:3] != []


@pytest.mark.parametrize("small", [1_000, 0])
def test_who_has_nothing_that_was_fitted_is_told_nothing(small: int) -> None:
    people = People(crowd(np.random.default_rng(7)))
    model = fit(people.sample(), people.items, settings=HOW, small=small)
    assert people.told(model, []) == []
    assert people.told(model, ["new"]) == []
    assert model.propose(np.array([10**6, -1], dtype=np.int32), np.ones(2), 5).items.tolist() == []
    known = people.told(model, ["i1"])
    assert people.told(model, ["i1", *(f"later{n}" for n in range(NEWEST))])[0][0] == known[0][0]


@pytest.mark.parametrize("small", [1_000, 0])
def test_a_shop_without_people_has_no_taste(small: int) -> None:
    people = People({"alone": ["i1"]})
    model = fit(people.sample(), people.items, settings=HOW, small=small)
    assert people.told(model, ["i1"]) == []
    assert people.told(restore(model.name, model.state(), people.items), ["i1"]) == []


@pytest.mark.parametrize("small", [1_000, 0])
def test_a_misshapen_state_is_refused(small: int) -> None:
    people = People(crowd(np.random.default_rng(8)))
    model = fit(people.sample(), people.items, settings=HOW, small=small)
    state = model.state()
    for name in state:
        with pytest.raises(Corrupt):
            restore(model.name, {key: value for key, value in state.items() if key != name}, people.items)
        with pytest.raises(Corrupt):
            restore(model.name, {**state, name: state[name][:-1]}, people.items)
    with pytest.raises(Corrupt):
        restore(model.name, {**state, "columns": state["columns"] + 1_000}, people.items)
    with pytest.raises(Corrupt):
        restore("guesswork", state, people.items)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([f"p{n}" for n in range(8)]),
        st.lists(st.sampled_from([f"i{n}" for n in range(9)]), max_size=8),
        min_size=1,
    ),
    st.integers(1, 4), st.integers(1, 8), st.integers(1, 5), st.integers(0, 3),
)  # fmt: skip
def test_a_sample_holds_the_newest_distinct_items_of_people_chosen_by_seed(
    touched: dict[str, list[str]], support: int, per_person: int, people: int, since: int
) -> None:
    world = People(dict(touched))
    whole = {
        who: list(dict.fromkeys(item for day, item in reversed([*enumerate(items)]) if day >= since))
        for who, items in touched.items()
    }
    whole = {who: items[:per_person] for who, items in whole.items()}
    chosen = world.sample(support=support, per_person=per_person, people=people, since=Instant(since * DAY))
    names = {int(key): world.items.ids[code] for code, key in enumerate(world.items.keys[: len(world.items)])}
    rows = [
        [names[int(chosen.keys[place])] for place in chosen.items[start:stop]]
        for start, stop in zip(chosen.starts[:-1], chosen.starts[1:], strict=True)
    ]
    assert len(rows) <= people
    counted = {item for row in rows for item in row}
    if people >= len(touched):
        many = [items for items in whole.values() if len(items) > 1]
        kept = {i for i in counted if sum(i in items for items in many) >= support}
        assert kept == counted
        assert sorted(rows) == sorted(
            row
            for row in ([i for i in items if sum(i in other for other in many) >= support] for items in many)
            if len(row) > 1
        )
    for row in rows:
        assert len(row) > 1
        assert any([i for i in items if i in row] == row for items in whole.values())


def test_a_cut_sample_keeps_the_most_touched() -> None:
    chosen = People(crowd(np.random.default_rng(9))).sample()
    fewer = cut(chosen, 5)
    assert fewer.keys.tolist() == chosen.keys[:5].tolist()
    assert np.array_equal(dense(fewer), dense(chosen)[:, :5])
    assert cut(chosen, 1_000) is chosen
