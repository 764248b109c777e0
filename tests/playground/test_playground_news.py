"""The news site: the same seed tells the same day, and its clicks follow its truth."""

from __future__ import annotations

import numpy as np
import pytest

from heedful.playground.news import BURST, LONGEST, SHORTEST, STORY, News
from heedful.vocabulary.time import HOUR, MINUTE, Instant


@pytest.fixture(scope="module")
def news() -> News:
    return News(seed=3, days=1, readers=400)


def test_the_same_seed_tells_the_same_day(news: News) -> None:
    again = News(seed=3, days=1, readers=400)
    assert again.articles == news.articles
    assert list(again.clicks()) == list(news.clicks()) == sorted(news.clicks(), key=lambda click: click.at)
    assert list(News(seed=4, days=1, readers=400).clicks()) != list(news.clicks())


def test_articles_live_for_hours_and_are_read_only_then(news: News) -> None:
    for article in news.articles:
        assert SHORTEST <= article.until - article.published <= LONGEST
    for click in news.clicks():
        article = news.articles[news.number[click.article]]
        assert article.published <= click.at < article.until


def test_clicks_fall_where_the_truth_says(news: News) -> None:
    """The mean chance of what was opened is the mean sum of squared chances, as where clicks are drawn by them."""
    said, expected = [], []
    read: dict[str, tuple[int, list[str]]] = {}
    for click in news.clicks():
        last, visit = read.get(click.reader, (0, []))
        visit = [] if click.at - last > 30 * MINUTE else visit
        if click.article not in visit:  # two visits of one reader may lie close together
            chances = news.chances(click.reader, click.at, visit)
            assert chances.sum() == pytest.approx(1.0)
            said.append(chances[news.number[click.article]])
            expected.append(float((chances**2).sum()))
        read[click.reader] = click.at, [*visit, click.article]
    gap = np.array(said) - np.array(expected)
    assert len(gap) > 1_000
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))


def test_the_best_list_is_the_likeliest_and_leaves_out_what_was_read(news: News) -> None:
    at = Instant(news.start + 12 * HOUR)
    best = news.best("reader-0001", at, limit=20)
    chances = news.chances("reader-0001", at)
    assert len(best) == 20
    assert sum(chances[news.number[name]] for name in best) == pytest.approx(np.sort(chances)[-20:].sum())
    assert best[0] not in news.best("reader-0001", at, read=best[:1])


def test_the_story_read_last_pulls(news: News) -> None:
    at = Instant(news.start + 12 * HOUR)
    lives = np.flatnonzero(news.demand(at)).tolist()
    stories = [news.articles[place].story for place in lives]
    story = next(story for story in stories if stories.count(story) > 2)
    read, other, *_ = (place for place in lives if news.articles[place].story == story)
    apart = next(place for place in lives if news.articles[place].story != story)
    plain, pulled = (news.chances("reader-0001", at, read) for read in ((), (news.articles[read].name,)))
    assert pulled[other] / pulled[apart] == pytest.approx(STORY * plain[other] / plain[apart])


def test_a_breaking_article_is_wanted_more_for_an_hour() -> None:
    news = News(seed=3, days=2, readers=10)
    ratios = []
    for at in range(news.start, news.start + 24 * HOUR, 5 * MINUTE):
        before, now = news.demand(Instant(at)), news.demand(Instant(at + 5 * MINUTE))
        both = (before > 0) & (now > 0)
        ratios.append((now[both] / before[both]).max())
    assert max(ratios) > 0.8 * BURST
