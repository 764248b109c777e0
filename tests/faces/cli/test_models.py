"""`heedful models`: what there is, what is in force, and one command back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heedful.compose import Heedful
from heedful.models.linear import Linear
from heedful.models.shelf import Facts, Shelf, Version
from heedful.objects.folder import Folder
from heedful.vocabulary.time import DAY, MINUTE, Instant, iso
from tests.faces.cli.command import heedful
from tests.services.fit.histories import rounds


@pytest.fixture
def versions(tmp_path: Path) -> list[Version]:
    """Two fitted models in a data folder, none of them promoted."""
    shelf = Shelf(Folder(tmp_path / "models"))
    found = []
    for weight in (3.0, 1.0):
        linear = Linear(("likes", "price"), np.array([weight, -1.0]), np.ones(2))
        facts = Facts("linear", "p1", {"ridge": 0.1}, 7, linear.features, {"groups": 12})
        found.append(shelf.add(facts, linear.arrays()))
    shelf.measured(found[1].id, {"mrr": 0.41}, against=found[0].id, compared={"mrr": 0.39})
    return found


def test_models_are_listed_with_their_state_and_what_replay_said(
    versions: list[Version], tmp_path: Path
) -> None:
    listed = heedful("models", "list", "--data", tmp_path, "--json").json
    assert [one["id"] for one in listed] == [one.id for one in versions]
    assert {one["state"] for one in listed} == {"candidate"}
    assert listed[1]["metrics"] == {"mrr": 0.41}
    said = heedful("models", "list", "--data", tmp_path)
    assert said.code == 0
    assert "candidate" in said.out


def test_a_model_is_shown_with_what_carries_it(versions: list[Version], tmp_path: Path) -> None:
    shown = heedful("models", "show", versions[0].id, "--data", tmp_path, "--json").json
    assert shown["importance"] == {"likes": 0.75, "price": 0.25}
    assert shown["facts"]["settings"] == {"ridge": 0.1}
    said = heedful("models", "show", versions[1].id[:8], "--data", tmp_path).out
    assert "mrr 0.41" in said
    assert "mrr 0.39" in said
    assert "likes" in said


def test_promoting_and_one_command_back(versions: list[Version], tmp_path: Path) -> None:
    one, two = versions
    assert heedful("models", "promote", one.id, "--data", tmp_path).out.split()[0] == one.id
    assert heedful("models", "promote", two.id, "--data", tmp_path, "--json").json["state"] == "in force"
    assert heedful("models", "rollback", "--data", tmp_path, "--json").json["id"] == one.id
    assert heedful("models", "rollback", "--data", tmp_path, "--json").json is None
    again = heedful("models", "rollback", "--data", tmp_path, "--place", "ranker")
    assert (again.code, "no model is in force" in again.err) == (1, True)


def test_what_cannot_be_done_is_said(versions: list[Version], tmp_path: Path) -> None:
    unknown = heedful("models", "show", "ffffffffffffffffff", "--data", tmp_path)
    assert (unknown.code, "no models" in unknown.err) == (1, True)
    missing = heedful("models", "list", "--data", tmp_path / "nowhere")
    assert (missing.code, "no folder" in missing.err) == (1, True)
    Shelf(Folder(tmp_path / "models")).forget()
    stale = heedful("models", "promote", versions[0].id, "--data", tmp_path)
    assert (stale.code, "forgotten" in stale.err) == (2, True)
    (tmp_path / "models" / "ledger.json").write_bytes(b"{")
    damaged = heedful("models", "list", "--data", tmp_path)
    assert damaged.code == 1
    assert "fit again" in " ".join(damaged.err.split())


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A data folder whose people go round four things of their own."""
    with Heedful(tmp_path) as shop:
        calls = [
            {
                "type": "track", "userId": who, "event": "Product Viewed", "messageId": f"m{number}",
                "timestamp": iso(Instant(DAY + minutes * MINUTE)), "properties": {"product_id": item},
            }
            for number, (who, item, minutes) in enumerate(rounds(35))
        ]  # fmt: skip
        shop.send("import", {"batch": calls})
    return tmp_path


def test_a_fit_says_what_is_in_force_now_and_how_it_was_judged(shop: Path) -> None:
    said = heedful("models", "fit", "--data", shop, "--kind", "linear")
    assert (said.code, said.err) == (0, "")
    assert "is in force" in said.out
    assert {"fitted", "blend", "gain"} <= set(said.out.replace("│", " ").split())
    (listed,) = heedful("models", "list", "--data", shop, "--json").json
    assert listed["state"] == "in force"
    assert listed["id"] in said.out
    again = heedful("models", "fit", "--data", shop, "--kind", "linear", "--seed", "8", "--json").json
    assert again["promoted"] is True
    assert again["version"]["against"] == listed["id"]
    assert again["version"]["metrics"]["mrr"] > 0.9


def test_a_fit_of_nothing_says_so(tmp_path: Path) -> None:
    Heedful(tmp_path).close()
    said = heedful("models", "fit", "--data", tmp_path)
    assert said.code == 2
    assert "learn from" in said.err
    assert heedful("models", "list", "--data", tmp_path, "--json").json == []
    assert heedful("models", "fit", "--data", tmp_path, "--placement", "nowhere").code == 1
    assert heedful("models", "fit", "--data", tmp_path / "mistyped").code == 1
