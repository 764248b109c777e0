"""`heedful flags`: defined, shown, switched and evaluated at a terminal."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faces.cli.command import heedful


def test_a_flag_from_a_file_to_its_value(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "button.json"
    data.mkdir()
    rules = [{"id": "north", "condition": {"country": "DE"}, "serve": "on"}]
    file.write_text(json.dumps({"default": "off", "rules": rules}))

    def flags(*arguments: object) -> tuple[int, str]:
        said = heedful("flags", *arguments, "--data", data)
        return said.code, said.out + said.err

    assert flags("set", "button", "--file", file, "--note", "first") == (0, "button is at version 1.\n")
    assert "button" in flags("list")[1]
    shown = json.loads(flags("show", "button")[1])
    assert (shown["default"], shown["rules"][0]["id"]) == ("off", "north")
    told = json.loads(flags("evaluate", "button", "--context", '{"country": "DE"}', "--json")[1])
    assert (told["button"]["value"], told["button"]["reason"]) == (True, "TARGETING_MATCH")
    assert "TARGETING_MATCH" in flags("evaluate", "--user", "ada", "--context", '{"country": "DE"}')[1]
    assert flags("set", "button", "--off") == (0, "button is at version 2.\n")
    assert json.loads(flags("evaluate", "button", "--json")[1])["button"]["reason"] == "DISABLED"
    assert [one["version"] for one in json.loads(flags("show", "button", "--versions")[1])] == [2, 1]
    file.write_text('{"default": "never"}')
    assert flags("set", "button", "--file", file)[0] == 2
    file.write_text("[]")
    assert flags("set", "button", "--file", file)[0] == 2
    assert flags("evaluate", "nothing")[0] == 2
    assert flags("evaluate", "--context", "DE")[0] == 2
    assert flags("set", "nothing", "--on")[0] == 1
