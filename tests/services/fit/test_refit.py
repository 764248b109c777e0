"""A fit that is better is put in force, a worse one is not, and the shelf says what was compared with what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heedful.models.kinds import ranker_in_force
from heedful.models.metrics.intervals import Estimate
from heedful.models.shelf import Shelf, State
from heedful.objects.folder import Folder
from heedful.services.evaluate.streams import Stream
from heedful.services.fit.gather import GatherSettings, Judged
from heedful.services.fit.judgement import replayed
from heedful.services.fit.refit import Verdict, refit, worth_of
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.settings import Settings
from tests.services.fit.histories import as_served, changed, rounds, stream_of

PEOPLE = 40


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(Folder(tmp_path / "models"))


def fitted(shelf: Shelf, stream: Stream, **more: Any) -> Verdict:
    settings = Settings()
    asked: dict[str, Any] = {"how": GatherSettings(judged=0.3), "objective": worth_of(settings), **more}
    return refit(stream, f"v1.{len(stream)}", shelf, as_served, settings, **asked)


def value(figure: object) -> float:
    assert isinstance(figure, Estimate)
    return figure.value


@pytest.mark.parametrize("kind", ["lambdamart", "linear"])
def test_a_better_model_is_promoted(shelf: Shelf, kind: str) -> None:
    verdict = fitted(shelf, stream_of(rounds(PEOPLE)), kind=kind)
    assert verdict.promoted
    assert verdict.figures.keys() == {"fitted", "blend"}
    assert value(verdict.figures["fitted"]) > 0.9 > 0.5 > value(verdict.figures["blend"])
    assert isinstance(verdict.gain, Estimate)
    assert verdict.gain.low > 0.3
    found = ranker_in_force(shelf)
    assert found.version is not None
    assert (found.version.id, found.version.state) == (verdict.version.id, State.IN_FORCE)
    assert found.version.facts.kind == kind
    assert found.version.metrics["mrr"] == pytest.approx(value(verdict.figures["fitted"]))
    assert found.version.compared["mrr"] == pytest.approx(value(verdict.figures["blend"]))
    assert found.version.against == ""


def test_a_worse_model_stays_a_candidate_unless_it_is_forced(shelf: Shelf) -> None:
    stream = stream_of(changed(PEOPLE))
    how = GatherSettings(judged=7 / 16)
    verdict = fitted(shelf, stream, kind="linear", how=how)
    assert not verdict.promoted
    assert value(verdict.figures["fitted"]) < value(verdict.figures["blend"])
    assert shelf.in_force() is None
    (version,) = shelf.list()
    assert version == verdict.version
    assert (version.state, version.metrics["mrr"] < version.compared["mrr"]) == (State.CANDIDATE, True)
    again = fitted(shelf, stream, kind="linear", how=how, force=True)
    assert again.promoted
    assert again.version.id == version.id == shelf.in_force().id  # type: ignore[union-attr]  # it was just promoted


def test_a_fit_is_judged_beside_the_model_in_force(shelf: Shelf) -> None:
    first = fitted(shelf, stream_of(rounds(PEOPLE)), kind="linear")
    second = fitted(
        shelf, stream_of(changed(PEOPLE)), kind="linear", how=GatherSettings(judged=7 / 16, seed=8)
    )
    assert second.figures.keys() == {"fitted", "blend", "in force"}
    assert second.version.against == first.version.id
    assert second.promoted == (value(second.figures["fitted"]) >= value(second.figures["in force"]))
    assert second.promoted
    assert value(second.figures["fitted"]) < value(second.figures["blend"]), "it answers for the one before"


def test_the_same_log_and_seed_are_the_same_model(shelf: Shelf) -> None:
    one, same, other = (
        fitted(
            shelf, stream_of(rounds(PEOPLE)), how=GatherSettings(judged=0.3, rows=12, seed=seed)
        ).version.id
        for seed in (1, 1, 2)
    )
    assert one == same != other


def test_a_model_of_before_somebody_was_forgotten_is_kept_and_not_promoted(shelf: Shelf) -> None:
    era = shelf.era()
    shelf.forget()
    verdict = fitted(shelf, stream_of(rounds(PEOPLE)), kind="linear", era=era)
    assert value(verdict.gain) > 0
    assert not verdict.promoted
    assert shelf.in_force() is None


def test_a_placement_has_a_shelf_place_of_its_own(shelf: Shelf) -> None:
    verdict = fitted(shelf, stream_of(rounds(PEOPLE)), kind="linear", place="ranker:home")
    assert verdict.promoted
    assert shelf.in_force() is None
    assert shelf.in_force("ranker:home") is not None


def test_a_kind_that_nobody_knows_leaves_the_shelf_empty(shelf: Shelf) -> None:
    with pytest.raises(Invalid) as refused:
        fitted(shelf, stream_of(rounds(5)), kind="oracle")
    assert refused.value.code == "kind_unknown"
    assert shelf.list() == ()


def test_a_rank_counts_to_the_depth_and_ties_go_to_the_lower_key() -> None:
    keys = np.array([2, 1, *range(3, 31)], dtype=np.uint64)
    gains = np.zeros(30)

    def asked(subject: int, *good: int) -> Judged:
        came = gains.copy()
        came[list(good)] = 1.0
        return Judged(subject, np.zeros((30, 1), dtype=np.float32), came, -np.arange(30.0), keys)

    questions = [asked(0, 0), asked(1, 1), asked(2, 4, 9), asked(3, 20), asked(4)]
    found = replayed(questions, {"level": lambda table: np.zeros(len(table))})
    assert found.sums["blend"].numerator.tolist() == [1, 1 / 2, 1 / 5, 0, 0]
    assert found.sums["level"].numerator[:2].tolist() == [1 / 2, 1]
    assert found.hits["blend"] == 3 / 5
