"""The goods of Fernweh Supply, drawn from a seed: what the shop says of each item, and what is true of it.

What the shop says is an `Item` like any other. What is true of it (its vector, quality, renown) stands beside
it in columns, one entry per item in the order of `items`, and is never sent to the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heedful.playground.wares import BRANDS, COLOURS, DEPARTMENTS, MODELS, Department, Line
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item, Price
from heedful.vocabulary.time import DAY, Instant, moment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

CURRENCY = "USD"
PICTURE_URL = "/playground/pictures/{id}.svg"
"""Where a server is expected to serve `pictures.picture(item)`."""
PAGE_URL = "/shop/{id}"

STYLES = 8
DIMENSIONS = len(DEPARTMENTS) + STYLES
"""Length of every latent vector: one place per department, then the style."""
DEPARTMENT_SHARE = 0.8
STYLE_SHARE = 0.6
"""How much of a vector's unit length lies in its department and in its style: 0.8² + 0.6² = 1."""
COMPANIONS = 3
SHORTLIST = 400
"""Companions are chosen from this many items of a department, those of highest quality."""

DEPARTMENT_NUMBER = {department.name: number for number, department in enumerate(DEPARTMENTS)}

_TAG = 1  # keeps this module's random stream apart from those of its siblings


@dataclass(frozen=True)
class Catalogue:
    """Items and the truth about them. Every column has one entry per item.

    department: number in `DEPARTMENTS`. vectors: (n, DIMENSIONS), rows of unit length. quality: standard
    normal. renown: log of how readily people come across it, Zipf-like, mean 0. dearness: log price against
    the median of its line, in standard deviations. published: first instant at which it can be seen.
    trend_phase: day of its 60-day cycle on which a wave of fashion starts; -1 when it never has one.
    companions: (n, COMPANIONS) rows of the items that go with it.
    """

    items: tuple[Item, ...]
    number: dict[str, int]
    department: Ints
    vectors: Floats
    quality: Floats
    renown: Floats
    dearness: Floats
    published: Ints
    available: Flags
    trend_phase: Ints
    companions: Ints

    def __len__(self) -> int:
        return len(self.items)


def department_vectors() -> Floats:
    """(departments, departments): unit rows, leaning towards the departments each one goes with."""
    rows = np.eye(len(DEPARTMENTS))
    for number, department in enumerate(DEPARTMENTS):
        for friend in department.goes_with:
            rows[number, DEPARTMENT_NUMBER[friend]] = 0.3
    return _unit(rows)


def build(seed: int, count: int, opened: Instant) -> Catalogue:
    """A catalogue of `count` items (12 to 100,000) of a shop that opened its books at `opened`.

    Same arguments, same catalogue. Most items were published in the two years before `opened`, one in sixteen
    in the thirty days after; one in fifty is not available. Raises ValueError for a count out of range.
    """
    if not len(DEPARTMENTS) <= count <= 100_000:
        raise ValueError(f"a catalogue holds {len(DEPARTMENTS)} to 100,000 items, not {count}")
    rng = np.random.default_rng([seed, _TAG])
    department, line = _assortment(rng, count)
    brand = rng.integers(len(BRANDS), size=count)
    quality = rng.standard_normal(count)
    vectors = _latent(rng, department, line, brand)
    prices, dearness = _prices(rng, department, line, quality)
    published = _published(rng, count, opened)
    available = rng.random(count) >= 0.02
    items = _describe(rng, department, line, brand, prices, published, available)
    renown = -0.7 * np.log1p(rng.permutation(count)) + 0.3 * quality
    trend_phase = np.where(rng.random(count) < 0.06, rng.integers(60, size=count), -1)
    return Catalogue(
        items=items,
        number={item.id: number for number, item in enumerate(items)},
        department=department,
        vectors=vectors,
        quality=quality,
        renown=renown - renown.mean(),
        dearness=dearness,
        published=published,
        available=available,
        trend_phase=trend_phase,
        companions=_companions(vectors, quality, department),
    )


def _unit(rows: Floats) -> Floats:
    lengths: Floats = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    unit: Floats = rows / lengths
    return unit


def _assortment(rng: np.random.Generator, count: int) -> tuple[Ints, Ints]:
    """Department and line of each item; every department has at least one."""
    share = np.array([department.share for department in DEPARTMENTS])
    drawn = rng.choice(len(DEPARTMENTS), size=count - len(DEPARTMENTS), p=share / share.sum())
    department = rng.permutation(np.concatenate([np.arange(len(DEPARTMENTS)), drawn]))
    lines = np.array([len(entry.lines) for entry in DEPARTMENTS])
    line = (rng.random(count) * lines[department]).astype(np.int64)
    return department, line


def _latent(rng: np.random.Generator, department: Ints, line: Ints, brand: Ints) -> Floats:
    """Unit vectors: the department in the first places, a style from brand, line and chance in the others."""
    brands = _unit(rng.standard_normal((len(BRANDS), STYLES)))
    most = max(len(entry.lines) for entry in DEPARTMENTS)
    lines = _unit(rng.standard_normal((len(DEPARTMENTS) * most, STYLES)))
    own = _unit(rng.standard_normal((len(department), STYLES)))
    style = _unit(0.8 * brands[brand] + 0.5 * lines[department * most + line] + 0.6 * own)
    return np.hstack([DEPARTMENT_SHARE * department_vectors()[department], STYLE_SHARE * style])


def _prices(rng: np.random.Generator, department: Ints, line: Ints, quality: Floats) -> tuple[Ints, Floats]:
    """Prices in minor units, dearer with quality, and how dear each is within its line."""
    place = rng.random(len(department)) + 0.12 * quality
    place = np.clip(place, 0.0, 1.0)
    wares = [DEPARTMENTS[d].lines[n] for d, n in zip(department, line, strict=True)]
    low = np.array([ware.low for ware in wares])
    high = np.array([ware.high for ware in wares])
    prices = np.array([_tag(float(price)) for price in low * (high / low) ** place], dtype=np.int64)
    return prices, (place - 0.5) / 0.3


def _tag(price: float) -> int:
    """A price as shops write it, in minor units: 12.90, 49.00, 189.00."""
    if price < 40:
        return round(price) * 100 - 10
    if price < 200:
        return round(price) * 100
    return (round(price / 10) * 10 - 1) * 100


def _published(rng: np.random.Generator, count: int, opened: Instant) -> Ints:
    """First instants, whole seconds: mostly within two years before `opened`, some in the month after."""
    age = np.where(rng.random(count) < 1 / 16, -30 * rng.random(count), 700 * rng.random(count) + 1)
    seconds: Ints = ((opened - age * DAY) // 1_000_000).astype(np.int64)
    return seconds * 1_000_000


def _describe(
    rng: np.random.Generator,
    department: Ints,
    line: Ints,
    brand: Ints,
    prices: Ints,
    published: Ints,
    available: Flags,
) -> tuple[Item, ...]:
    """The items as the shop presents them."""
    titles: set[str] = set()
    items = []
    for number in range(len(department)):
        entry = DEPARTMENTS[department[number]]
        ware = entry.lines[line[number]]
        colour = COLOURS[rng.integers(len(COLOURS))]
        title = _title(rng, ware, colour, titles)
        name = ItemId(f"fw-{1001 + number}")
        items.append(
            Item(
                id=name,
                title=title,
                categories=(entry.name, ware.name),
                price=Price(int(prices[number]), CURRENCY),
                available=bool(available[number]),
                published=moment(Instant(int(published[number]))),
                image=PICTURE_URL.format(id=name),
                url=PAGE_URL.format(id=name),
                properties=_properties(rng, entry, ware, BRANDS[brand[number]], colour),
            )
        )
    return tuple(items)


def _title(rng: np.random.Generator, ware: Line, colour: str, taken: set[str]) -> str:
    """A name nobody has yet: `Tarn Storm Lantern`, with its colour or an edition when that is taken."""
    model = MODELS[rng.integers(len(MODELS))]
    noun = ware.nouns[rng.integers(len(ware.nouns))]
    title = f"{model} {noun}"
    edition = 2
    if title in taken:
        title = f"{model} {noun}, {colour}"
    while title in taken:
        title = f"{model} {noun}, {colour}, Edition {edition}"
        edition += 1
    taken.add(title)
    return title


def _properties(
    rng: np.random.Generator, entry: Department, ware: Line, brand: str, colour: str
) -> dict[str, str]:
    """Brand, colour, shape and a description of two sentences."""
    pitch = ware.pitches[rng.integers(len(ware.pitches))]
    detail = entry.details[rng.integers(len(entry.details))]
    return {"brand": brand, "color": colour, "shape": ware.shape, "description": f"{pitch} {detail}"}


def _companions(vectors: Floats, quality: Floats, department: Ints) -> Ints:
    """For each item the best matches by style and quality in the departments that its own goes with.

    Taken in turn from each such department, so that a tent gets sleeping bags and a chair.
    """
    members = [np.flatnonzero(department == number) for number in range(len(DEPARTMENTS))]
    companions = np.empty((len(department), COMPANIONS), dtype=np.int64)
    for number, entry in enumerate(DEPARTMENTS):
        mine = members[number]
        friends = [members[DEPARTMENT_NUMBER[name]] for name in entry.goes_with]
        ranked = [_by_style(vectors, quality, mine, friend) for friend in friends]
        for place in range(COMPANIONS):
            column = ranked[place % len(ranked)]
            companions[mine, place] = column[:, min(place // len(ranked), column.shape[1] - 1)]
    return companions


def _by_style(vectors: Floats, quality: Floats, mine: Ints, others: Ints) -> Ints:
    """(mine, up to COMPANIONS): `others` that suit each of `mine`, best first; of very many, the finest."""
    if len(others) > SHORTLIST:
        others = np.sort(others[np.argsort(-quality[others], kind="stable")[:SHORTLIST]])
    best = np.empty((len(mine), min(COMPANIONS, len(others))), dtype=np.int64)
    manner = vectors[others, -STYLES:].T
    for start in range(0, len(mine), 1024):  # in blocks: a large catalogue would not fit at once
        fit = vectors[mine[start : start + 1024], -STYLES:] @ manner + 0.05 * quality[others]
        order = np.argsort(-fit, axis=1, kind="stable")[:, : best.shape[1]]
        best[start : start + 1024] = others[order]
    return best
