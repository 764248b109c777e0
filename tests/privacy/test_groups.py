"""No figure about few people leaves: not alone, not by subtraction from what is shown beside it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heedful.privacy.groups import FLOOR, apart, showable, shown

cells = st.dictionaries(st.integers(0, 12), st.integers(0, 60), max_size=10)


@given(cells, st.integers(1, 40), st.booleans())
def test_no_few_people_are_shown_and_none_can_be_got_by_subtraction(
    people: dict[int, int], floor: int, total: bool
) -> None:
    kept = showable(people, floor=floor, total=total)
    assert kept <= people.keys()
    assert all(people[key] == 0 or people[key] >= floor for key in kept)
    hidden = [people[key] for key in people if key not in kept]
    left = sum(people.values()) - sum(people[key] for key in kept)
    if total and kept and any(people[key] for key in kept):
        # What subtraction from the total gives is nobody, or more than one cell that is no few people together.
        assert left == 0 or (len(hidden) >= 2 and left >= floor)


@given(cells, st.integers(1, 40))
def test_what_can_be_shown_is(people: dict[int, int], floor: int) -> None:
    if all(shown(count, floor) for count in people.values()):
        assert showable(people, floor=floor) == set(people)


def test_one_small_cell_takes_the_smallest_other_with_it() -> None:
    assert showable({"a": 100, "b": 30, "c": 3, "d": 50}) == {"a", "d"}
    assert showable({"a": 100, "b": 30, "c": 3, "d": 50}, total=False) == {"a", "b", "d"}
    assert showable({"a": 100, "b": 30, "c": 0}) == {"a", "b", "c"}
    assert showable({"a": 100, "b": 3, "c": 4}) == set()
    assert showable({"a": 3, "b": 100}) == set()


def test_a_part_is_not_shown_where_the_rest_is_few_people() -> None:
    assert FLOOR == 20
    assert apart(100, 50)
    assert not apart(100, 90)
    assert not apart(100, 5)
    assert apart(100, 100)
    assert apart(100, 0)
    assert apart(40, 20)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=8), st.integers(2, 25))
def test_who_adds_or_takes_one_person_learns_of_nobody(counts: list[int], floor: int) -> None:
    """Differencing: the same cells with and without one person never show a cell of exactly one person's
    difference with a suppressed neighbour that gives it away."""
    people = dict(enumerate(counts))
    for key, count in people.items():
        fewer = {**people, key: max(0, count - 1)}
        for one in (people, fewer):
            for name in showable(one, floor=floor):
                assert one[name] == 0 or one[name] >= floor
