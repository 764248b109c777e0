"""What the words of a description are, and that neither order nor spelling of the same thing matters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.views.words import HEAVIEST, MOST_WORDS, pieces, words_of
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item, Price


def words(**fields: Any) -> dict[str, int]:
    return words_of(Item(ItemId("x"), **fields))


def test_a_title_weighs_by_the_word_and_a_category_as_a_whole() -> None:
    found = words(title="Red TEA pot, red", categories=("Home & Tea", "home / tea", ""))
    assert found == {"red": 6, "tea": 3, "pot": 3, "category=home tea": 4}


def test_a_short_property_is_one_word_and_a_long_one_is_a_text() -> None:
    found = words(
        title="pot",
        properties={"Brand": "Red Bull", "text": "a pot, a pot, a pot of a kind", "tags": ["dry", "dry", 3]},
    )
    assert found == {"brand=red bull": 2, "pot": 6, "a": 3, "of": 1, "kind": 1, "tags=dry": 2}


@pytest.mark.parametrize("value", [5, 2.5, None, {"a": "b"}, "https://example.org/a", "", "—", []])
def test_numbers_objects_and_addresses_say_nothing(value: Any) -> None:
    assert words(properties={"value": value}, price=Price(5), image="/tea.jpg", url="/tea") == {}
    assert words(properties={"organic": True}) == {"organic=yes": 2}


def test_words_are_read_in_any_script() -> None:
    assert pieces("Straße ÉTÉ e\u0301te\u0301 \uff21\uff22") == ("strasse", "été", "été", "ab")
    assert pieces("赤いランプ LED灯") == ("赤い", "いラ", "ラン", "ンプ", "led", "灯")
    assert pieces("_-_ !") == ()


@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=5), st.text(max_size=100))
def test_weights_stay_in_their_range(title: str, categories: list[str], text: str) -> None:
    found = words(title=title * 20, categories=tuple(categories), properties={"a": text})
    assert len(found) <= MOST_WORDS
    assert all(1 <= weight <= HEAVIEST for weight in found.values())
    assert found == words(title=title * 20, categories=tuple(reversed(categories)), properties={"a": text})
