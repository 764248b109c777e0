"""Who may use which route, in one table, and the one place that holds every request to it.

A route that is not in the table cannot be built into the application, so none can be forgotten. Handlers do not
look at credentials: they are given the caller (`caller_of`), and the two that answer about a person ask it whose
answer it may have (`Caller.own`).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

import msgspec

from heedful.faces.http import cookies
from heedful.faces.http.addresses import Network, here, local, place
from heedful.faces.http.credentials import API_KEY, CHALLENGE, known, presented
from heedful.faces.http.exchange import Headers, Scope
from heedful.faces.http.limits import Limits
from heedful.faces.http.problem import Problem, problem_of
from heedful.records.keys import Key, KeyKind, Keys
from heedful.records.people import Person
from heedful.records.sessions import Sessions
from heedful.records.subject_keys import SubjectTokens
from heedful.vault.anonymous import AnonymousIds
from heedful.vocabulary.access import Scope as Grant
from heedful.vocabulary.access import Subject
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.recommendation import RecommendRequest
from heedful.vocabulary.variants import DecideRequest

Question = TypeVar("Question", RecommendRequest, DecideRequest)

SUBJECT = b"heedful-subject"
"""The header of a subject token or a signed anonymous id, beside the write key in Authorization."""


CALLER = "heedful.caller"
"""Where in the ASGI scope a guarded route finds who was let in."""


class Rule(msgspec.Struct, frozen=True):
    """What a route asks of its caller.

    scope: what the key or the role must hold; None is a route that is open to all.
    local: open without credentials to somebody on this machine.
    in_body: the key may stand in the body, where only the handler finds it.
    people: whether a person who is logged in may use it.
    subject: whether a write key will do beside the proof of a subject, for that subject's own answers.
    person: for whoever is logged in, with any role, and for no key.
    page: whether a write key will do without a proof as well, for what a page itself brings to the question.
    own_page: for our own page alone, though nobody is logged in yet.
    own: for the person themself only: whatever the key, a proof of the subject must come with it.
    """

    scope: Grant | None
    local: bool = False
    in_body: bool = False
    people: bool = True
    subject: bool = False
    page: bool = False
    person: bool = False
    own_page: bool = False
    own: bool = False


OPEN = Rule(None)
COLLECT = Rule(Grant.EVENTS_WRITE, in_body=True, people=False)
_ASK = Rule(Grant.RECOMMEND_READ, subject=True)
_EVALUATE = Rule(Grant.RECOMMEND_READ, page=True)
_TOLD = Rule(Grant.OPERATIONS_READ, local=True)
_PERSON = Rule(None, person=True)
_ADMIN = Rule(Grant.ADMIN)
_CALLS = (
    "identify", "track", "page", "screen", "group", "alias", "consent", "batch", "import", "i", "t", "p", "s", "g",
    "a", "b",
)  # fmt: skip
_OWN = Rule(Grant.EVENTS_WRITE, people=False, own=True)
_PRIVACY_READ, _PRIVACY_WRITE = Rule(Grant.PRIVACY_READ), Rule(Grant.PRIVACY_WRITE)
_PLACEMENT = "/v1/placements/{name}"
_EXPERIMENT = "/v1/experiments/{name}"
_FLAG = "/v1/flags/{name}"
_OFREP = "/ofrep/v1/evaluate/flags"
_ITEM = "/v1/items/{item_id}"

RULES: Mapping[tuple[str, str], Rule] = MappingProxyType({
    **{("POST", f"/v1/{call}"): COLLECT for call in _CALLS},
    **{("OPTIONS", f"/v1/{call}"): OPEN for call in _CALLS},
    ("GET", "/v1/pixel/{method}"): COLLECT,
    ("HEAD", "/v1/pixel/{method}"): OPEN,
    ("POST", "/v1/recommend"): _ASK,
    ("POST", "/v1/decide"): _ASK,
    ("OPTIONS", "/v1/recommend"): OPEN,
    ("OPTIONS", "/v1/decide"): OPEN,
    ("GET", "/v1/decisions/{decision_id}"): Rule(Grant.DECISIONS_READ),
    ("POST", "/v1/items"): Rule(Grant.ITEMS_WRITE),
    ("PUT", _ITEM): Rule(Grant.ITEMS_WRITE),
    ("GET", _ITEM): Rule(Grant.ITEMS_READ),
    ("DELETE", _ITEM): Rule(Grant.ITEMS_WRITE),
    ("GET", "/v1/consent"): Rule(Grant.PRIVACY_READ),
    ("GET", "/.well-known/gpc.json"): OPEN,
    ("GET", "/v1/metrics"): Rule(Grant.METRICS_READ),
    ("GET", "/v1/metrics/{name}"): Rule(Grant.METRICS_READ),
    ("GET", "/v1/placements"): Rule(Grant.PLACEMENTS_READ),
    ("GET", _PLACEMENT): Rule(Grant.PLACEMENTS_READ),
    ("PUT", _PLACEMENT): Rule(Grant.PLACEMENTS_WRITE),
    ("DELETE", _PLACEMENT): Rule(Grant.PLACEMENTS_WRITE),
    ("GET", f"{_PLACEMENT}/versions"): Rule(Grant.PLACEMENTS_READ),
    ("POST", f"{_PLACEMENT}/rollback"): Rule(Grant.PLACEMENTS_WRITE),
    ("POST", f"{_PLACEMENT}/preview"): Rule(Grant.PLACEMENTS_WRITE),
    ("POST", "/v1/anonymous"): Rule(Grant.EVENTS_WRITE, people=False),
    ("OPTIONS", "/v1/anonymous"): OPEN,
    ("POST", "/v1/login"): Rule(None, own_page=True),
    ("POST", "/v1/logout"): _PERSON,
    ("GET", "/v1/session"): _PERSON,
    ("POST", "/v1/session/password"): _PERSON,
    ("GET", "/v1/people"): _ADMIN,
    ("POST", "/v1/people"): _ADMIN,
    ("PUT", "/v1/people/{person_id}"): _ADMIN,
    ("DELETE", "/v1/people/{person_id}"): _ADMIN,
    ("GET", "/v1/people/{person_id}/sessions"): _ADMIN,
    ("DELETE", "/v1/people/{person_id}/sessions"): _ADMIN,
    ("GET", "/v1/keys"): _ADMIN,
    ("POST", "/v1/keys"): _ADMIN,
    ("DELETE", "/v1/keys/{key_id}"): _ADMIN,
    ("GET", "/v1/tokens"): _ADMIN,
    ("POST", "/v1/tokens"): _ADMIN,
    ("DELETE", "/v1/tokens/{kid}"): _ADMIN,
    ("GET", "/v1/audit"): _ADMIN,
    ("GET", "/v1/audit/head"): _ADMIN,
    ("POST", "/v1/audit/verify"): _ADMIN,
    ("POST", "/v1/privacy/disclose"): _PRIVACY_READ,
    ("POST", "/v1/privacy/requests"): _PRIVACY_WRITE,
    ("GET", "/v1/privacy/requests"): _PRIVACY_READ,
    ("GET", "/v1/privacy/requests/{request_id}"): _PRIVACY_READ,
    ("POST", "/v1/privacy/requests/{request_id}/move"): _PRIVACY_WRITE,
    ("GET", "/v1/me"): _OWN,
    ("GET", "/v1/me/decisions/{decision_id}"): _OWN,
    ("POST", "/v1/me/less"): _OWN,
    ("POST", "/v1/me/consent"): _OWN,
    ("POST", "/v1/me/forget-event"): _OWN,
    ("POST", "/v1/me/forget"): _OWN,
    ("GET", "/v1/me/export"): _OWN,
    ("GET", "/opendsr/discovery"): OPEN,
    ("GET", "/opendsr/certificate.pem"): OPEN,
    ("POST", "/opendsr/requests"): _PRIVACY_WRITE,
    ("GET", "/opendsr/requests/{request_id}"): _PRIVACY_READ,
    ("DELETE", "/opendsr/requests/{request_id}"): _PRIVACY_WRITE,
    ("GET", "/v1/experiments"): Rule(Grant.EXPERIMENTS_READ),
    ("GET", "/v1/experiment-metrics"): Rule(Grant.EXPERIMENTS_READ),
    ("PUT", "/v1/experiment-metrics/{name}"): Rule(Grant.EXPERIMENTS_WRITE),
    ("GET", _EXPERIMENT): Rule(Grant.EXPERIMENTS_READ),
    ("PUT", _EXPERIMENT): Rule(Grant.EXPERIMENTS_WRITE),
    ("GET", f"{_EXPERIMENT}/versions"): Rule(Grant.EXPERIMENTS_READ),
    ("GET", f"{_EXPERIMENT}/checks"): Rule(Grant.EXPERIMENTS_READ),
    ("POST", f"{_EXPERIMENT}/start"): Rule(Grant.EXPERIMENTS_WRITE),
    ("POST", f"{_EXPERIMENT}/weights"): Rule(Grant.EXPERIMENTS_WRITE),
    ("POST", f"{_EXPERIMENT}/stage"): Rule(Grant.EXPERIMENTS_WRITE),
    ("POST", f"{_EXPERIMENT}/stop"): Rule(Grant.EXPERIMENTS_WRITE),
    ("POST", f"{_EXPERIMENT}/roll-out"): Rule(Grant.EXPERIMENTS_WRITE),
    ("POST", f"{_EXPERIMENT}/archive"): Rule(Grant.EXPERIMENTS_WRITE),
    ("GET", f"{_EXPERIMENT}/results"): Rule(Grant.EXPERIMENTS_READ),
    ("GET", f"{_EXPERIMENT}/series"): Rule(Grant.EXPERIMENTS_READ),
    ("GET", f"{_EXPERIMENT}/novelty"): Rule(Grant.EXPERIMENTS_READ),
    ("POST", "/v1/privacy/forget"): _PRIVACY_WRITE,
    ("GET", "/v1/privacy/erasures"): _PRIVACY_READ,
    ("GET", "/v1/privacy/erasures/{id}"): _PRIVACY_READ,
    ("GET", "/v1/flags"): Rule(Grant.EXPERIMENTS_READ),
    ("GET", _FLAG): Rule(Grant.EXPERIMENTS_READ),
    ("PUT", _FLAG): Rule(Grant.EXPERIMENTS_WRITE),
    ("DELETE", _FLAG): Rule(Grant.EXPERIMENTS_WRITE),
    ("GET", f"{_FLAG}/versions"): Rule(Grant.EXPERIMENTS_READ),
    ("POST", f"{_FLAG}/rollback"): Rule(Grant.EXPERIMENTS_WRITE),
    ("POST", _OFREP): _EVALUATE,
    ("OPTIONS", _OFREP): OPEN,
    ("POST", f"{_OFREP}/{{key}}"): _EVALUATE,
    ("OPTIONS", f"{_OFREP}/{{key}}"): OPEN,
    ("GET", "/ofrep/v1/events/{ticket}"): OPEN,
    ("GET", "/health/live"): OPEN,
    ("GET", "/health/ready"): OPEN,
    ("GET", "/metrics"): _TOLD,
    ("GET", "/openapi.json"): _TOLD,
    ("GET", "/docs"): _TOLD,
})  # fmt: skip
"""By method and path, with parameters as the OpenAPI document names them."""


class Caller(msgspec.Struct, frozen=True):
    """Who asks, once they were let in. Of key and person at most one is not None; neither is anybody.

    subject: whom a token beside a write key proves; None where the caller may ask about everybody.
    """

    key: Key | None = None
    person: Person | None = None
    subject: Subject | None = None

    @property
    def name(self) -> str:
        """What changes are signed with: the key's label or the person's name."""
        if self.person is not None:
            return self.person.name
        return "" if self.key is None else self.key.label

    @property
    def actor(self) -> str:
        """How an audit names the caller."""
        if self.person is not None:
            return f"person:{self.person.id}"
        return "anybody" if self.key is None else f"key:{self.key.id}"

    @property
    def allowed(self) -> frozenset[Grant]:
        """What the caller may do."""
        if self.person is not None:
            return self.person.allowed
        return frozenset() if self.key is None else self.key.allowed

    def check_may_give(self, grants: frozenset[Grant]) -> None:
        """Raise Problem (`scope_missing`) unless the caller holds all of `grants`: nobody gives what they lack."""
        lacking = sorted(grants - self.allowed)
        if lacking:
            raise Problem("scope_missing", f"This gives {lacking[0]}, which you do not have yourself.")

    def own(self, question: Question) -> Question:
        """The question as this caller may ask it. For a proven subject: about that subject, and without what shows
        the inside or the past.

        Raises Problem (`subject_mismatch`, `key_not_allowed`).
        """
        if self.subject is None:
            return question
        for asked, proven in (
            (question.user_id, self.subject.user_id),
            (question.anonymous_id, self.subject.anonymous_id),
        ):
            if asked is not None and (proven is None or not _same(asked, proven)):
                raise Problem(
                    "subject_mismatch", "The token beside the write key does not prove this subject."
                )
        if question.explain or any(
            getattr(question, name, None) is not None for name in ("as_of", "algorithm")
        ):
            raise Problem("key_not_allowed", "`explain`, `asOf` and `algorithm` take a secret key.")
        return msgspec.structs.replace(
            question, user_id=self.subject.user_id, anonymous_id=self.subject.anonymous_id
        )


ANYBODY = Caller()


class Guard:
    """Lets callers in, or raises the Problem that says why not.

    keys: gives the API keys. tokens, anonymous: how a subject is proven; without both, write keys only send.
    sessions: people who logged in; without it nobody is.
    limits: how often anybody may ask; without it, as often as they like.
    trusted: the proxies whose X-Forwarded-For counts. jar: the cookie of sessions, and which pages are ours.
    """

    def __init__(
        self,
        keys: Callable[[], Keys],
        *,
        tokens: SubjectTokens | None = None,
        anonymous: AnonymousIds | None = None,
        sessions: Sessions | None = None,
        limits: Limits | None = None,
        trusted: tuple[Network, ...] = (),
        jar: cookies.Jar | None = None,
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._anonymous = anonymous
        self._sessions = sessions
        self._limits = limits
        self._trusted = trusted
        self._jar = jar or cookies.Jar()

    def admit(self, rule: Rule, scope: Scope, headers: Headers) -> Caller:
        """Who asks, if they may. Where the key may stand in the body and no other is given: anybody; the handler
        then calls `admit_key`. Raises Problem."""
        if rule.own_page:
            cookies.check_own_page(scope["method"], headers, self._jar.site)
        open_ = rule.scope is None and not rule.person
        if open_ or (rule.local and local(scope, headers)):
            return ANYBODY
        if self._limits is None:
            return self._found(rule, scope, headers)
        try:
            return self._found(rule, scope, headers)
        except Problem as problem:
            sent = (
                b"authorization" in headers or API_KEY in headers or self._jar.session_of(headers) is not None
            )
            if problem.status == 401 and problem.code != "key_missing" and sent:
                self._limits.refused(place(scope, self._trusted))
            raise

    def admit_key(self, rule: Rule, raw: str, scope: Scope, headers: Headers) -> Caller:
        """The caller of a route with `rule` who has the key `raw`. Raises Problem."""
        key = known(self._keys(), raw)
        if rule.own:
            caller = Caller(key=key, subject=self._of_themself(rule, key, headers))
        elif rule.scope in key.allowed:
            caller = Caller(key=key)
        elif key.kind is KeyKind.SECRET:
            raise _lacks(rule)
        elif rule.subject and SUBJECT in headers:
            caller = Caller(key=key, subject=self._proven(headers[SUBJECT].decode("latin-1")))
        elif rule.page:
            caller = Caller(key=key, subject=self._perhaps(headers))
        else:
            raise Problem(
                "key_not_allowed",
                "A write key is public and may only send events. This route takes a secret key (sk_), which "
                "belongs on a server and never in a page or an app."
                + (" Or prove the subject, with its token in Heedful-Subject." if rule.subject else ""),
            )
        if key.origins:
            check_origin(key, headers)
        if self._limits is not None:
            where = place(scope, self._trusted) if key.kind is KeyKind.WRITE else ""
            if where and not here(where):  # an untold proxy on this machine would be counted for everybody
                self._limits.place(where)
            self._limits.key(key.id, key.per_minute)
        return caller

    def _found(self, rule: Rule, scope: Scope, headers: Headers) -> Caller:
        raw = presented(headers)
        if raw is not None and rule.person:
            known(self._keys(), raw)
            raise Problem("key_not_allowed", "This is for people who are logged in, and no key does it.")
        if raw is not None:
            return self.admit_key(rule, raw, scope, headers)
        if self._sessions is not None and rule.people:
            session = self._jar.session_of(headers)
            if session is not None:
                return self._person(self._sessions, rule, session, scope, headers)
        if rule.in_body:
            return ANYBODY
        if rule.person:
            raise Problem("session_over", "Nobody is logged in.")
        raise Problem("key_missing", "This route needs a secret key.", headers=CHALLENGE)

    def _person(self, sessions: Sessions, rule: Rule, session: str, scope: Scope, headers: Headers) -> Caller:
        person = sessions.check(session)
        if person is None:
            raise Problem("session_over", "The session is over, or there never was one.")
        cookies.check_own_page(scope["method"], headers, self._jar.site)
        if rule.scope is not None and rule.scope not in person.allowed:
            raise _lacks(rule)
        return Caller(person=person)

    def _of_themself(self, rule: Rule, key: Key, headers: Headers) -> Subject:
        """Who asks about themself. A secret key that may not even send is nobody's to ask with."""
        if rule.scope not in key.allowed:
            raise _lacks(rule)
        if SUBJECT not in headers:
            raise Problem(
                "key_not_allowed",
                "This route answers the person themself: send their token or signed anonymous id as "
                "Heedful-Subject.",
            )
        return self._proven(headers[SUBJECT].decode("latin-1"))

    def _perhaps(self, headers: Headers) -> Subject | None:
        """Whom the headers prove, None for nobody: where no proof is needed a bad one spoils nothing."""
        try:
            return self._proven(headers[SUBJECT].decode("latin-1")) if SUBJECT in headers else None
        except Problem:
            return None

    def _proven(self, proof: str) -> Subject:
        if proof.startswith("a1.") and self._anonymous is not None:
            identity = self._anonymous.read(proof)
            if identity is not None:
                return Subject(anonymous_id=identity)
        elif self._tokens is not None:
            try:
                return self._tokens.check(proof)
            except Invalid as invalid:
                raise problem_of(invalid) from None
        raise Problem("token_invalid", "The subject token is not taken.")


def rule_of(method: str, path: str) -> Rule:
    """The rule of a route. Raises LookupError for one that is not in the table."""
    try:
        return RULES[method, path.replace(":path}", "}")]
    except KeyError:
        raise LookupError(
            f"{method} {path} has no rule in heedful.faces.http.authorization: say who may use it"
        ) from None


def caller_of(scope: Scope) -> Caller:
    """Who was let in to this route."""
    caller: Caller = scope[CALLER]
    return caller


def _lacks(rule: Rule) -> Problem:
    return Problem("scope_missing", f"This needs the scope {rule.scope}.")


def check_origin(key: Key, headers: Headers) -> None:
    """Raise Problem (`origin_not_allowed`) for another site's page than the key is for.

    A browser names the site that a request comes from; what names none is no browser's page."""
    origin = headers.get(b"origin")
    if origin is not None and origin.decode("latin-1") not in key.origins:
        raise Problem("origin_not_allowed", "The key is not for the site that this request comes from.")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
