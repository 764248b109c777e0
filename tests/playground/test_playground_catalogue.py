"""The shop's goods: believable, complete, and the same whenever they are drawn from one seed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import msgspec
import numpy as np
import pytest

from heedful.playground.catalogue import COMPANIONS, DEPARTMENT_NUMBER, STYLES, build
from heedful.playground.pictures import DRAWINGS, PALETTES, picture
from heedful.playground.wares import COLOURS, DEPARTMENTS
from heedful.playground.world import OPENED, World
from heedful.vocabulary.time import DAY, instant

ALLOWED = {"svg", "g", "path", "rect", "circle", "ellipse"}


def test_the_same_seed_draws_the_same_catalogue_and_another_seed_another() -> None:
    first, again, other = (msgspec.json.encode(World(seed, 300, 5).items()) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_titles_and_ids_are_never_repeated_even_in_a_large_catalogue() -> None:
    items = build(3, 6_000, OPENED).items
    assert len({item.title for item in items}) == len({item.id for item in items}) == 6_000


def test_every_item_has_a_category_a_line_and_a_price_within_its_line() -> None:
    lines = {line.name: (entry.name, line) for entry in DEPARTMENTS for line in entry.lines}
    seen = set()
    for item in World(7).items():
        department, name = item.categories
        home, line = lines[name]
        assert department == home
        assert item.price is not None
        assert line.low - 6 <= item.price.minor / 100 <= line.high + 6
        assert len(item.properties["description"]) > 30
        seen.add(name)
    assert seen == set(lines)


def test_a_few_items_are_unavailable_and_some_are_published_after_the_opening() -> None:
    items = World(7).items()
    assert 5 <= sum(not item.available for item in items) <= 60
    dates = [instant(item.published) for item in items if item.published is not None]
    assert len(dates) == len(items)
    assert 30 <= sum(date > OPENED for date in dates) <= 150
    assert max(dates) <= OPENED + 30 * DAY


def test_latent_vectors_have_unit_length_and_cluster_by_category() -> None:
    catalogue = build(7, 1200, OPENED)
    likeness = catalogue.vectors @ catalogue.vectors.T
    assert np.allclose(np.diag(likeness), 1.0)
    same = catalogue.department[:, None] == catalogue.department[None, :]
    np.fill_diagonal(same, False)
    assert likeness[same].mean() > 0.55
    assert likeness[~same].mean() < 0.3


def test_companions_are_the_best_by_style_from_the_categories_that_go_with_it() -> None:
    catalogue = build(5, 60, OPENED)
    style = catalogue.vectors[:, -STYLES:]
    for item in range(60):
        friends = [DEPARTMENT_NUMBER[name] for name in DEPARTMENTS[catalogue.department[item]].goes_with]
        for place in range(COMPANIONS):
            pool = np.flatnonzero(catalogue.department == friends[place % len(friends)])
            fit = style[pool] @ style[item] + 0.05 * catalogue.quality[pool]
            expected = pool[np.argsort(-fit, kind="stable")][min(place // len(friends), len(pool) - 1)]
            assert catalogue.companions[item, place] == expected


@pytest.mark.parametrize(("items", "shoppers"), [(11, 1), (100_001, 1), (12, 0)])
def test_a_world_of_impossible_size_is_refused(items: int, shoppers: int) -> None:
    with pytest.raises(ValueError, match="holds"):
        World(1, items, shoppers)


def test_every_shape_is_drawn_and_every_colour_has_a_palette() -> None:
    assert {line.shape for entry in DEPARTMENTS for line in entry.lines} == set(DRAWINGS)
    assert set(COLOURS) == set(PALETTES)


def test_every_picture_is_small_plain_valid_svg_of_known_marks() -> None:
    world = World(7)
    for item in world.items():
        text = picture(item)
        assert text == world.picture(item.id)
        assert len(text.encode()) <= 3_000
        assert "NaN" not in text and "href" not in text
        for element in ET.fromstring(text).iter():
            assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in ALLOWED
            assert not any(name.startswith("on") for name in element.attrib)


def test_items_of_one_shape_do_not_all_look_alike() -> None:
    mugs = [item for item in World(7).items() if item.properties["shape"] == "mug"]
    assert len({picture(item) for item in mugs}) > len(mugs) / 2
