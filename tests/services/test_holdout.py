"""Who is held out: the right share, for good, by a lot of its own; and what they get."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heedful.compose import Heedful, read_settings
from heedful.services.holdout import Holdout
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.errors import SettingsError
from heedful.vocabulary.ids import NOBODY
from heedful.vocabulary.settings import Settings
from tests.services.shop import Shop, ids_of
from tests.services.test_recommend import decisions_of

MANY = 20_000
KEYED = Pseudonyms(b"k" * 32)
PEOPLE = [KEYED.user(f"u{number}") for number in range(MANY)]


def test_a_share_of_everybody_is_held_out() -> None:
    for share in (0.01, 0.05, 0.5):
        held = sum(map(Holdout(KEYED, share).holds, PEOPLE))
        assert abs(held - share * MANY) < 5 * (MANY * share * (1 - share)) ** 0.5


def test_who_is_held_out_stays_so_and_at_every_larger_share_too() -> None:
    small = {person for person in PEOPLE if Holdout(Pseudonyms(b"k" * 32), 0.05).holds(person)}
    large = {person for person in PEOPLE if Holdout(KEYED, 0.2).holds(person)}
    assert small == {person for person in PEOPLE if Holdout(KEYED, 0.05).holds(person)}
    assert small < large
    assert large == {person for person in PEOPLE if Holdout(KEYED, 0.05).holds(person, 0.2)}


def test_nobody_in_particular_is_never_held_out_and_a_share_of_0_holds_nobody() -> None:
    assert not Holdout(KEYED, 0.5).holds(NOBODY)
    assert not any(map(Holdout(KEYED, 0.0).holds, PEOPLE))
    assert not any(Holdout(KEYED, 0.5).holds(person, 0.0) for person in PEOPLE)


def test_lots_of_different_salts_and_keys_are_independent() -> None:
    mine = np.array([KEYED.lot("holdout", person) for person in PEOPLE]) / 2**64
    others = [
        np.array([KEYED.lot("experiment:7", person) for person in PEOPLE]) / 2**64,
        np.array([Pseudonyms(b"l" * 32).lot("holdout", person) for person in PEOPLE]) / 2**64,
        np.array([int.from_bytes(person[:8], "little") for person in PEOPLE]) / 2**64,
    ]
    for other in others:
        assert abs(np.corrcoef(mine, other)[0, 1]) < 5 / MANY**0.5
        both = np.count_nonzero((mine < 0.05) & (other < 0.05))
        assert abs(both - 0.0025 * MANY) < 5 * (0.0025 * MANY) ** 0.5


def half_held(where: Path) -> Heedful:
    """A shop where every second person is held out, and walkers look at boots and maps."""
    client = Heedful(where, settings=Settings(holdout=0.5))
    for number in range(4):
        client.track("Product Viewed", user_id=f"c{number}", properties={"product_id": "tent"})
    for number in range(2):
        for item in ("boots", "map"):
            client.track("Product Viewed", user_id=f"w{number}", properties={"product_id": item})
    return client


def one_of_each(client: Heedful) -> tuple[str, str]:
    """Somebody who is held out, and somebody who is not."""
    engine, names = client.engine, [f"p{number}" for number in range(200)]
    pseudonyms, holdout = engine.recommending._pseudonyms, engine.recommending._holdout
    held = next(name for name in names if holdout.holds(pseudonyms.user(name)))
    return held, next(name for name in names if not holdout.holds(pseudonyms.user(name)))


def test_who_is_held_out_gets_what_is_popular_whatever_they_did(tmp_path: Path) -> None:
    with half_held(tmp_path) as client:
        held, served = one_of_each(client)
        for who in (held, served):
            client.track("Product Viewed", user_id=who, properties={"product_id": "boots"})
        answer, other = (client.recommend(who, explain=True) for who in (held, served))
        assert ids_of(other)[0] == "map"
        assert other.personalized
        assert ids_of(answer)[0] == "tent"
        assert not answer.personalized
        assert {item.reason.code for item in answer.items} == {"popular"}
        assert answer.trace is not None
        assert other.trace is not None
        assert (answer.trace["holdout"], other.trace["holdout"]) == (True, False)
        on_a_page = client.recommend(held, item_id="boots")
        assert ids_of(on_a_page) == ids_of(answer)


def test_what_a_held_out_person_hid_or_has_is_kept_from_them_all_the_same(tmp_path: Path) -> None:
    with half_held(tmp_path) as client:
        held, _ = one_of_each(client)
        client.track("hide", user_id=held, properties={"product_id": "tent"})
        client.track(
            "Order Completed", user_id=held,
            properties={"order_id": "o1", "products": [{"product_id": "boots"}]},
        )  # fmt: skip
        assert ids_of(client.recommend(held)) == ["map"]


def test_rules_hold_for_who_is_held_out(tmp_path: Path) -> None:
    with half_held(tmp_path) as client:
        held, _ = one_of_each(client)
        client.put_placement(
            "home",
            rules=[
                {"rule": "pin", "name": "p", "item": "map", "place": 1},
                {"rule": "exclude", "name": "e", "where": {"field": "id", "op": "eq", "value": "tent"}},
            ],
        )
        assert ids_of(client.recommend(held, placement="home")) == ["map", "boots"]


def test_a_placement_can_have_a_share_of_its_own_and_a_preview_holds_nobody_out(tmp_path: Path) -> None:
    with half_held(tmp_path) as client:
        held, _ = one_of_each(client)
        client.track("Product Viewed", user_id=held, properties={"product_id": "boots"})
        client.put_placement("basket", holdout=0.0)
        assert client.recommend(held, placement="basket").personalized
        assert not client.recommend(held, placement="home").personalized
        preview = client.preview_placement("home", {}, held)
        assert preview.draft.personalized
        assert preview.in_force.personalized


def test_the_decision_says_who_was_held_out() -> None:
    shop = Shop()
    shop.put_placement("home", holdout=0.5)
    for number in range(40):
        shop.recommend(f"p{number}", placement="home")
        shop.recommend(placement="home")
    said = [(subject, kept.holdout) for subject, _, kept in decisions_of(shop)]
    holdout = shop.engine.recommending._holdout
    assert said == [(subject, holdout.holds(subject, 0.5)) for subject, _ in said]
    assert {held for _, held in said} == {True, False}


def test_the_default_is_one_in_twenty_and_memory_holds_nobody_out(tmp_path: Path) -> None:
    assert read_settings(tmp_path).holdout == 0.05
    with Heedful(tmp_path) as client:
        assert client.engine.recommending._holdout.share == 0.05
    with Heedful() as client:
        assert client.engine.recommending._holdout.share == 0.0


@pytest.mark.parametrize("share", ["-0.1", "0.6", "nan", '"much"'])
def test_a_share_out_of_range_stops_the_start(tmp_path: Path, share: str) -> None:
    (tmp_path / "settings.toml").write_text(f"holdout = {share}\n")
    with pytest.raises(SettingsError, match="holdout"):
        read_settings(tmp_path)
