"""`heedful vault`: what it says of the keys, and what it changes, beside a running server too."""

from __future__ import annotations

import json
from pathlib import Path

from heedful.compose import Heedful, rotating
from heedful.services.verify import Verification
from heedful.vault.secret import installation_secret
from tests.faces.cli.command import heedful
from tests.faces.cli.serving import SECRET, WRITE, Serving


def views(where: Path, *people: str) -> None:
    with Heedful(where) as shop:
        for who in people:
            shop.track("Product Viewed", user_id=who, properties={"product_id": "tent"})


def verified(where: Path) -> Verification:
    with Heedful(where) as shop:
        return shop.engine.verify()


def test_the_status_says_what_there_is_and_no_key(tmp_path: Path) -> None:
    views(tmp_path, "ann", "bob")
    said = heedful("vault", "status", "--data", tmp_path, "--json")
    assert said.code == 0
    told = said.json
    assert told["master"]["kind"] == "file"
    assert (told["living"], told["destroyed"], told["rotating"], told["wiped"]) == (2, 0, False, True)
    assert [key["number"] for key in told["wrapping"]] == [1]
    secret = installation_secret(tmp_path / "master.1.key")
    assert secret.hex() not in said.out
    assert "data keys" in heedful("vault", "status", "--data", tmp_path).out


def test_without_its_key_store_a_folder_has_no_keys_to_show(tmp_path: Path) -> None:
    assert heedful("vault", "status", "--data", tmp_path).code == 2


def test_the_master_key_is_changed_and_the_old_file_is_removed_when_asked(tmp_path: Path) -> None:
    views(tmp_path, "ann", "bob")
    assert heedful("vault", "rotate", "--data", tmp_path).code == 0
    assert (tmp_path / "master.1.key").exists()
    views(tmp_path, "cat")
    assert heedful("vault", "rotate", "--data", tmp_path, "--remove-old").code == 0
    assert [path.name for path in tmp_path.glob("master.*")] == ["master.3.key"]
    told = heedful("vault", "status", "--data", tmp_path, "--json").json
    assert (told["living"], [key["number"] for key in told["wrapping"]]) == (3, [3])
    assert verified(tmp_path).agrees


def test_a_rotation_that_was_cut_off_is_finished_by_the_next_one_and_by_the_next_start(
    tmp_path: Path,
) -> None:
    views(tmp_path, *(f"p{number}" for number in range(8)))
    for again in (True, False):
        with rotating(tmp_path) as service:
            assert service._folder is not None
            service._vault.wrapping.masters = service._folder.add()
            service._vault.rotation.begin()
            service._vault.rotation.step(3)
            assert service.status().rotating
        if again:
            assert heedful("vault", "rotate", "--data", tmp_path).code == 0
            assert len(list(tmp_path.glob("master.*"))) == 2  # finished, not begun anew
        else:
            server = Serving(tmp_path)
            for _ in range(100):
                if not heedful("vault", "status", "--data", tmp_path, "--json").json["rotating"]:
                    break
            else:
                raise AssertionError("the server never finished it")
            assert server.stop()[0] == 0
    assert verified(tmp_path).agrees


def test_a_running_server_goes_on_through_rotations_that_another_process_makes(tmp_path: Path) -> None:
    server = Serving(tmp_path)
    connection = server.connect()

    def view(who: str) -> int:
        body = json.dumps({
            "userId": who, "event": "Product Viewed", "properties": {"product_id": "tent"}, "writeKey": WRITE,
        })  # fmt: skip
        connection.request("POST", "/v1/track", body)
        answer = connection.getresponse()
        assert json.loads(answer.read())["events"][0]["status"] == "accepted"
        return answer.status

    assert view("ann") == 200
    assert heedful("vault", "rotate", "--data", tmp_path, "--remove-old").code == 0
    assert [view("ann"), view("bob")] == [200, 200]
    assert heedful("vault", "rotate", "--data", tmp_path, "--data-keys-before", "now").code == 0
    assert [view("ann"), view("bob"), view("cat")] == [200] * 3
    told = heedful("vault", "status", "--data", tmp_path, "--json").json
    assert told["living"] == 5  # two generations of ann and bob, one of cat
    connection.request("POST", "/v1/recommend", '{"userId": "ann"}', {"Authorization": f"Bearer {SECRET}"})
    assert connection.getresponse().read()
    connection.close()
    assert server.stop()[0] == 0
    assert verified(tmp_path).agrees


def test_a_moment_that_is_none_is_asked_wrongly(tmp_path: Path) -> None:
    views(tmp_path, "ann")
    said = heedful("vault", "rotate", "--data", tmp_path, "--data-keys-before", "yesterday")
    assert said.code == 2 and "yesterday" in said.err
    assert heedful("vault", "rotate", "--data", tmp_path, "--data-keys-before", "2020-01-01").code == 0
    views(tmp_path, "ann")
    assert heedful("vault", "status", "--data", tmp_path, "--json").json["living"] == 1
