"""A shelf says what is in force and what was before, and a damaged file is told, never believed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from heedful.models.kinds import ranker_in_force, ranker_of
from heedful.models.linear import Linear
from heedful.models.shelf import Facts, Shelf, State, Version
from heedful.objects.folder import Folder
from heedful.vocabulary.errors import Corrupt, Invalid, NotFound
from heedful.vocabulary.time import FixedClock, Instant

FACTS = Facts(kind="linear", position="p1", settings={"ridge": 0.1}, seed=7, features=("a", "b"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(Folder(tmp_path / "models"), FixedClock(Instant(0)))


def linear(weight: float) -> Linear:
    return Linear(("a", "b"), np.array([weight, 1.0]), np.ones(2))


def kept(shelf: Shelf, weight: float, *, position: str = "p1", place: str = "ranker") -> Version:
    facts = msgspec.structs.replace(FACTS, position=position, place=place)
    return shelf.add(facts, linear(weight).arrays())


def states(shelf: Shelf) -> list[State]:
    return [one.state for one in shelf.list()]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_model_that_was_kept_is_the_same_and_the_same_fit_is_the_same_file(
    shelf: Shelf, tmp_path: Path
) -> None:
    first = kept(shelf, 2.0)
    assert (first.state, first.facts, first.created) == (
        State.CANDIDATE,
        FACTS,
        "1970-01-01T00:00:00.000000Z",
    )
    content = (tmp_path / "models" / f"model-{first.id}").read_bytes()
    elsewhere = Shelf(Folder(tmp_path / "other"))
    assert kept(elsewhere, 2.0).id == first.id
    assert (tmp_path / "other" / f"model-{first.id}").read_bytes() == content
    assert kept(shelf, 2.0) == first
    assert len(shelf.list()) == 1
    assert kept(shelf, 2.0, position="p2").id != first.id
    ranker = ranker_of(shelf, first)
    assert ranker.arrays()["weights"].tolist() == [2.0, 1.0]


def test_promoting_replaces_and_rolling_back_returns_until_none_is_left(shelf: Shelf) -> None:
    one, two, three = (kept(shelf, weight) for weight in (1.0, 2.0, 3.0))
    assert shelf.in_force() is None
    shelf.promote(one.id)
    assert shelf.promote(two.id[:6]).state is State.IN_FORCE
    assert states(shelf) == [State.RETIRED, State.IN_FORCE, State.CANDIDATE]
    shelf.promote(three.id)
    back = shelf.rollback()
    assert back is not None
    assert (back.id, back.state) == (two.id, State.IN_FORCE)
    assert states(shelf) == [State.RETIRED, State.IN_FORCE, State.RETIRED]
    back = shelf.rollback()
    assert back is not None and back.id == one.id
    assert shelf.rollback() is None
    assert shelf.in_force() is None
    with pytest.raises(NotFound, match="no model is in force"):
        shelf.rollback()


def test_each_place_has_a_model_of_its_own(shelf: Shelf) -> None:
    ranker, taste = kept(shelf, 1.0), kept(shelf, 1.0, place="taste")
    shelf.promote(ranker.id)
    shelf.promote(taste.id)
    assert states(shelf) == [State.IN_FORCE, State.IN_FORCE]
    assert shelf.rollback("taste") is None
    assert states(shelf) == [State.IN_FORCE, State.RETIRED]


def test_what_replay_said_is_kept_with_what_it_was_compared_with(shelf: Shelf) -> None:
    one, two = kept(shelf, 1.0), kept(shelf, 2.0)
    shelf.measured(two.id, {"mrr": 0.4}, against=one.id, compared={"mrr": 0.3})
    found = shelf.find(two.id)
    assert (found.metrics, found.against, found.compared) == ({"mrr": 0.4}, one.id, {"mrr": 0.3})
    with pytest.raises(NotFound):
        shelf.measured("nothing", {})
    with pytest.raises(NotFound, match="no models"):
        shelf.find("")


def test_after_a_forgetting_no_model_that_learned_before_is_promoted_or_rolled_back_to(shelf: Shelf) -> None:
    one, two = kept(shelf, 1.0), kept(shelf, 2.0)
    shelf.promote(one.id)
    era = shelf.era()
    assert shelf.forget() == [one.id, two.id]
    assert states(shelf) == [State.IN_FORCE, State.STALE], "the one in force answers until it is replaced"
    assert shelf.find(one.id).stale
    with pytest.raises(Invalid, match="forgotten"):
        shelf.promote(two.id)
    before = shelf.add(msgspec.structs.replace(FACTS, position="p3"), linear(3.0).arrays(), era=era)
    assert before.state is State.STALE, "its examples were read before the forgetting"
    after = shelf.add(msgspec.structs.replace(FACTS, position="p4"), linear(4.0).arrays(), era=shelf.era())
    shelf.promote(after.id)
    assert shelf.rollback() is None
    assert shelf.prune() == sorted([one.id, two.id, before.id])
    assert [version.id for version in shelf.list()] == [after.id]


def test_pruning_keeps_the_newest_the_one_in_force_and_the_one_before(shelf: Shelf, tmp_path: Path) -> None:
    versions = [kept(shelf, float(weight)) for weight in range(6)]
    for version in versions[:3]:
        shelf.promote(version.id)
    (tmp_path / "models" / "model-unknown").write_bytes(b"of no ledger")
    gone = shelf.prune(keep=2)
    assert set(gone) == {versions[0].id, versions[3].id, "unknown"}
    assert [version.id for version in shelf.list()] == [versions[place].id for place in (1, 2, 4, 5)]
    back = shelf.rollback()
    assert back is not None and back.id == versions[1].id
    assert sorted(Folder(tmp_path / "models").names("model-")) == sorted(
        f"model-{one.id}" for one in shelf.list()
    )


def test_a_damaged_model_is_told_and_serving_goes_on_without(shelf: Shelf, tmp_path: Path) -> None:
    one, two = kept(shelf, 1.0), kept(shelf, 2.0)
    assert ranker_in_force(shelf) == (None, None, "")
    shelf.promote(one.id)
    shelf.promote(two.id)
    version, ranker, trouble = ranker_in_force(shelf)
    assert version is not None and ranker is not None
    assert (version.id, ranker.arrays()["weights"][0], trouble) == (two.id, 2.0, "")
    damage(tmp_path / "models" / f"model-{two.id}")
    version, ranker, trouble = ranker_in_force(shelf)
    assert (version, ranker) == (None, None)
    assert "damaged" in trouble and two.id in trouble
    with pytest.raises(Corrupt, match="damaged"):
        shelf.promote(two.id)
    back = shelf.rollback()
    assert back is not None and back.id == one.id
    (tmp_path / "models" / f"model-{one.id}").unlink()
    assert "gone" in ranker_in_force(shelf).trouble
    assert kept(shelf, 2.0).id == two.id
    assert shelf.promote(two.id).state is State.IN_FORCE, "fitting it again mends its file"


@pytest.mark.parametrize("broken", [b"", b"{", b'{"sha256":"00","ledger":{}}', b"\xff\xfe", b"[]"])
def test_a_damaged_ledger_is_told_serving_goes_on_and_the_next_fit_begins_another(
    shelf: Shelf, tmp_path: Path, broken: bytes
) -> None:
    one = kept(shelf, 1.0)
    shelf.promote(one.id)
    (tmp_path / "models" / "ledger.json").write_bytes(broken)
    assert "damaged" in ranker_in_force(shelf).trouble
    for ask in (shelf.list, shelf.rollback, lambda: shelf.promote(one.id), lambda: shelf.find(one.id)):
        with pytest.raises(Corrupt, match="fit again"):
            ask()
    two = kept(shelf, 2.0)
    assert [version.id for version in shelf.list()] == [two.id], "nobody knows whether the first is stale"
    assert (tmp_path / "models" / "ledger.damaged").read_bytes() == broken
    assert shelf.prune() == [one.id]


def test_a_ledger_that_somebody_edited_is_damaged(shelf: Shelf, tmp_path: Path) -> None:
    one = kept(shelf, 1.0)
    path = tmp_path / "models" / "ledger.json"
    value = json.loads(path.read_bytes())
    value["ledger"]["lines"] = {"ranker": [one.id]}
    path.write_text(json.dumps(value))
    with pytest.raises(Corrupt, match="checksum"):
        shelf.list()


def test_a_kind_that_this_program_does_not_know_is_told(shelf: Shelf) -> None:
    version = shelf.add(msgspec.structs.replace(FACTS, kind="oracle"), linear(1.0).arrays())
    shelf.promote(version.id)
    assert "oracle" in ranker_in_force(shelf).trouble


def test_a_change_by_another_process_is_seen_and_none_is_lost(shelf: Shelf, tmp_path: Path) -> None:
    kept(shelf, 1.0)
    before = shelf.stamp()
    program = (
        "import sys; from pathlib import Path; from tests.models.test_shelf import *\n"
        "shelf = Shelf(Folder(Path(sys.argv[1])))\n"
        "for n in range(10): kept(shelf, float(sys.argv[2]) + n)"
    )
    others = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "models"), str(start)],
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        for start in (100, 200)
    ]
    for number in range(10):
        kept(shelf, 300.0 + number)
    assert [other.wait(60) for other in others] == [0, 0]
    assert len(shelf.list()) == 31
    assert shelf.stamp() != before
