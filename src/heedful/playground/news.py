"""A news site in the playground: articles live for hours and are read in bursts, so that a model of yesterday
knows little. It is there to show what learning at once is worth.

news = News(seed=7, days=4)
for click in news.clicks(): ...                          # everything that is read, in order of time
news.best("reader-0001", click.at, read=(...), limit=20) # what the perfect list would have been

Demand does not depend on what anybody clicks, so every chance is a plain function of the seed, the reader, the
moment and what the reader has read in this visit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.vocabulary.time import DAY, HOUR, MINUTE, SECOND, Instant

OPENED = Instant(1_793_491_200_000_000)
"""2026-11-01T00:00Z: when the first article appears."""

SECTIONS = ("Politics", "World", "Economy", "Science", "Culture", "Sport", "Local", "Technology")
EVERY = 6 * MINUTE
"""An article appears every so often in the mean (a Poisson process)."""

SHORTEST, LONGEST = 6 * HOUR, 24 * HOUR
"""How long an article lives, drawn evenly between the two. Before and after nobody reads it."""

RISE = 15 * MINUTE
"""Demand grows evenly for so long, and then halves every sixth of the article's life."""

BREAKING = 0.15
BURST = 6.0
"""So many articles break once, at a moment drawn evenly from their life, for one hour in which demand is so many
times as high."""

TASTE = 1.6
"""What a standard deviation of taste for a section adds to demand, in logits."""

STORY = 4.0
"""How many times as likely an article of the story that was read last is."""

FOLLOWED = 0.35
"""The chance that a new article goes on with a story of the last hours."""

VISITS = 1.5
"""Visits of a reader a day, in the mean; readers differ (gamma, shape 1)."""

MOST_CLICKS = 15
_GOES_ON = 0.75
_WORDS = (
    "harbour", "budget", "glacier", "derby", "verdict", "harvest", "satellite", "bridge", "festival", "strike",
    "vaccine", "border", "orchestra", "quarry", "tariff", "comet", "museum", "ferry", "election", "reservoir",
)  # fmt: skip

Floats = NDArray[np.float64]


class Article(NamedTuple):
    """One article. story: articles of one story belong together. It is read from `published` until `until`."""

    name: str
    title: str
    section: str
    story: int
    published: Instant
    until: Instant


class Click(NamedTuple):
    """A reader opened an article."""

    reader: str
    article: str
    at: Instant


class News:
    """One world: the same arguments, the same articles, readers and clicks.

    articles: in order of `published`. readers: names.
    """

    def __init__(
        self, seed: int = 7, *, start: Instant = OPENED, days: int = 4, readers: int = 2_500
    ) -> None:
        self._seed, self.start, self.days = seed, start, days
        dice = np.random.default_rng([seed, 1])
        self.articles = _written(dice, start, days)
        self.number = {article.name: place for place, article in enumerate(self.articles)}
        self._published = np.array([article.published for article in self.articles], dtype=np.int64)
        self._until = np.array([article.until for article in self.articles], dtype=np.int64)
        self._section = np.array([SECTIONS.index(article.section) for article in self.articles])
        self._story = np.array([article.story for article in self.articles])
        life = (self._until - self._published).astype(np.float64)
        self._quality = np.exp(dice.normal(0.0, 0.8, len(life)))
        breaks = dice.random(len(life)) < BREAKING
        self._burst = np.where(breaks, self._published + dice.random(len(life)) * life, np.inf)
        self._half_life = life / 6
        self.readers = tuple(f"reader-{number:04}" for number in range(1, readers + 1))
        self._reader = {name: number for number, name in enumerate(self.readers)}
        crowd = np.random.default_rng([seed, 2])
        self._pull = np.exp(TASTE * crowd.normal(0.0, 1.0, (readers, len(SECTIONS))))
        self._rate = VISITS * crowd.gamma(1.0, 1.0, readers)

    def demand(self, at: Instant) -> Floats:
        """How much each article is wanted at `at` by everybody alike, (articles,), 0 where it is not read."""
        age = (at - self._published).astype(np.float64)
        rise = np.clip(age / RISE, 0.0, 1.0)
        fall = np.exp2(-np.maximum(age - RISE, 0.0) / self._half_life)
        burst = np.where((self._burst <= at) & (at < self._burst + HOUR), BURST, 1.0)
        lives = (age >= 0) & (at < self._until)
        demand: Floats = np.where(lives, self._quality * rise * fall * burst, 0.0)
        return demand

    def chances(self, reader: str, at: Instant, read: Sequence[str] = ()) -> Floats:
        """The chance of each article to be what `reader` opens at `at`: (articles,), with the sum 1, or all 0.

        read: what was opened in this visit, newest last: none of it is opened again, and the story of the newest
        pulls.
        """
        seen = [self.number[name] for name in read]
        weights = self._weights(self._reader[reader], at, seen)
        total = weights.sum()
        return weights / total if total > 0 else weights

    def best(self, reader: str, at: Instant, read: Sequence[str] = (), limit: int = 20) -> list[str]:
        """The list that is likeliest to hold what the reader opens: nobody can do better."""
        chances = self.chances(reader, at, read)
        order = np.argsort(-chances, kind="stable")[:limit]
        return [self.articles[place].name for place in order.tolist() if chances[place] > 0]

    def clicks(self) -> Iterator[Click]:
        """Everything that is read, in order of time, ties by the reader's number."""
        dice = np.random.default_rng([self._seed, 3])
        read: list[tuple[int, int, int]] = []
        for day in range(self.days):
            for reader, visits in enumerate(dice.poisson(self._rate).tolist()):
                for _ in range(visits):
                    at = self.start + day * DAY + int(_hour(dice) * HOUR)
                    read += self._visit(dice, reader, at)
        for when, who, what in sorted(read):
            yield Click(self.readers[who], self.articles[what].name, Instant(when))

    def _visit(self, dice: np.random.Generator, reader: int, at: int) -> list[tuple[int, int, int]]:
        seen: list[int] = []
        clicks = []
        while len(seen) < MOST_CLICKS:
            sums = np.cumsum(self._weights(reader, Instant(at), seen))
            if not sums[-1] > 0:
                break
            chosen = int(np.searchsorted(sums, dice.random() * sums[-1], side="right"))
            seen.append(chosen)
            clicks.append((at, reader, chosen))
            if dice.random() >= _GOES_ON:
                break
            at += 5 * SECOND + int(dice.exponential(60.0) * SECOND)
        return clicks

    def _weights(self, reader: int, at: Instant, seen: Sequence[int]) -> Floats:
        low, high = np.searchsorted(self._published, (at - LONGEST, at + 1))
        weights = self.demand(at)
        weights[low:high] *= self._pull[reader, self._section[low:high]]
        if seen:
            weights[self._story == self._story[seen[-1]]] *= STORY
            weights[np.array(seen)] = 0.0
        return weights


def _written(dice: np.random.Generator, start: Instant, days: int) -> tuple[Article, ...]:
    """Articles from a day before `start`, so that there is something to read at once; `start` is when reading
    begins."""
    articles: list[Article] = []
    at, stories = start - DAY, 0
    words: dict[int, tuple[str, str]] = {}
    while True:
        at += int(dice.exponential(EVERY))
        if at >= start + days * DAY:
            return tuple(articles)
        recent = articles[-20:]
        if recent and dice.random() < FOLLOWED:
            before = recent[int(dice.integers(len(recent)))]
            story, section = before.story, before.section
        else:
            story, section = stories, SECTIONS[int(dice.integers(len(SECTIONS)))]
            first, second = dice.choice(len(_WORDS), 2, replace=False).tolist()
            words[story] = _WORDS[first], _WORDS[second]
            stories += 1
        life = int(SHORTEST + dice.random() * (LONGEST - SHORTEST))
        name = f"article-{len(articles) + 1:05}"
        title = f"{section}: {words[story][0]} and {words[story][1]}, report {len(articles) + 1}"
        articles.append(Article(name, title, section, story, Instant(at), Instant(at + life)))


def _hour(dice: np.random.Generator) -> float:
    """An hour of the day, UTC: mornings and evenings are busier than nights."""
    while True:
        hour = float(dice.random()) * 24
        busy = 0.15 + 0.85 * np.sin(np.pi * max(hour - 5, 0) / 19) ** 2
        if dice.random() < busy:
            return hour
