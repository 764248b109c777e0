"""The document names every route and nothing else, and what it promises is what happens."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from heedful.faces.http.app import build, hot_routes
from heedful.faces.http.authorization import Guard
from heedful.faces.http.dispatch import Dispatcher
from heedful.faces.http.door import Door
from heedful.faces.http.gate import Gate
from heedful.faces.http.messages import CALLS
from heedful.faces.http.metrics import Meters
from heedful.faces.http.problem import KINDS
from heedful.vocabulary.recommendation import RecommendRequest
from tests.faces.http.asgi import Answer, Caller
from tests.faces.http.conftest import KeyPair
from tests.faces.http.doors import let_in
from tests.faces.http.memory_engine import MemoryEngine

Object = dict[str, Any]
PEOPLES = ("/v1/login", "/v1/session/password")
"""Routes that no key opens; tests/faces/http/test_session.py sends their examples."""


@pytest.fixture
def document(ask: Caller) -> Object:
    found: Object = ask("GET", "/openapi.json").json()
    return found


def served(app: Dispatcher, engine: MemoryEngine) -> set[tuple[str, str]]:
    """Every method and template that the application answers, apart from HEAD and preflights."""
    hot = hot_routes(engine, Gate(), Meters(engine), Guard(lambda: engine.keys)).values()
    found = {(method, route.name) for route in hot for method in route.handlers}
    framework: Any = app._rest
    for route in framework.router.routes:
        found |= {(method, route.path_format) for method in route.methods}
    return {(method, path) for method, path in found if method not in ("HEAD", "OPTIONS")}


def operations(document: Object) -> list[tuple[str, str, Object]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_is_documented_and_nothing_else(
    app: Dispatcher, engine: MemoryEngine, document: Object
) -> None:
    described = {(method, path) for method, path, _ in operations(document)}
    assert described == served(app, engine)
    assert (
        len(described)
        == 16 + 1 + 1 + 2 + 4 + 5 + 3 + 7 + 1 + 1 + 4 + 6 + 6 + 3 + 4 + 7 + 5 + 16 + 1 + 6 + 3 + 3
    )


def test_every_operation_says_what_it_takes_answers_and_refuses(document: Object) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert isinstance(operation["security"], list), where
        assert "content" in operation["responses"]["200"], where
        assert "500" in operation["responses"], where
        foreign = path.startswith("/ofrep/v1/evaluate")  # failures have the shapes of OFREP
        for status, response in operation["responses"].items():
            if status == "304":
                continue
            media = next(iter(response["content"]))
            assert (media == "application/problem+json") is (not foreign and not status.startswith("2")), (
                where
            )
        if operation["security"]:
            assert "401" in operation["responses"], where
        if method in ("POST", "PUT") and path != "/v1/logout":
            body = next(iter(operation["requestBody"]["content"].values()))
            assert "example" in body, where
            assert foreign or "413" in operation["responses"], where
        assert {"path", "query", "header"} >= {each["in"] for each in operation.get("parameters", ())}
        named = set(re.findall(r"{(\w+)}", path))
        assert named == {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}


def test_every_reference_leads_somewhere(document: Object) -> None:
    text = msgspec.json.encode(document).decode()
    schemas = document["components"]["schemas"]
    wanted = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert wanted
    assert wanted <= set(schemas)
    schemes = set(document["components"]["securitySchemes"])
    assert {
        name for _, _, each in operations(document) for entry in each["security"] for name in entry
    } == schemes
    assert document["openapi"].startswith("3.1")


def test_the_examples_of_questions_are_good_ones(
    ask: Caller, pair: KeyPair, door: Door, document: Object
) -> None:
    for _, _, example in CALLS.values():
        assert example
    made = ask("POST", "/v1/privacy/requests", {"verb": "object", "userId": "u-1"}, key=pair.secret).json()[
        "id"
    ]
    colours = {"on": {"kind": "flag", "name": "button"}, "arms": [{"key": "control"}, {"key": "blue"}]}
    assert ask("PUT", "/v1/experiments/colours", colours, key=pair.secret).status == 200
    assert ask("PUT", "/v1/flags/button", {"default": "on"}, key=pair.secret).status == 200
    for method, path, operation in operations(document):
        if "requestBody" not in operation or path in PEOPLES or operation["tags"] == ["The person"]:
            continue  # the last want a token: test_rights
        body = next(iter(operation["requestBody"]["content"].values()))
        if "{person_id}" in path:
            path = path.replace("{person_id}", let_in(door, "bo").id)  # noqa: PLW2901 (the one that there is)
        path = path.replace("metrics/{name}", "metrics/shared")  # noqa: PLW2901 (a name that it can have)
        if "/v1/experiments/" in path:
            path = experiment(ask, pair, path)  # noqa: PLW2901 (one that stands where the step begins)
        path = path.replace("flags/{name}", "flags/button").replace("{key}", "button")  # noqa: PLW2901 (the same)
        answer = ask(method, path.replace("{item_id}", "p-17").replace("{request_id}", made), body["example"],
                     key=pair.secret)  # fmt: skip
        assert answer.status == (201 if path == "/opendsr/requests" else 200), (path, answer.body)
        assert_conforms(answer, operation, document)
        if path == "/v1/recommend":
            msgspec.convert(body["example"], RecommendRequest)


def experiment(ask: Caller, pair: KeyPair, path: str) -> str:
    """The path with an experiment that stands where the path's step begins."""
    step = path.rpartition("/")[2]
    draft: Object = {"on": {"kind": "placement", "name": step}, "metrics": ["clicked"],
                     "arms": [{"key": "as_it_is"}, {"key": "varied", "value": {"diversity": 0.4}}]}  # fmt: skip
    if step == "stage":
        draft["stages"] = [0.1, 1.0]
    one = f"/v1/experiments/{step}"
    before: list[tuple[str, str, Object]] = [("PUT", one, draft), ("POST", f"{one}/start", {})]
    before.append(("POST", f"{one}/stop", {"outcome": "ship", "shipped": "varied"}))
    needed = {"{name}": 0, "start": 1, "weights": 2, "stage": 2, "stop": 2, "roll-out": 3, "archive": 3}
    for method, where, body in before[: needed[step]]:
        answer = ask(method, where, body, key=pair.secret)
        assert answer.status == 200, (path, answer.body)
    return path.replace("{name}", "variety" if step == "{name}" else step)


def test_examples_of_calls_have_the_documented_shape() -> None:
    for shape, _, example in CALLS.values():
        msgspec.convert(example, shape)


def test_refusals_are_documented(ask: Caller, pair: KeyPair, document: Object) -> None:
    """For each operation: without a key, with a wrong one, with each kind; from far away."""
    for number, (method, path, operation) in enumerate(operations(document)):
        concrete = path.replace("{item_id}", "p-17").replace("{method}", "track")
        client = (f"192.0.2.{number}", 40_000)  # so many refusals from one address would be too many
        query = b"data=e30" if "{method}" in path else b""
        for key in (None, "wrong", pair.write, pair.secret):
            answer = ask(method, concrete, b"{}", key=key, client=client, query=query)
            assert_conforms(answer, operation, document)
            schemes = {name for entry in operation["security"] if len(entry) == 1 for name in entry}
            if path == "/v1/login":
                assert answer.status == 403, "our own page alone logs in"
            elif not operation["security"]:
                assert answer.status in (200, 503) or (path.endswith("{ticket}") and answer.status == 404)
            elif not schemes:
                assert answer.status == (401 if key in (None, "wrong") else 403), (
                    "a proof is needed beside it"
                )
            elif schemes == {"session"}:
                assert answer.status == (401 if key in (None, "wrong") else 403), (method, path, key)
            elif key is None or key == "wrong":
                assert answer.status == 401, (method, path, key)
                assert answer.headers["www-authenticate"].startswith("Basic")
            elif key == pair.write and "writeKey" not in schemes:
                assert answer.status == 403, (method, path, key)
            else:
                assert answer.status in (200, 400, 404), (method, path, key)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_a_wrong_method_is_told_the_right_ones(ask: Caller, document: Object, method: str) -> None:
    for path, methods in document["paths"].items():
        if method.lower() in methods:
            continue
        answer = ask(method, path.replace("{item_id}", "p-17").replace("{method}", "track"))
        assert (answer.status, answer.json()["code"]) == (405, "method_not_allowed"), path
        allowed = {each.strip().lower() for each in answer.headers["allow"].split(",")}
        assert allowed >= set(methods)
        assert method.lower() not in allowed


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/", "/v1/track/", "/V1/track", "/v2/track", "/v1/recommend/x", "/docs/", "/redoc", ""],
)
def test_an_unknown_path_is_a_problem_too(ask: Caller, path: str) -> None:
    answer = ask("GET", path)
    assert (answer.status, answer.json()["code"]) == (404, "not_found")


def assert_conforms(answer: Answer, operation: Object, document: Object) -> None:
    """The status is documented, and a JSON body has the documented shape."""
    response = operation["responses"].get(str(answer.status))
    assert response is not None, (operation["operationId"], answer.status)
    media = answer.headers["content-type"].partition(";")[0]
    assert media in response["content"], (operation["operationId"], media)
    if media.endswith("json"):
        fits(answer.json(), response["content"][media]["schema"], document, "$")


def fits(value: object, schema: Object, document: Object, where: str) -> None:
    """A small reading of JSON Schema: types, needed and unknown fields, items and alternatives."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        for each in schema["anyOf"]:
            try:
                fits(value, each, document, where)
            except AssertionError:
                continue
            return
        raise AssertionError(where)
    if "enum" in schema:
        assert value in schema["enum"], where
    kinds: dict[str, type | tuple[type, ...]] = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
        "boolean": bool, "null": type(None),
    }  # fmt: skip
    if "type" in schema:
        assert isinstance(value, kinds[schema["type"]]), where
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema.get("required", ())) <= set(value), where
        assert set(value) <= set(schema["properties"]), where
        for name, inner in value.items():
            fits(inner, schema["properties"][name], document, f"{where}.{name}")
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for place, inner in enumerate(value):
            fits(inner, schema["items"], document, f"{where}[{place}]")


class _Links(HTMLParser):
    """Collects what a page names and where it points, and that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in ("meta", "link"):
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_every_link_leads_somewhere(ask: Caller, document: Object) -> None:
    answer = ask("GET", "/docs")
    page = _Links()
    page.feed(answer.body.decode())
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert "script" not in page.tags
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= set(page.ids)
    assert [link for link in page.links if not link.startswith("#")] == ["data:,"]
    assert {f"problem-{code}" for code in KINDS} <= set(page.ids)
    assert {operation["operationId"] for _, _, operation in operations(document)} <= set(page.ids)


def test_the_page_is_allowed_its_style_and_nothing_else(ask: Caller) -> None:
    import base64
    import hashlib

    answer = ask("GET", "/docs")
    policy = answer.headers["content-security-policy"]
    style = answer.body.decode().partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "prefers-color-scheme: dark" in style


def test_the_page_names_the_server_as_the_caller_does_and_repeats_nothing_else(
    ask: Caller, pair: KeyPair
) -> None:
    assert (
        "curl http://localhost:9000/v1/track"
        in ask("GET", "/docs", headers={"host": "localhost:9000"}).body.decode()
    )
    hostile = ask(
        "GET", "/docs", key=pair.secret, headers={"host": "<script>alert(1)</script>"}
    ).body.decode()
    assert "<script" not in hostile
    assert "{host}" not in hostile


def test_two_faces_in_one_process_do_not_share_their_figures(engine: MemoryEngine) -> None:
    first, second = build(engine), build(engine)
    first._meters.decisions += 1
    assert second._meters.decisions == 0
