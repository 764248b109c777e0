"""Long-term taste is fitted beside a running server, taken up by it, and named in what it decides."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heedful.compose import Heedful, fit_beside, taste_beside
from heedful.compose.pipelines import Pipelines
from heedful.models.kinds import ranker_of
from heedful.models.shelf import Shelf, State
from heedful.objects.folder import Folder
from heedful.services.evaluate.recording import Recorder, empty_fold
from heedful.services.evaluate.recording import Shelf as Recorded
from heedful.services.evaluate.streams import Builder
from heedful.services.fit.models import RANKER, Models
from heedful.services.fit.taste import TASTE, Refitted, fit_taste, tasted
from heedful.vault.pseudonyms import Pseudonyms
from heedful.views.fold import Fold
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.event import Line, Stored
from heedful.vocabulary.kinds import VIEW
from heedful.vocabulary.placement import Placement
from heedful.vocabulary.settings import Settings
from heedful.vocabulary.time import DAY, FixedClock, Instant, iso
from tests.faces.cli.command import heedful
from tests.faces.cli.serving import SECRET, Serving, call
from tests.services.shop import OPENED

KINDS, EACH, PEOPLE = 4, 6, 40


def views(people: int = PEOPLE, *, first: int = 0) -> list[dict[str, Any]]:
    """Everybody looks at four of the six things of their kind, one a day: no two in one visit."""
    random = np.random.default_rng(3)
    calls = []
    for person in range(first, first + people):
        own = random.permutation(EACH)[:4]
        for day, number in enumerate(own.tolist()):
            at = Instant(OPENED - (30 - 5 * day) * DAY + person)
            calls.append({
                "type": "track", "userId": f"p{person}", "event": "Product Viewed", "timestamp": iso(at),
                "messageId": f"{person}-{day}", "properties": {"product_id": f"k{person % KINDS}-{number}"},
            })  # fmt: skip
    return calls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Heedful(tmp_path, clock=FixedClock(OPENED), settings=Settings(holdout=0.0)) as shop:
        shop.send("import", {"batch": views()})
        shop.put_placement("own", sources={"taste": 1.0})
    return tmp_path


def shelf_of(folder: Path) -> Shelf:
    return Shelf(Folder(folder / "models"))


def unseen(person: int) -> set[str]:
    """The things of the person's kind that they never looked at."""
    seen = {call["properties"]["product_id"] for call in views() if call["userId"] == f"p{person}"}
    return {f"k{person % KINDS}-{number}" for number in range(EACH)} - seen


def waited_for(found: Callable[[], Any]) -> Any:
    """What `found` says once it says something."""
    for _ in range(1_200):
        if said := found():
            return said
        time.sleep(0.05)
    raise AssertionError("it never came")


def get(connection: http.client.HTTPConnection, path: str) -> Any:
    connection.request("GET", path, headers={"Authorization": f"Bearer {SECRET}"})
    return json.loads(connection.getresponse().read())


def test_a_running_server_fits_takes_up_and_names_a_taste_by_itself(folder: Path) -> None:
    (folder / "settings.toml").write_text("holdout = 0.0\n[models]\nfit_every = 2_000\n")
    with Serving(folder) as server:
        connection = server.connect()

        def answered() -> Any:
            question = {"userId": "p1", "placement": "own", "limit": 2, "explain": True}
            answer = call(connection, "/v1/recommend", question, SECRET)[1]
            return answer if answer["trace"].get("taste") else None

        answer = waited_for(answered)
        assert {item["itemId"] for item in answer["items"]} == unseen(1)
        version = shelf_of(folder).in_force(TASTE)
        assert version is not None
        assert answer["trace"]["taste"] == version.id
        told = waited_for(lambda: get(connection, f"/v1/decisions/{answer['decisionId']}"))
        assert (told["model"], told["taste"]) == ("blend", version.id)
        code, err = server.stop()
        assert code == 0, err


def test_the_same_log_gives_the_same_taste_to_the_byte(folder: Path) -> None:
    first, again = taste_beside(folder), taste_beside(folder)
    assert (first.id, first.state) == (again.id, State.IN_FORCE)
    assert first.facts.learned == {"people": PEOPLE, "items": KINDS * EACH, "touches": 4 * PEOPLE}


def test_answers_by_taste_are_measured_under_either_id(folder: Path) -> None:
    with Heedful(folder, clock=FixedClock(OPENED), settings=Settings(holdout=0.0)) as shop:
        version = taste_beside(folder)
        assert shop.engine.models is not None and shop.engine.models.look()
        decision = shop.decision(shop.recommend("p1", placement="own").decision_id)
        assert (decision.model, decision.taste) == ("blend", version.id)
        named = {group.model for group in shop.engine.fold.outcomes.groups}
        assert named == {f"blend+taste:{version.id}"}


def test_who_goes_by_no_taste_is_not_said_to(folder: Path) -> None:
    taste_beside(folder)
    with Heedful(folder, clock=FixedClock(OPENED), settings=Settings(holdout=0.0)) as shop:
        shop.put_placement("plain", sources={"trending_7d": 1.0})
        assert shop.decision(shop.recommend("p1", placement="plain").decision_id).taste == ""


def test_a_taste_that_learned_from_somebody_forgotten_is_fitted_again_at_once_and_once(folder: Path) -> None:
    version, shelf = taste_beside(folder), shelf_of(folder)
    with Heedful(folder, clock=FixedClock(OPENED), settings=Settings(holdout=0.0)) as shop:
        place = shop.engine.place()
        models = Models(shelf, lambda: True, every=20_000)
        assert models.due(place) == ""
        shelf.forget()
        models.look()
        assert models.due(place) == TASTE
        models.begun(TASTE, place)
        assert models.due(place) == ""
        fold = shop.engine.fold
        anew = fit_taste(fold, fold.cursor.encode(), shelf, seed=8, era=shelf.era())
        assert (anew.state, anew.stale) == (State.IN_FORCE, "")
        assert version.id not in {one.id for one in shelf.list()}


def test_a_taste_fitted_after_somebody_is_forgotten_is_that_of_a_world_without_them() -> None:
    builder = Builder("shop")
    for view in sorted(views(), key=lambda view: str(view["timestamp"])):
        at = int(datetime.fromisoformat(view["timestamp"]).timestamp() * 1e6)
        builder.add(view["userId"], VIEW, at, (Line(view["properties"]["product_id"]),))
    stream = builder.stream()
    recorder, log = Recorder(stream, Pseudonyms(bytes(32))), Recorded()

    def told(fold: Fold, of: Callable[[int], bool]) -> list[Stored]:
        stored = log.put(
            recorder.event(number) for number in range(len(stream)) if of(int(stream.subject[number]))
        )
        fold.apply(stored)
        return stored

    whole, without = (empty_fold(log, Pseudonyms(bytes(32)), Settings(), None) for _ in range(2))
    forgotten = told(whole, lambda subject: subject == 7)
    told(whole, lambda subject: subject != 7)
    told(without, lambda subject: subject != 7)
    before = tasted(whole).model.state()
    whole.retract(forgotten)
    after, never = tasted(whole).model.state(), tasted(without).model.state()
    for name, array in never.items():
        np.testing.assert_array_equal(after[name], array)
    assert not np.array_equal(before["values"], after["values"])


def test_a_stale_taste_goes_where_nothing_is_left_to_learn_from(folder: Path, tmp_path: Path) -> None:
    taste_beside(folder)
    shelf = shelf_of(folder)
    shelf.forget()
    with Heedful(settings=Settings()) as empty, pytest.raises(Invalid, match="too few"):
        fit_taste(empty.engine.fold, "", shelf)
    assert shelf.in_force(TASTE) is None


def test_a_taste_is_due_sooner_than_a_ranker_and_each_by_its_own_schedule(folder: Path) -> None:
    models = Models(shelf_of(folder), lambda: False, every=2_000)
    assert [models.due(place) for place in (0, 99, 100)] == ["", "", TASTE]
    models.begun(TASTE, 1_950)
    assert models.due(2_000) == RANKER
    models.begun(RANKER, 2_000)
    assert [models.due(place) for place in (2_144, 2_145, 4_000)] == ["", TASTE, TASTE]
    models.begun(TASTE, 4_000)
    assert models.due(4_000) == RANKER
    taste_beside(folder)
    known = Models(shelf_of(folder), lambda: False, every=2_000)
    assert known.due(4 * PEOPLE + 99) == ""
    assert known.due(4 * PEOPLE + 100) == TASTE


def test_in_a_replay_a_taste_knows_nothing_of_what_comes_later(folder: Path) -> None:
    with Heedful(folder, clock=FixedClock(OPENED), settings=Settings(holdout=0.0)) as shop:
        fold = shop.engine.fold
        early, late = Refitted(fold, least=1), Refitted(fold, least=1)
        assert early(Instant(OPENED - 31 * DAY)) is None
        model = late(OPENED)
        assert model is not None
        assert late(OPENED) is model
        pipeline = Pipelines(fold, taste=late).of(Placement(name="own", sources={"taste": 1.0}))
        assert pipeline.model == "blend"
        assert late.fits == 1


def test_a_taste_is_no_ranker_of_a_placement(folder: Path) -> None:
    said = heedful("models", "fit", "--data", folder, "--kind", "taste", "--placement", "home")
    assert said.code != 0
    assert heedful("models", "fit", "--data", folder, "--kind", "taste").out.split()[1:] == [
        "is", "in", "force", "as", "taste",
    ]  # fmt: skip


def test_no_taste_is_fitted_where_no_placement_that_was_asked_goes_by_one(folder: Path) -> None:
    (folder / "settings.toml").write_text("[models]\nfit_every = 2_000\n")
    with Heedful(folder, clock=FixedClock(OPENED)) as shop:
        models, place = shop.engine.models, shop.engine.place()
        assert models is not None
        shop.recommend("p1")
        assert models.due(place) == ""
        shop.recommend("p1", placement="own")
        assert models.due(place) == TASTE


def test_a_ranker_learns_what_taste_says_from_tastes_as_old_as_those_it_will_meet(tmp_path: Path) -> None:
    with Heedful(tmp_path, clock=FixedClock(OPENED), settings=Settings(holdout=0.0)) as shop:
        shop.send("import", {"batch": views(400)})
        shop.put_placement("own", sources={"taste": 1.0, "trending_7d": 0.1})
        taste = taste_beside(tmp_path)
        verdict = fit_beside(tmp_path, kind="linear", placement="own")
        ranker = ranker_of(shelf_of(tmp_path), verdict.version)
        carried = ranker.importance()
        assert carried["taste_score"] + carried["taste_place"] > 0.1
        assert shop.engine.models is not None and shop.engine.models.look()
        decision = shop.decision(shop.recommend("p1", placement="own").decision_id)
        assert (decision.model, decision.taste) == (verdict.version.id, taste.id)


def test_taste_is_learned_from_nobody_who_does_not_allow_learning() -> None:
    with Heedful(clock=FixedClock(OPENED)) as shop:
        shop.send("import", {"batch": views()})
        everybody = len(tasted(shop.engine.fold).sample.starts) - 1
        for person in range(0, PEOPLE, 2):
            shop.consent({"learning": False}, user_id=f"p{person}")
        assert len(tasted(shop.engine.fold).sample.starts) - 1 == everybody - PEOPLE // 2
