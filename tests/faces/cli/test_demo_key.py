"""The visitor that the demo speaks of sees what learning does: no draw of the key puts them into the holdout."""

from __future__ import annotations

from pathlib import Path

from heedful.faces.cli.demo import _let_everybody_see
from heedful.services.holdout import Holdout
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vault.secret import installation_secret


def test_the_visitor_of_a_new_shop_is_not_held_out(tmp_path: Path) -> None:
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        _let_everybody_see(folder)
        pseudonyms = Pseudonyms(installation_secret(folder / "pseudonym.key", create=False))
        assert not Holdout(pseudonyms, 0.5).holds(pseudonyms.anonymous("you"))


def test_a_key_that_is_there_stays(tmp_path: Path) -> None:
    keys = []
    for number in range(8):  # of eight random keys some would hold the visitor out
        folder = tmp_path / str(number)
        folder.mkdir()
        key = installation_secret(folder / "pseudonym.key")
        _let_everybody_see(folder)
        keys.append(key == installation_secret(folder / "pseudonym.key"))
    assert all(keys)
