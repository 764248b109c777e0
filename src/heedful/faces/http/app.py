"""Builds the ASGI application from what is inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from secrets import token_bytes
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.routing import Match

from heedful.faces.engine import Engine
from heedful.faces.http import api_keys, auditing, ofrep_document, openapi, origins, people, session
from heedful.faces.http.anonymous import anonymous
from heedful.faces.http.api_keys import ApiKeys
from heedful.faces.http.asking import for_items, for_variants
from heedful.faces.http.auditing import Auditing
from heedful.faces.http.authorization import CALLER, Guard, Rule, rule_of
from heedful.faces.http.collecting import CORS, METHODS, PIXELS, SHORT, Collecting
from heedful.faces.http.consent import Consent, GpcSupport, WellKnown
from heedful.faces.http.decisions import Decisions
from heedful.faces.http.dispatch import GONE, Dispatcher, HotRoute, refusal, template
from heedful.faces.http.door import Door
from heedful.faces.http.exchange import Disconnected, Handler, Headers, Receive, Reply, Scope
from heedful.faces.http.experiments import SHAPES as EXPERIMENT_SHAPES
from heedful.faces.http.experiments import Experiments
from heedful.faces.http.flags import SHAPES as FLAG_SHAPES
from heedful.faces.http.flags import FlagRoutes
from heedful.faces.http.forgetting import Forgetting
from heedful.faces.http.gate import Gate
from heedful.faces.http.items import Items
from heedful.faces.http.me import ForgetEventCall, ForgetMeCall, LessCall, Mine, Receipted
from heedful.faces.http.measuring import Measuring
from heedful.faces.http.metrics import Meters
from heedful.faces.http.ofrep import EVALUATE, EVENTS, Ofrep, in_its_words
from heedful.faces.http.openapi import Route
from heedful.faces.http.opendsr import OpenDsrRoutes
from heedful.faces.http.operations import Live, Operations, Ready
from heedful.faces.http.people import PeopleRoutes
from heedful.faces.http.placements import Placements, PreviewCall, Rollback
from heedful.faces.http.privacy import MoveCall, Privacy, RightsCall, RightsList, RightsSteps
from heedful.faces.http.problem import Problem
from heedful.faces.http.session import Session
from heedful.faces.http.streams import Streams
from heedful.records.tickets import Tickets
from heedful.services.placements import PlacementList, PlacementVersions, Preview
from heedful.services.rights.opendsr import SubjectRequest
from heedful.services.rights.person import Known
from heedful.vocabulary.consent import CONSENT
from heedful.vocabulary.consent_answer import ConsentAnswer
from heedful.vocabulary.erasure import ErasureList, ErasureReceipt, ErasureStatus, ForgetRequest
from heedful.vocabulary.errors import HeedfulError
from heedful.vocabulary.metric import MetricAnswer, MetricList
from heedful.vocabulary.recall import RecalledDecision
from heedful.vocabulary.rights import RightsRequest, Someone


def build(
    engine: Engine,
    *,
    gate: Gate | None = None,
    guard: Guard | None = None,
    door: Door | None = None,
    access_log: bool = False,
) -> Dispatcher:
    """The whole HTTP face over `engine`. Raises LookupError for a route without a rule.

    gate: bounds what may wait at once. door: the accounts; without it nobody logs in and nothing is administered.
    guard: who may do what; the door's when left out, and API keys alone without a door.
    """
    gate = gate or Gate()
    guard = guard or (Guard(lambda: engine.keys) if door is None else door.guard)
    meters = Meters(engine)
    ofrep = ofrep_of(engine, gate, door)
    framework = FastAPI(
        title=openapi.TITLE,
        version=_version(),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    document: list[dict[str, Any]] = []

    def whole() -> dict[str, Any]:
        if not document:
            document.append(described(framework))
        return document[0]

    for route in _framed(engine, gate, meters, door, ofrep, whole):
        framework.add_api_route(
            route.path,
            _guarded(route.endpoint, rule_of(route.method, route.path), guard),
            methods=[route.method],
            openapi_extra=route.document,
            operation_id=route.document["operationId"],
            response_class=Response,
        )
    framework.add_exception_handler(HTTPException, _unrouted)
    for kind in (Problem, HeedfulError, Exception):
        framework.add_exception_handler(kind, _refused)
    framework.add_exception_handler(Disconnected, _gone)
    return Dispatcher(
        hot_routes(engine, gate, meters, guard, door, ofrep), framework, meters, access_log=access_log
    )


def _framed(
    engine: Engine,
    gate: Gate,
    meters: Meters,
    door: Door | None,
    ofrep: Ofrep,
    whole: Callable[[], dict[str, Any]],
) -> Sequence[Route]:
    """The routes behind the framework. whole: the document."""
    return (
        *Items(engine, gate, meters).routes(),
        *Decisions(engine).routes(),
        *Measuring(engine, meters).routes(),
        *Placements(engine, gate).routes(),
        *Session(door, gate).routes(),
        *PeopleRoutes(door, gate).routes(),
        *ApiKeys(door, gate).routes(),
        *Auditing(door, gate).routes(),
        *Privacy(engine, gate).routes(),
        *Mine(engine, gate).routes(),
        *OpenDsrRoutes(engine, gate).routes(),
        *Experiments(engine, gate).routes(),
        *FlagRoutes(engine, gate, ofrep.streams.look).routes(),
        Route("GET", f"{EVENTS}/{{ticket}}", ofrep.listen, ofrep_document.LISTEN),
        *WellKnown().routes(),
        *Forgetting(engine, gate).routes(),
        *Operations(engine, meters, whole).routes(),
    )


def hot_routes(
    engine: Engine,
    gate: Gate,
    meters: Meters,
    guard: Guard,
    door: Door | None = None,
    ofrep: Ofrep | None = None,
) -> dict[str, HotRoute]:
    """The routes that must be fast, by path."""
    collecting = Collecting(engine, gate, meters, guard)
    ofrep = ofrep or ofrep_of(engine, gate, door)
    gives = anonymous(door, gate)
    routes = {}

    def route(name: str, handlers: dict[str, Handler], *always: tuple[bytes, bytes]) -> HotRoute:
        kept = {}
        for method, each in handlers.items():
            rule = rule_of(method, name)
            guarded = _guarded_hot(each, rule, guard)
            about_somebody = rule.subject or each is gives
            kept[method] = origins.shared(guarded, lambda: engine.keys) if about_somebody else guarded
        return HotRoute(name, kept, meters.route(name), always)

    for name, method in {**{method: method for method in METHODS}, **SHORT}.items():
        path = f"/v1/{name}"
        handlers = {"POST": collecting.post(method), "OPTIONS": collecting.preflight}
        if name == CONSENT:
            handlers["GET"] = Consent(engine).get
        routes[path] = route(path, handlers, *CORS)
    pixel = "/v1/pixel/{method}"
    for method in PIXELS:
        handlers = {"GET": collecting.pixel(method), "HEAD": collecting.look}
        routes[f"/v1/pixel/{method}"] = route(pixel, handlers, *CORS)
    recommend, decide = "/v1/recommend", "/v1/decide"
    preflight = origins.preflight(lambda: engine.keys)
    asking = {
        recommend: for_items(engine, gate, meters).post,
        decide: for_variants(engine, gate, meters).post,
        "/v1/anonymous": gives,
    }
    for path, post in asking.items():
        routes[path] = route(path, {"POST": post, "OPTIONS": preflight})
    for path, name, post in (
        (EVALUATE, EVALUATE, ofrep.all),
        (f"{EVALUATE}/", f"{EVALUATE}/{{key}}", ofrep.one),
    ):
        guarded = in_its_words(_guarded_hot(post, rule_of("POST", name), guard), name)
        rule_of("OPTIONS", name)
        handlers = {"POST": origins.shared(guarded, lambda: engine.keys), "OPTIONS": preflight}
        routes[path] = HotRoute(name, handlers, meters.route(name))
    return routes


def ofrep_of(engine: Engine, gate: Gate, door: Door | None) -> Ofrep:
    """What answers `/ofrep/v1`. Without a door its tickets end with the process."""
    streams = Streams(lambda: engine.evaluating.configuration)
    tickets = Tickets(token_bytes(32)) if door is None else door.administer.tickets
    return Ofrep(engine, gate, tickets, streams, () if door is None else door.trusted)


def _guarded(endpoint: Callable[..., Any], rule: Rule, guard: Guard) -> Callable[..., Any]:
    """The framework's endpoint behind the guard."""

    async def answer(request: Request) -> Any:
        request.scope[CALLER] = guard.admit(rule, request.scope, dict(request.headers.raw))
        return await endpoint(request)

    return answer


def _guarded_hot(handler: Handler, rule: Rule, guard: Guard) -> Handler:
    if rule.scope is None:
        return handler

    async def answer(scope: Scope, headers: Headers, receive: Receive) -> Reply:
        scope[CALLER] = guard.admit(rule, scope, headers)
        return await handler(scope, headers, receive)

    return answer


def described(framework: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the framework's routes and the hot ones together."""
    own = get_openapi(
        title=openapi.TITLE,
        version=_version(),
        description=openapi.DESCRIPTION,
        routes=framework.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    shapes = (
        Live, Ready, RecalledDecision, MetricList, MetricAnswer, Rollback, PreviewCall, PlacementList,
        PlacementVersions, Preview, *session.SHAPES, *people.SHAPES, *api_keys.SHAPES, *auditing.SHAPES,
        Someone, RightsCall, MoveCall, RightsList, RightsSteps, RightsRequest, Known,
        LessCall, ForgetEventCall, ForgetMeCall, Receipted, SubjectRequest,
        GpcSupport, ConsentAnswer,
        *EXPERIMENT_SHAPES, *FLAG_SHAPES,
        ForgetRequest, ErasureReceipt, ErasureStatus, ErasureList,
    )  # fmt: skip
    hot = openapi.merged(own, (*shapes, *ofrep_document.SHAPES))
    return {**hot, "paths": {**ofrep_document.paths(), **hot["paths"]}}


async def _refused(request: Request, error: Exception) -> Response:
    return _response(refusal(error, dict(request.headers.raw), template(request.scope)))


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=GONE)  # nobody hears it; the metrics count it


async def _unrouted(request: Request, _: Exception) -> Response:
    """The framework found no route, or none for this method."""
    allow = _allowed(request)
    if allow:
        problem = Problem(
            "method_not_allowed", f"This route takes {allow}.", headers=((b"allow", allow.encode()),)
        )
    else:
        problem = Problem("not_found", "There is no such route.")
    return _response(refusal(problem, dict(request.headers.raw), "other"))


def _allowed(request: Request) -> str:
    """Every method that some route takes on this path."""
    methods: set[str] = set()
    for route in request.app.router.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status)
    response.raw_headers = reply.headers
    return response


def _version() -> str:
    try:
        return version("heedful")
    except PackageNotFoundError:  # run from the source folder
        return "0"
