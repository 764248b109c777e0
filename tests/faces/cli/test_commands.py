"""Commands: exit codes 0, 1 and 2, JSON that parses, and errors that say what to do."""

from __future__ import annotations

import gzip
import json
import stat
from pathlib import Path

import pytest
import zstandard

from tests.faces.cli.command import heedful

HEAD = "Invoice,Code,Title,N,At,P,Who\n"
ROWS = (
    "i1,tent,Tent,2,01/12/2010 08:26,20.50,ada\n"
    "i1,lamp,Lamp,1,01/12/2010 08:26,3.00,ada\n"
    "i1,lamp,Lamp,1,01/12/2010 08:26,3.00,ada\n"
    "c2,tent,Tent,-2,02/12/2010 09:00,20.50,ada\n"
    "i3,map,Map,1,02/12/2010 10:00,1.00,\n"
    "i4,POST,Postage,1,02/12/2010 10:00,1.00,bo\n"
)
MAPPING = (
    "--map", "order=Invoice", "--map", "item=Code", "--map", "title=Title", "--map", "quantity=N",
    "--map", "time=At", "--map", "price=P", "--map", "user=Who", "--event", "Order Completed",
    "--time-format", "%d/%m/%Y %H:%M", "--zone", "Europe/London", "--currency", "GBP", "--skip", "Code=POST,M",
)  # fmt: skip


def test_importing_accounts_for_every_line(history: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    said = heedful("import", history, "--data", data, "--json")
    assert said.code == 0
    counts = said.json[str(history)]
    assert counts == {
        "lines": 42, "accepted": 40, "duplicate": 0, "refused": 1, "skipped": 1, "reasons": {"json_invalid": 1},
    }  # fmt: skip
    (refused,) = map(json.loads, (data / "refused-history.jsonl.jsonl").read_text().splitlines())
    assert (refused["line"], refused["code"], refused["text"]) == (41, "json_invalid", "{not json")
    again = heedful("import", history, "--data", data, "--json").json[str(history)]
    assert (again["accepted"], again["duplicate"]) == (0, 40)


def test_importing_says_in_words_what_became_of_the_lines(history: Path, tmp_path: Path) -> None:
    said = heedful("import", history, "--data", tmp_path / "data")
    assert said.code == 0
    assert "42 lines" in said.out
    assert "json_invalid" in said.out
    assert "refused-history" in said.err.replace("\n", "")


def test_a_table_is_brought_in_with_its_catalogue(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(HEAD + ROWS, encoding="utf-8-sig")
    data = tmp_path / "data"
    counts = heedful("import", file, "--data", data, "--json", *MAPPING).json[str(file)]
    assert counts == {
        "lines": 6, "accepted": 4, "duplicate": 0, "refused": 1, "skipped": 1, "reasons": {"subject_missing": 1},
    }  # fmt: skip
    again = heedful("import", file, "--data", data, "--json", *MAPPING).json[str(file)]
    assert (again["accepted"], again["duplicate"]) == (0, 4)
    said = heedful("recommend", "--data", data, "--as-of", "2010-12-03T00:00:00Z")
    assert said.code == 0
    assert "Lamp" in said.out
    asked = ("--user", "ada", "--as-of", "2010-12-03T00:00:00Z", "--explain", "--json")
    shown = heedful("recommend", "--data", data, *asked).json
    owned = set(shown["trace"]["removed"].get("owned", []))
    assert owned <= {"lamp"}  # the tents went back
    assert "map" in [item["itemId"] for item in shown["items"]]


def test_an_id_as_long_as_ids_may_be_is_described_too(tmp_path: Path) -> None:
    file = tmp_path / ("f" * 200 + ".csv")
    file.write_text(f"Who,Code,Title\nada,{'x' * 200},Long\n")
    said = heedful("import", file, "--data", tmp_path / "data", "--json",
                   "--map", "user=Who", "--map", "item=Code", "--map", "title=Title")  # fmt: skip
    assert said.code == 0
    assert said.json[str(file)]["accepted"] == 1
    shown = heedful("recommend", "--data", tmp_path / "data")
    assert "Long" in shown.out


@pytest.mark.parametrize("form", ["gz", "zst", "gz twice", "zst twice"])
def test_compressed_files_are_read_to_their_end(history: Path, tmp_path: Path, form: str) -> None:
    content = history.read_bytes()
    middle = content.index(b"\n", len(content) // 2) + 1
    parts = [content[:middle], content[middle:]] if form.endswith("twice") else [content]
    ending = form.split(maxsplit=1)[0]
    compress = gzip.compress if ending == "gz" else zstandard.ZstdCompressor().compress
    file = tmp_path / f"packed.jsonl.{ending}"
    file.write_bytes(b"".join(compress(part) for part in parts))
    said = heedful("import", file, "--data", tmp_path / "data", "--json")
    assert said.json[str(file)]["lines"] == 42


@pytest.mark.parametrize("ending", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "not compressed"])
def test_a_damaged_file_is_said_and_what_was_read_stays(
    history: Path, tmp_path: Path, ending: str, damage: str
) -> None:
    compress = gzip.compress if ending == "gz" else zstandard.ZstdCompressor(write_checksum=True).compress
    packed = bytearray(compress(history.read_bytes()))
    match damage:
        case "cut":
            del packed[-9:]
        case "flipped":
            packed[-3] ^= 0x40
        case _:
            packed[:] = history.read_bytes()
    file = tmp_path / f"packed.jsonl.{ending}"
    file.write_bytes(packed)
    said = heedful("import", file, "--data", tmp_path / "data")
    assert said.code == 1
    assert said.err.startswith("heedful: ")
    assert file.name in said.err.replace("\n", "")
    assert heedful("verify", "--data", tmp_path / "data").code == 0


def test_refused_lines_of_several_files_stand_in_one(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.jsonl" for name in "abc"]
    for file, content in zip(files, ("bad a\n", "bad b\n", "\n"), strict=True):
        file.write_text(content)
    kept = tmp_path / "kept.jsonl"
    said = heedful("import", *files, "--data", tmp_path / "data", "--refused", kept)
    assert said.code == 0
    assert [json.loads(line)["text"] for line in kept.read_text().splitlines()] == ["bad a", "bad b"]


def test_a_file_for_refused_lines_that_stands_already_is_not_removed(tmp_path: Path) -> None:
    file = tmp_path / "good.jsonl"
    file.write_text("\n")
    kept = tmp_path / "kept"
    kept.touch()
    said = heedful("import", file, "--data", tmp_path / "data", "--refused", kept)
    assert said.code == 0
    assert kept.exists()
    assert not list((tmp_path / "data").glob("refused*"))


@pytest.mark.parametrize(
    ("arguments", "said_so"),
    [
        ((), "needs --map"),
        (("--map", "item=Nothing", "--map", "user=Who"), "no column"),
        (("--map", "item=Code"), "user"),
        (("--map", "itemCode"), "="),
        (("--map", "item=Code", "--map", "user=Who", "--zone", "Nowhere/Land"), "Nowhere/Land"),
        (("--map", "item=Code", "--map", "user=Who", "--delimiter", ""), "delimiter"),
        (("--map", "item=Code", "--map", "user=Who", "--currency", "pounds"), "currency"),
        (("--map", "item=Code", "--map", "user=Who", "--skip", "Nothing=1"), "no column"),
        (("--unheard-of",), "--unheard-of"),
    ],
)
def test_a_table_that_was_asked_for_wrongly_is_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], said_so: str
) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(HEAD + ROWS)
    said = heedful("import", file, "--data", tmp_path / "data", *arguments)
    assert said.code == 2
    assert said_so in said.err
    assert not list((tmp_path / "data").glob("refused*"))


def test_a_head_that_is_not_utf_8_is_said_readably(tmp_path: Path) -> None:
    file = tmp_path / "latin.csv"
    file.write_bytes("Größe,Code\n".encode("latin-1"))
    said = heedful("import", file, "--data", tmp_path / "data", "--map", "item=Code", "--map", "user=Who")
    assert said.code == 2
    assert "no column 'Who'" in said.err


@pytest.mark.parametrize("what", ["absent.jsonl", "."])
def test_importing_what_is_no_file_is_exit_code_2(tmp_path: Path, what: str) -> None:
    said = heedful("import", tmp_path / what, "--data", tmp_path / "data")
    assert said.code == 2
    assert said.err


@pytest.mark.parametrize("command", ["recommend", "verify", "snapshot"])
def test_a_folder_that_is_not_there_is_said_and_not_made(tmp_path: Path, command: str) -> None:
    said = heedful(command, "--data", tmp_path / "typo")
    assert said.code == 1
    assert "typo" in said.err
    assert not (tmp_path / "typo").exists()


def test_recommending_in_words_and_in_json(history: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    heedful("import", history, "--data", data)
    asked = ("recommend", "--data", data, "--item", "i1", "--limit", "2", "--as-of", "2011-12-05T00:00:00Z")
    answer = heedful(*asked, "--json", "--explain").json
    assert len(answer["items"]) == 2
    assert {"decisionId", "personalized", "position", "degraded", "trace"} <= answer.keys()
    said = heedful(*asked, "--explain")
    assert said.code == 0
    assert answer["items"][0]["itemId"] in said.out
    assert "sessions" in said.out


@pytest.mark.parametrize(
    "arguments",
    [("--limit", "0"), ("--limit", "many"), ("--as-of", "yesterday"), ("--user", "x" * 201), ("--color",)],
)
def test_a_question_that_was_asked_wrongly_is_exit_code_2(
    history: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    heedful("import", history, "--data", tmp_path / "data")
    said = heedful("recommend", "--data", tmp_path / "data", *arguments)
    assert said.code == 2
    assert said.err


def test_verifying_agrees_and_a_broken_log_is_exit_code_1(history: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    heedful("import", history, "--data", data)
    found = heedful("verify", "--data", data, "--json")
    assert found.code == 0
    assert found.json["agrees"] is True
    assert found.json["live"] == found.json["rebuilt"]
    assert found.json["events"] == 40
    said = heedful("verify", "--data", data)
    assert "agrees" in said.out
    log = data / "log.sqlite3"
    content = bytearray(log.read_bytes())
    content[len(content) // 2 : -4_096] = bytes(len(content) - len(content) // 2 - 4_096)
    log.write_bytes(content)
    broken = heedful("verify", "--data", data)
    assert broken.code == 1
    assert broken.err or "DIFFERS" in broken.out


def test_snapshots_are_made_once(history: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    heedful("import", history, "--data", data)
    for file in (data / "snapshots").iterdir():
        file.unlink()
    assert heedful("snapshot", "--data", data).out.startswith("fold-")
    said = heedful("snapshot", "--data", data)
    assert (said.code, said.out) == (0, "nothing new since the last snapshot\n")


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    made = heedful("keys", "create", "--data", tmp_path, "--kind", "write", "--label", "web")
    assert made.code == 0
    assert made.out.startswith("pk_")
    (key,) = heedful("keys", "list", "--data", tmp_path, "--json").json
    assert (key["kind"], key["label"], key["revoked"]) == ("write", "web", "")
    assert made.out.strip() not in json.dumps(key)
    assert key["id"] in heedful("keys", "list", "--data", tmp_path).out.replace("\n", "")
    assert heedful("keys", "revoke", key["id"], "--data", tmp_path).code == 0
    assert heedful("keys", "list", "--data", tmp_path, "--json").json[0]["revoked"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "--kind", "master"), 2),
        (("create", "--label", "a/b"), 2),
        (("revoke", "000000000000"), 1),
        (("revoke",), 2),
        (("burn",), 2),
    ],
)
def test_keys_that_were_asked_for_wrongly(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    said = heedful("keys", *arguments[:1], *arguments[1:], "--data", tmp_path)
    assert said.code == code
    assert said.err


def test_the_doctor_finds_a_healthy_folder_healthy(history: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    heedful("import", history, "--data", data)
    heedful("keys", "create", "--data", data)
    said = heedful("doctor", "--data", data, "--json")
    assert said.code == 0
    assert all(finding["ok"] for finding in said.json)
    assert {"python", "clock", "data folder", "disk", "engine", "log"} <= {
        finding["check"] for finding in said.json
    }


def test_the_doctor_says_what_is_wrong_and_the_mend(history: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    heedful("import", history, "--data", data)
    (data / "pseudonym.key").chmod(0o644)
    said = heedful("doctor", "--data", data, "--json")
    assert said.code == 1
    wrong = {finding["check"]: finding["message"] for finding in said.json if not finding["ok"]}
    assert "chmod 600" in wrong["pseudonym.key"]
    assert heedful("doctor", "--data", tmp_path / "absent").code == 1


def test_bad_settings_are_exit_code_2_and_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("idle_minutes = -1\n")
    said = heedful("recommend", "--data", tmp_path)
    assert said.code == 2
    assert "settings.toml" in said.err.replace("\n", "")


def test_help_is_exit_code_0_and_nothing_is_2() -> None:
    assert heedful("--help").code == 0
    assert heedful("sing").code == 2


def test_the_data_folder_is_for_its_owner_only(history: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    heedful("import", history, "--data", data)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "pseudonym.key").stat().st_mode) == 0o600


def test_an_answer_is_told_again_by_its_id(history: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    heedful("import", history, "--data", data)
    asked = heedful("recommend", "--data", data, "--user", "ada", "--json").json
    told = heedful("decision", asked["decisionId"], "--data", data, "--json")
    assert told.code == 0
    assert [item["itemId"] for item in told.json["items"]] == [item["itemId"] for item in asked["items"]]
    said = heedful("decision", asked["decisionId"], "--data", data)
    assert (said.code, "For ada" in said.out, "policy greedy" in said.out.replace("\n", " ")) == (
        0,
        True,
        True,
    )
    missing = heedful("decision", "nothing", "--data", data)
    assert missing.code == 1
    assert "there is no decision" in missing.err
