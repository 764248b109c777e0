"""The same over HTTP: a server on a free port, and nothing but the standard library on the other side."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from secrets import token_hex
from typing import Any

WRITE, SECRET = f"pk_{token_hex(16)}", f"sk_{token_hex(16)}"


def call(url: str, body: dict[str, Any], key: str) -> dict[str, Any]:
    """POST `body` as JSON, with the key as the user name of Basic credentials."""
    basic = b64encode(f"{key}:".encode()).decode()
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": f"Basic {basic}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as refused:
        return dict(json.load(refused))


def talk(address: str) -> None:
    for visitor in range(6):
        for item in ("kettle", "mug", "tea"):
            event = {"event": "Product Viewed", "properties": {"product_id": item}}
            call(f"{address}/v1/track", {"userId": f"u-{visitor}", **event}, WRITE)
    seen = {"anonymousId": "you", "event": "Product Viewed", "properties": {"product_id": "kettle"}}
    told = call(f"{address}/v1/track", seen, WRITE)
    print("track    ", told["events"][0]["status"], "at", told["position"])
    question = {"anonymousId": "you", "limit": 2, "after": told["position"]}
    answer = call(f"{address}/v1/recommend", question, SECRET)
    for item in answer["items"]:
        print("recommend", item["itemId"], item["score"], item["reason"]["text"])
    problem = call(f"{address}/v1/recommend", {"anonymousId": "you"}, WRITE)
    print("problem  ", problem["status"], problem["code"], "-", problem["action"])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "settings.toml").write_text("holdout = 0.0\n")  # the one visitor sees it all
        command = [sys.executable, "-m", "heedful", "serve", "--data", folder, "--port", "0"]
        keys = {"HEEDFUL_WRITE_KEY": WRITE, "HEEDFUL_SECRET_KEY": SECRET}
        with subprocess.Popen(
            command, env={**os.environ, **keys}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server:
            assert server.stdout is not None
            talk(next(line for line in server.stdout if " listens on " in line).split()[3])
            server.terminate()  # it finishes what is under way and keeps a snapshot
        print("server    stopped with exit code", server.returncode)


if __name__ == "__main__":
    main()
