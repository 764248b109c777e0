"""One OpenAPI 3.1 document over two kinds of route: the framework's own, and the hot ones it never sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec

from heedful.faces.http.collecting import METHODS, PIXELS, SHORT
from heedful.faces.http.cookies import NAME as COOKIE
from heedful.faces.http.messages import CALLS, AnonymousAnswer, AnonymousCall, ItemsCall
from heedful.faces.http.problem import KINDS, ProblemDocument
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.consent_answer import ConsentAnswer
from heedful.vocabulary.item import Item
from heedful.vocabulary.recommendation import RecommendAnswer, RecommendRequest
from heedful.vocabulary.variants import DecideAnswer, DecideRequest

Object = dict[str, Any]

TITLE = "Heedful"
DESCRIPTION = (
    "Real-time personalization that you host yourself: send what people do with Segment's tracking protocol, "
    "ask for recommendations, and the very next answer has learned from it."
)


class Route(NamedTuple):
    """A route behind the framework. document: its operation."""

    method: str
    path: str
    endpoint: Callable[..., Any]
    document: Object


_SERVER: list[Object] = [{"secretKey": []}, {"secretKeyAsUser": []}]
SESSION: list[Object] = [{"session": []}]
"""Somebody who is logged in, and no key."""
SECRET: list[Object] = [*_SERVER, *SESSION]
"""A secret key with the scope, or somebody whose role has it."""
PUBLIC: list[Object] = [{"writeKey": []}, {"writeKeyAsUser": []}, *_SERVER]
WRITE: list[Object] = [*PUBLIC, {}]
"""The empty entry stands for `writeKey` in the body, which OpenAPI has no word for."""
OWN: list[Object] = [{"writeKey": [], "subjectToken": []}, {"writeKeyAsUser": [], "subjectToken": []}]
"""A write key, and beside it the proof of who asks."""
OPEN: list[Object] = []
PROVEN: list[Object] = [*SECRET, *OWN]
"""Also a public key with the proof of a subject, for that subject."""
OPERATOR: list[Object] = [{}, *SECRET]
"""Open to this machine, a secret key from elsewhere."""

_SCHEMES: Object = {
    "secretKey": {"type": "http", "scheme": "bearer", "description": "A secret key (sk_). For servers only."},
    "secretKeyAsUser": {"type": "http", "scheme": "basic", "description": "A secret key as the user name."},
    "writeKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A write key (pk_): may only send events.",
    },
    "writeKeyAsUser": {"type": "http", "scheme": "basic", "description": "A write key as the user name."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The session of somebody whose role has the scope. What changes something also needs the "
        "header Heedful-Console and the Origin of our own page.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "Either key, for callers that send no Authorization.",
    },
    "subjectToken": {
        "type": "apiKey",
        "in": "header",
        "name": "Heedful-Subject",
        "description": "A JSON Web Token that your server signed for the person, or an anonymous id that this "
        "one signed.",
    },
}

_COLLECTED: Object = {
    "success": True,
    "position": "v1.42",
    "events": [{"messageId": "m-1", "status": "accepted"}],
}
_COLLECT_ERRORS = (
    "json_invalid", "json_too_deep", "encoding_invalid", "key_missing", "key_unknown", "too_large",
    "encoding_unknown", "overloaded", "internal", "log_unavailable",
)  # fmt: skip
_QUESTION: Object = {"userId": "u-1", "placement": "home", "limit": 2, "context": {"itemId": "p-17"}}
_ANSWER: Object = {
    "decisionId": "d-1",
    "items": [
        {
            "itemId": "p-18",
            "score": 1.5,
            "reason": {"code": "viewed_together", "text": "Often viewed with p-17", "because": ["p-17"]},
            "propensity": 1.0,
        }
    ],
    "personalized": True,
    "position": "v1.42",
    "degraded": False,
}
_CHOICE: Object = {
    "userId": "u-1",
    "placement": "hero",
    "variants": ["spring", "sale"],
    "context": {"segment": "returning", "device": "phone", "hour": 18},
}
_CHOSEN: Object = {
    "decisionId": "v-1",
    "variant": "sale",
    "propensity": 0.75,
    "propensities": {"spring": 0.25, "sale": 0.75},
    "personalized": True,
    "position": "v1.42",
    "degraded": False,
}
_REFUSALS = ("scope_missing", "origin_not_allowed", "rate_limited")
"""What a key can meet on every route that takes one."""
_OF_PEOPLE = ("session_over", "request_forged")
"""What somebody who is logged in can meet."""
_ASK_ERRORS = (
    "request_invalid", "json_invalid", "json_too_deep", "encoding_invalid", "key_missing", "key_unknown",
    "key_not_allowed", "token_invalid", "token_expired", "subject_mismatch", "too_large", "encoding_unknown",
    "overloaded",
)  # fmt: skip
_ANONYMOUS_ERRORS = (
    "request_invalid", "json_invalid", "json_too_deep", "key_missing", "key_unknown", "too_large", "overloaded",
)  # fmt: skip
ITEM: Object = {
    "id": "p-17",
    "title": "Tea pot",
    "categories": ["kitchen"],
    "price": {"minor": 1990, "currency": "EUR"},
}
ITEM_FATES: Object = {**_COLLECTED, "events": [{"messageId": "p-17", "status": "accepted"}]}


def reference(of: type) -> Object:
    """A reference to the schema of `of`, which must stand in `components`."""
    return {"$ref": f"#/components/schemas/{of.__name__}"}


def content(of: type, example: Object | None = None, media: str = "application/json") -> Object:
    """A body of one media type."""
    body: Object = {"schema": reference(of)}
    if example is not None:
        body["example"] = example
    return {media: body}


def operation(
    name: str,
    summary: str,
    *,
    tag: str,
    security: Sequence[Object],
    description: str = "",
    body: Object | None = None,
    answer: Object | None = None,
    errors: Sequence[str] = (),
    parameters: Sequence[Object] = (),
) -> Object:
    """One operation. `answer` is the content of the 200, `errors` are codes of `problem.KINDS`."""
    responses: Object = {"200": {"description": "Done.", **({"content": answer} if answer else {})}}
    by_status: dict[int, list[str]] = {}
    refusals = _REFUSALS if "key_unknown" in errors else ()
    people = _OF_PEOPLE if {"session": []} in security else ()
    for code in dict.fromkeys((*errors, *refusals, *people, "internal")):
        by_status.setdefault(KINDS[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = failure(status, codes)
    documented: Object = {
        "operationId": name,
        "summary": summary,
        "description": description,
        "tags": [tag],
        "security": list(security),
        "responses": responses,
    }
    if body is not None:
        documented["requestBody"] = {"required": True, "content": body}
    if parameters:
        documented["parameters"] = list(parameters)
    return documented


def failure(status: int, codes: Sequence[str]) -> Object:
    """The response for the problems `codes`, which share a status."""
    kind = KINDS[codes[0]]
    example: Object = {
        "type": f"/docs#problem-{codes[0]}",
        "title": kind.title,
        "status": status,
        "code": codes[0],
        "detail": kind.title + ".",
        "message": kind.title + ".",
        "action": kind.action,
        "requestId": "5f0c3d1e9a7b24680c1d2e3f",
    }
    headers: Object = {"X-Request-ID": {"schema": {"type": "string"}}}
    if status in (429, 503):
        headers["Retry-After"] = {"schema": {"type": "integer"}, "description": "Seconds."}
    if status == 401:
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
    described = "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes)
    return {
        "description": described,
        "headers": headers,
        "content": content(ProblemDocument, example, "application/problem+json"),
    }


def hot_paths() -> Object:
    """The routes that `dispatch` answers by itself."""
    paths: Object = {f"/v1/{method}": {"post": _collect(method, f"/v1/{method}")} for method in METHODS}
    for short, method in SHORT.items():
        paths[f"/v1/{short}"] = {"post": _collect(method, f"/v1/{short}")}
    paths["/v1/consent"]["get"] = operation(
        "get_consent",
        "Read what somebody chose",
        tag="Privacy",
        security=SECRET,
        description="Choices, what holds for every purpose now and why, and signed receipts.",
        answer=content(ConsentAnswer),
        errors=("request_invalid", "key_missing", "key_unknown", "key_not_allowed", "records_unavailable"),
        parameters=[_id("userId", "The person."), _id("anonymousId", "The device.")],
    )
    paths["/v1/pixel/{method}"] = {"get": _pixel()}
    paths["/v1/recommend"] = {
        "post": operation(
            "recommend",
            "Ask for recommendations",
            tag="Recommend",
            security=PROVEN,
            description="The answer reflects everything up to the position `after`, or it says `behind`.",
            body=content(RecommendRequest, _QUESTION),
            answer=content(RecommendAnswer, _ANSWER),
            errors=_ASK_ERRORS,
        )
    }
    paths["/v1/decide"] = {
        "post": operation(
            "decide",
            "Choose a variant",
            tag="Recommend",
            security=PROVEN,
            description="Outcomes that name the `decisionId`, or that follow it, are learned from.",
            body=content(DecideRequest, _CHOICE),
            answer=content(DecideAnswer, _CHOSEN),
            errors=_ASK_ERRORS,
        )
    }
    paths["/v1/anonymous"] = {"post": _anonymous()}
    return paths


def _anonymous() -> Object:
    return operation(
        "anonymous",
        "Get an anonymous id that proves itself",
        tag="Recommend",
        security=PUBLIC,
        description="Events carry the `anonymousId`; questions about it send the `proof` as Heedful-Subject. "
        "Nothing is kept on the device, unless `cookie` asks for it.",
        body=content(AnonymousCall, {"cookie": False}),
        answer=content(AnonymousAnswer, {"anonymousId": "x" * 22, "proof": f"a1.{'x' * 22}.{'y' * 22}"}),
        errors=(*_ANONYMOUS_ERRORS, "not_ready"),
    )


def _id(name: str, description: str) -> Object:
    schema = {"type": "string", "maxLength": 200}
    return {"name": name, "in": "query", "description": description, "schema": schema, "example": "u-1"}


def _collect(method: str, path: str) -> Object:
    shape, summary, example = CALLS[method]
    name = path.removeprefix("/v1/")
    short = f" The short form of `/v1/{method}` that browsers use." if name != method else ""
    return operation(
        name if name == method else f"{method}_short",
        summary,
        tag="Collect",
        security=WRITE,
        description="A 200 means that every accepted event survives a power cut and is learned from. "
        "Any Content-Type is taken; the body is JSON, gzip or deflate if Content-Encoding says so. "
        "Without an Authorization header the key stands in the body as `writeKey`." + short,
        body={**content(shape, example), **content(shape, media="text/plain")},
        answer=content(CollectAnswer, _COLLECTED),
        errors=(*_COLLECT_ERRORS, "batch_missing") if "batch" in example else _COLLECT_ERRORS,
    )


def _pixel() -> Object:
    return operation(
        "pixel",
        "Send one call by loading an image",
        tag="Collect",
        security=WRITE,
        description="For e-mails and pages without scripts. HEAD collects nothing.",
        answer={"image/gif": {"schema": {"type": "string", "contentMediaType": "image/gif"}}},
        errors=("request_invalid", *_COLLECT_ERRORS),
        parameters=(
            {
                "name": "method",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "enum": list(PIXELS)},
            },
            {
                "name": "data",
                "in": "query",
                "required": True,
                "description": "The call as base64 of JSON, of either alphabet.",
                "schema": {"type": "string", "contentEncoding": "base64"},
                "example": "eyJ3cml0ZUtleSI6InBrX-KApiIsInVzZXJJZCI6InUtMSIsImV2ZW50IjoiRW1haWwgT3BlbmVkIn0",
            },
        ),
    )


def merged(document: Object, types: Sequence[type]) -> Object:
    """The framework's `document` with the hot routes and every schema in it. `types` are more to describe."""
    shapes = dict.fromkeys(
        (*(call[0] for call in CALLS.values()), ItemsCall, CollectAnswer, RecommendRequest, RecommendAnswer,
         DecideRequest, DecideAnswer, AnonymousCall, AnonymousAnswer, Item, ProblemDocument, *types)
    )  # fmt: skip
    _, schemas = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    paths = {**hot_paths(), **document["paths"]}
    components = {"schemas": schemas, "securitySchemes": _SCHEMES}
    return {**document, "paths": paths, "components": components}


@cache
def problem_catalogue() -> tuple[tuple[str, int, str, str], ...]:
    """Every code with its status, title and what to do."""
    return tuple((code, kind.status, kind.title, kind.action) for code, kind in KINDS.items())
