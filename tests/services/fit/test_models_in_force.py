"""A promoted model answers, says so, and goes again; who is held out never meets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.compose import Heedful, fit_beside
from heedful.compose.pipelines import MOST_PIPELINES, Pipelines
from heedful.faces.client import Client
from heedful.models.shelf import Shelf
from heedful.objects.folder import Folder
from heedful.services.fit.models import RANKER, Models
from heedful.services.fit.taste import TASTE
from heedful.vocabulary.errors import Invalid, NotFound
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.recommendation import RecommendAnswer
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import MINUTE, FixedClock, Instant, iso
from tests.services.fit.histories import VISITS, rounds
from tests.services.shop import OPENED

PEOPLE = 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder whose people go round four things of their own."""
    with Heedful(tmp_path, clock=FixedClock(OPENED), settings=Settings(holdout=0.0)) as shop:
        began = OPENED - 240 * (VISITS + 1) * MINUTE
        calls = [
            {
                "type": "track", "userId": who, "event": "Product Viewed", "messageId": f"m{number}",
                "timestamp": iso(Instant(began + minutes * MINUTE)), "properties": {"product_id": item},
            }
            for number, (who, item, minutes) in enumerate(rounds(PEOPLE))
        ]  # fmt: skip
        shop.send("import", {"batch": calls})
    return tmp_path


@pytest.fixture
def shop(folder: Path) -> Iterator[Client]:
    with Heedful(folder, clock=FixedClock(OPENED), settings=Settings(holdout=0.5)) as shop:
        yield shop


def asked(shop: Client, who: str, **question: Any) -> tuple[RecommendAnswer, dict[str, Any]]:
    """The answer and its trace."""
    answer = shop.recommend(who, explain=True, **question)
    assert answer.trace is not None
    return answer, answer.trace


def parted(shop: Client) -> tuple[list[str], list[str]]:
    """Who is answered, and who is held out."""
    held: dict[bool, list[str]] = {False: [], True: []}
    for person in range(PEOPLE):
        held[asked(shop, f"p{person}")[1]["holdout"]].append(f"p{person}")
    assert min(map(len, held.values())) > 2
    return held[False], held[True]


def longest_left(who: str) -> str:
    """What comes next in the person's round."""
    own = [item for one, item, _ in rounds(PEOPLE) if one == who]
    return own[VISITS % 4]


@pytest.mark.parametrize("kind", ["lambdamart", "linear"])
def test_a_promoted_model_answers_from_the_next_look_and_a_rollback_takes_it_away(
    shop: Client, folder: Path, kind: str
) -> None:
    models = shop.engine.models
    assert models is not None
    answered, held = parted(shop)
    before = {who: asked(shop, who)[0].items for who in (*answered, *held)}
    verdict = fit_beside(folder, kind=kind)
    assert verdict.promoted
    assert asked(shop, answered[0])[1]["model"] == "blend"
    assert models.look()
    assert not models.look()
    found = 0
    for who in answered:
        answer, trace = asked(shop, who)
        assert trace["model"] == verdict.version.id
        assert shop.decision(answer.decision_id).model == verdict.version.id
        found += answer.items[0].item_id == longest_left(who)
    assert found > 0.8 * len(answered)
    for who in held:
        answer, trace = asked(shop, who)
        assert (trace["model"], trace["holdout"], "shares" in trace) == ("blend", True, False)
        assert answer.items == before[who]
    Shelf(Folder(folder / "models")).rollback()
    assert models.look()
    assert {who: asked(shop, who)[0].items for who in before} == before


def test_a_model_in_force_answers_from_the_start(folder: Path) -> None:
    model = fit_beside(folder, kind="linear").version.id
    with Heedful(folder, clock=FixedClock(OPENED), settings=Settings(holdout=0.0)) as shop:
        assert asked(shop, "p1")[1]["model"] == model


@pytest.mark.parametrize("kind", ["lambdamart", "linear"])
def test_the_trace_tells_features_and_shares_that_sum_to_each_score(
    folder: Path, shop: Client, kind: str
) -> None:
    fit_beside(folder, kind=kind, force=True)
    assert shop.engine.models is not None and shop.engine.models.look()
    who = parted(shop)[0][0]
    _, trace = asked(shop, who, limit=20)
    candidates = trace["candidates"]
    assert len(candidates) == len(trace["features"]) == len(trace["shares"]) > 20
    for one, features, shares in zip(candidates, trace["features"], trace["shares"], strict=True):
        assert sum(shares.values()) == pytest.approx(one["score"], abs=1e-6)
        assert {"base", "person", "popularity", "question"} <= shares.keys()
        for source, score in one["sources"].items():
            assert features[f"{source}_score"] == pytest.approx(score, abs=1e-5)
    (best,) = (
        features for one, features in zip(candidates, trace["features"], strict=True)
        if one["itemId"] == longest_left(who)
    )  # fmt: skip
    touched = [one["touched_ago"] for one in trace["features"] if one["touched"]]
    assert best["touched_ago"] == max(touched)


def test_a_placement_of_other_sources_is_not_ranked_by_the_general_model(folder: Path, shop: Client) -> None:
    model = fit_beside(folder, kind="linear").version.id
    shop.put_placement("home", sources={"trending_1d": 1.0, "trending_7d": 0.5})
    assert shop.engine.models is not None and shop.engine.models.look()
    who = parted(shop)[0][0]
    assert asked(shop, who)[1]["model"] == model
    assert asked(shop, who, placement="home")[1]["model"] == "blend"
    own = fit_beside(folder, kind="linear", placement="home", force=True).version.id
    assert shop.engine.models.look()
    assert asked(shop, who, placement="home")[1]["model"] == own != model
    assert asked(shop, who)[1]["model"] == model


def test_only_a_placement_of_items_that_is_defined_has_a_ranker(folder: Path, shop: Client) -> None:
    shop.put_placement("hero", kind="variants", variants=[{"id": "a"}, {"id": "b"}])
    with pytest.raises(Invalid, match="variants"):
        fit_beside(folder, placement="hero")
    shop.put_placement("home")
    shop.delete_placement("home")
    for name in ("home", "never defined"):
        with pytest.raises(NotFound):
            fit_beside(folder, placement=name)


def test_a_damaged_model_is_not_used(folder: Path, shop: Client) -> None:
    verdict = fit_beside(folder, kind="linear")
    (file,) = (path for path in (folder / "models").iterdir() if verdict.version.id in path.name)
    file.write_bytes(b"?")
    assert shop.engine.models is not None and shop.engine.models.look()
    assert asked(shop, parted(shop)[0][0])[1]["model"] == "blend"


def test_a_ranker_is_due_when_enough_came_and_the_log_has_grown_by_half(folder: Path, shop: Client) -> None:
    shelf = Shelf(Folder(folder / "models"))

    def due(every: int, *places: int, begun: int = 0) -> list[bool]:
        models = Models(shelf, lambda: False, every=every)
        if begun:
            models.begun(RANKER, begun)
        found = []
        for place in places:
            models.begun(TASTE, place)  # which is due sooner, and goes first
            found.append(models.due(place) == RANKER)
        return found

    assert due(100, 0, 99, 100, 5_000) == [False, False, True, True]
    assert due(0, 10_000) == [False]
    fit_beside(folder, kind="linear")
    fitted_at = shop.engine.place()
    assert fitted_at > 200
    assert due(100, fitted_at + 100, fitted_at * 3 // 2 + 1) == [False, True]
    assert due(100, fitted_at * 2, begun=fitted_at * 3 // 2 + 1) == [False]


def test_a_pipeline_that_is_kept_no_longer_still_takes_up_what_is_promoted(folder: Path) -> None:
    shelf = Shelf(Folder(folder / "models"))
    with Heedful(folder, clock=FixedClock(OPENED), settings=Settings(holdout=0.0)) as shop:
        pipelines = Pipelines(shop.engine.fold, shelf)
        first = pipelines.of(Placement(name="first"))
        for number in range(MOST_PIPELINES):
            pipelines.of(Placement(name=f"other {number}"))
        assert pipelines.of(Placement(name="first")) is not first
        version = fit_beside(folder, force=True).version
        assert pipelines.look()
        assert first.ranker.name == version.id
