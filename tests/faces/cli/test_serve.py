"""`heedful serve`: it listens, answers, drains on a signal, and has its folder to itself."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

from tests.faces.cli.command import heedful
from tests.faces.cli.serving import SECRET, Serving, call, command


def view(who: str, item: str, message: str = "") -> dict[str, Any]:
    said = {"type": "track", "event": "Product Viewed", "userId": who, "properties": {"product_id": item}}
    return {**said, "messageId": message} if message else said


def test_a_click_over_http_changes_the_next_answer_and_outlives_the_server(tmp_path: Path) -> None:
    with Serving(tmp_path) as server:
        connection = server.connect()
        status, answer = call(connection, "/v1/batch", {"batch": [view("ada", "tent"), view("ada", "stove")]})
        assert status == 200
        assert [event["status"] for event in answer["events"]] == ["accepted", "accepted"]
        question = {"userId": "bo", "context": {"itemId": "tent"}, "after": answer["position"]}
        status, shown = call(connection, "/v1/recommend", question, SECRET)
        assert status == 200
        assert [item["itemId"] for item in shown["items"]] == ["stove"]
        assert "behind" not in shown
        code, err = server.stop()
        assert code == 0, err
    with Serving(tmp_path) as server:
        status, shown = call(server.connect(), "/v1/recommend", {"context": {"itemId": "tent"}}, SECRET)
        assert [item["itemId"] for item in shown["items"]] == ["stove"]
        code, err = server.stop(signal.SIGINT)
        assert code == 0, err


def test_a_signal_lets_what_is_under_way_finish(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    failures: list[str] = []

    def send(server: Serving, number: int) -> None:
        connection = server.connect()
        for turn in range(10_000):
            name = f"{number}.{turn}"
            try:
                status, answer = call(connection, "/v1/track", view(f"p{number}", "tent", name))
            except OSError:
                return  # the door is closed; half an answer would be an HTTPException, which is no OSError
            if status == 200:
                acknowledged.append(answer["events"][0]["messageId"])
            elif status != 503:
                failures.append(f"{status} {answer}")

    with Serving(tmp_path) as server:
        senders = [threading.Thread(target=send, args=(server, number)) for number in range(4)]
        for sender in senders:
            sender.start()
        while len(acknowledged) < 50:
            assert server.process.poll() is None
        code, err = server.stop()
        for sender in senders:
            sender.join()
    assert code == 0, err
    assert not failures
    found = command("verify", "--data", tmp_path, "--json")
    assert found.returncode == 0, found.stderr
    with Serving(tmp_path) as server:
        batch = {"batch": [view(f"p{name.split('.')[0]}", "tent", name) for name in acknowledged[:2_000]]}
        _, answer = call(server.connect(), "/v1/batch", batch)
        assert {event["status"] for event in answer["events"]} == {"duplicate"}


def test_a_folder_that_is_served_is_refused_to_others_by_the_servers_pid(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.touch()
    data = tmp_path / "data"
    with Serving(data) as server:
        for second in (("serve", "--port", "0"), ("import", file), ("recommend",), ("verify",)):
            refused = heedful(*second, "--data", data)
            assert refused.code == 2, second
            assert str(server.process.pid) in refused.err
        status, _ = call(server.connect(), "/v1/track", view("ada", "tent"))
        assert status == 200
        refused_too = command("serve", "--data", data, "--port", "0")
        assert refused_too.returncode == 2
        assert str(server.process.pid) in refused_too.stderr
        assert "Traceback" not in refused_too.stderr


def test_a_snapshot_can_be_made_beside_a_server(tmp_path: Path) -> None:
    with Serving(tmp_path) as server:
        call(server.connect(), "/v1/track", view("ada", "tent"))
        made = command("snapshot", "--data", tmp_path)
        assert (made.returncode, made.stdout) == (0, "fold-00000000000000000001\n"), made.stderr
        server.kill()
    with Serving(tmp_path) as server:
        _, shown = call(server.connect(), "/v1/recommend", {}, SECRET)
        assert [item["itemId"] for item in shown["items"]] == ["tent"]


def test_keys_made_at_the_first_start_are_shown_once(tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        with Serving(tmp_path, keys=False) as server:
            shown.append([line.split()[-1] for line in server.said if "shown only now" in line])
            write, secret = shown[0]
            assert call(server.connect(), "/v1/track", view("ada", "tent"), write)[0] == 200
            assert call(server.connect(), "/v1/recommend", {}, secret)[0] == 200
            assert call(server.connect(), "/v1/recommend", {}, write)[0] in {401, 403}
    assert [key[:3] for key in shown[0]] == ["pk_", "sk_"]
    assert shown[1] == []


def test_a_port_that_is_taken_is_exit_code_2_and_frees_the_folder(tmp_path: Path) -> None:
    with Serving(tmp_path / "a") as server:
        refused = heedful("serve", "--data", tmp_path / "b", "--port", server.port)
        assert refused.code == 2
        assert str(server.port) in refused.err
    assert heedful("verify", "--data", tmp_path / "b").code == 0
