"""The people who visit the shop: what they like, how it drifts, what they can spend, when they come.

A taste is a point that swings slowly between two poles, home and away, so it is a plain function of the day
and nothing has to be simulated to know what somebody likes on a given one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heedful.playground.catalogue import (
    DEPARTMENT_SHARE,
    STYLE_SHARE,
    STYLES,
    Floats,
    Ints,
    department_vectors,
)
from heedful.playground.wares import CITIES, DEPARTMENTS, FIRST_NAMES, LAST_NAMES

_TAG = 2


@dataclass(frozen=True, slots=True)
class Shopper:
    """One person as the shop knows them.

    id: the user id, or the anonymous id of a person who never signs in. device: the anonymous id of their
    browser.
    """

    id: str
    device: str
    signed_in: bool
    name: str
    city: str
    country: str


@dataclass(frozen=True)
class Crowd:
    """Shoppers and the truth about them; one entry per shopper in every column.

    home, away: (n, DIMENSIONS) unit rows, the poles of each taste. period: days from home to away and back.
    phase: where in the swing day 0 falls, 0 to 1. thrift: how much one standard deviation of price costs, in
    logits. visits_per_day: mean. peak_hour: hour of the day, UTC, around which visits lie.
    """

    shoppers: tuple[Shopper, ...]
    number: dict[str, int]
    home: Floats
    away: Floats
    period: Floats
    phase: Floats
    thrift: Floats
    visits_per_day: Floats
    peak_hour: Floats

    def __len__(self) -> int:
        return len(self.shoppers)

    def tastes(self, day: int, who: slice | Ints = slice(None)) -> Floats:
        """Unit rows: what each of `who` likes on `day` (whole days since 1970).

        x(d) is the unit vector of (1 - w) home + w away with w = sin²(π (d / period + phase)): w runs from 0
        to 1 and back within one period.
        """
        turn = np.sin(np.pi * (day / self.period[who] + self.phase[who])) ** 2
        mixed = (1.0 - turn)[:, None] * self.home[who] + turn[:, None] * self.away[who]
        unit: Floats = mixed / np.sqrt((mixed * mixed).sum(axis=1, keepdims=True))
        return unit


def gather(seed: int, count: int) -> Crowd:
    """`count` shoppers (1 to 1,000,000). Same arguments, same crowd. Raises ValueError for a count out of
    range.

    A quarter never sign in. Activity is log-normal: few come daily, most now and then.
    """
    if not 1 <= count <= 1_000_000:
        raise ValueError(f"a crowd holds 1 to 1,000,000 shoppers, not {count}")
    rng = np.random.default_rng([seed, _TAG])
    shoppers = tuple(_person(rng, number) for number in range(count))
    visits = rng.lognormal(0.0, 0.7, count)
    return Crowd(
        shoppers=shoppers,
        number={shopper.id: number for number, shopper in enumerate(shoppers)},
        home=_poles(rng, count),
        away=_poles(rng, count),
        period=rng.uniform(60.0, 360.0, count),
        phase=rng.random(count),
        thrift=np.abs(rng.normal(0.35, 0.25, count)),
        visits_per_day=0.9 * visits / visits.mean(),
        peak_hour=rng.choice([7.5, 12.5, 17.5, 20.5], size=count, p=[0.15, 0.2, 0.2, 0.45])
        + rng.normal(0, 0.7, count),
    )


def _person(rng: np.random.Generator, number: int) -> Shopper:
    first = FIRST_NAMES[rng.integers(len(FIRST_NAMES))]
    last = LAST_NAMES[rng.integers(len(LAST_NAMES))]
    city, country = CITIES[rng.integers(len(CITIES))]
    device = f"device-{number:04d}-{rng.integers(1 << 32):08x}"
    signed_in = bool(rng.random() >= 0.25)
    return Shopper(
        f"shopper-{number + 1:04d}" if signed_in else device,
        device,
        signed_in,
        f"{first} {last}",
        city,
        country,
    )


def _poles(rng: np.random.Generator, count: int) -> Floats:
    """Unit rows: one to three favourite departments, unevenly loved, and a style."""
    departments = len(DEPARTMENTS)
    appeal = rng.random((count, departments)).argsort(axis=1)  # a random order of departments for each
    loved = np.array([1.0, 0.6, 0.35])
    loved = np.where(np.arange(3) < rng.integers(1, 4, size=count)[:, None], loved, 0.0)
    love = np.zeros((count, departments))
    np.put_along_axis(love, appeal[:, :3], loved, axis=1)
    interest = love @ department_vectors()
    style = rng.standard_normal((count, STYLES))
    interest /= np.sqrt((interest * interest).sum(axis=1, keepdims=True))
    style /= np.sqrt((style * style).sum(axis=1, keepdims=True))
    return np.hstack([DEPARTMENT_SHARE * interest, STYLE_SHARE * style])
