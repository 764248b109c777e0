"""Failures on the wire: problem documents (RFC 9457) with a stable code and what to do.

`message` repeats `detail`, because Segment's clients read {"code", "message"}. A failure that we did not
foresee says nothing of the inside: only a request id, which stands in the log beside the stack.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from http import HTTPStatus
from types import MappingProxyType

import msgspec

from heedful.faces.http.exchange import Headers, Reply
from heedful.vocabulary.errors import (
    Conflict,
    HeedfulError,
    Invalid,
    KeyUnavailable,
    LogUnavailable,
    NotFound,
    Overloaded,
    RecordsUnavailable,
    TooLarge,
)

_KEYS_AGAIN = 60
"""Seconds after which to come again where only a person can bring the keys back."""


class Kind(msgspec.Struct, frozen=True):
    """One sort of failure. `action` is what the caller can do about it."""

    status: int
    title: str
    action: str


KINDS = MappingProxyType({
    "request_invalid": Kind(400, "The request is not valid", "Correct the field that `path` names."),
    "json_invalid": Kind(400, "The body is not JSON", "Send one JSON document in UTF-8."),
    "json_too_deep": Kind(400, "The JSON is nested too deeply", "Nest at most 32 levels."),
    "json_nul": Kind(400, "A NUL character cannot be kept", "Leave it out."),
    "batch_missing": Kind(400, "There is no array of events", "Send `{\"batch\": [...]}`."),
    "encoding_invalid": Kind(400, "The body does not decompress", "Check Content-Encoding against the body."),
    "key_missing": Kind(401, "A key is needed", "Send `Authorization: Bearer <key>`, or the key as the user "
                        "name of Basic credentials. Collecting also takes it as `writeKey` in the body."),
    "key_unknown": Kind(401, "This key is not known", "`heedful keys` lists them and makes new ones."),
    "key_not_allowed": Kind(403, "This key may not do this", "Use a secret key (sk_), and only on a server."),
    "token_invalid": Kind(401, "This subject token is not taken", "Sign a new one, as docs/access.md says."),
    "token_expired": Kind(401, "This subject token has expired", "Get a new one from your own server."),
    "session_over": Kind(401, "Nobody is logged in", "Log in."),
    "login_failed": Kind(401, "The name or the password is wrong", "Try again, or ask an administrator."),
    "scope_missing": Kind(403, "This credential may not do this", "Use one that has the scope that `detail` "
                          "names."),
    "subject_mismatch": Kind(403, "This token proves somebody else", "Ask for the subject that the token names."),
    "origin_not_allowed": Kind(403, "This site may not use this key", "Make a key for this origin."),
    "request_forged": Kind(403, "This request may come from another site", "Send it from the console's own page."),
    "rate_limited": Kind(429, "Too many requests", "Try again after Retry-After seconds."),
    "placement_invalid": Kind(400, "The placement is not valid", "Correct what `path` names."),
    "not_found": Kind(404, "There is no such thing", "Check the name; /openapi.json lists every route."),
    "method_not_allowed": Kind(405, "This route does not take this method", "Use a method that Allow names."),
    "too_slow": Kind(408, "The body did not arrive in time", "Try again, with a smaller body."),
    "name_taken": Kind(409, "This name is in use", "Take another."),
    "experiment_invalid": Kind(400, "The experiment is not valid", "Correct what `path` names."),
    "experiment_not_ready": Kind(400, "A check does not hold yet", "See `/v1/experiments/{name}/checks`."),
    "experiment_not_started": Kind(409, "The experiment has not started", "Start it, then ask again."),
    "experiment_status": Kind(409, "Not a step from where the experiment stands",
                              "Read it: draft, running, stopped, rolled out."),
    "metric_invalid": Kind(400, "The metric is not valid", "Correct what `path` names."),
    "metric_unknown": Kind(400, "The experiment does not measure this", "Name one of its metrics."),
    "flag_invalid": Kind(400, "The flag is not valid", "Correct what `path` names."),
    "prerequisite_cycle": Kind(400, "A flag waits for itself", "Take one of the prerequisites out."),
    "prerequisite_depth": Kind(400, "Flags wait for each other too deeply", "At most 20 in a chain."),
    "layer_overlap": Kind(400, "Two experiments share a slice", "Give them slices of their own."),
    "version_conflict": Kind(412, "Another version is in force", "Read it again, and change that one."),
    "too_large": Kind(413, "The request is too large", "Send less at a time. Nothing was stored."),
    "encoding_unknown": Kind(415, "This Content-Encoding is not known", "Send gzip, deflate or none."),
    "overloaded": Kind(429, "Too much waits already", "Try again after Retry-After seconds."),
    "internal": Kind(500, "Something failed here", "Tell the operator the requestId; the log has the rest."),
    "log_unavailable": Kind(503, "The log takes no writes", "Nothing was stored: send the same again later."),
    "key_unavailable": Kind(503, "The keys cannot be had", "Nothing was stored: send the same again after "
                            "Retry-After seconds."),
    "records_unavailable": Kind(503, "The definitions cannot be read or written", "Try again; what was in force "
                                "goes on."),
    "not_ready": Kind(503, "Not ready yet", "Try again after Retry-After seconds."),
})  # fmt: skip
"""Every failure that we say by this name. Other codes come with `request_invalid`'s status."""


class ProblemDocument(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The body of every failure.

    type: a link to the code's explanation, or about:blank.
    code: stable; programs decide by it.
    path: where in the request, as `context.itemId` or `exclude[1]`; left out where it is the whole body.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    message: str
    action: str
    request_id: str
    path: str = ""


class Problem(Exception):
    """A failure ready for the wire."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        path: str = "",
        status: int = 0,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.path, self.headers = code, detail, path, headers
        self.kind = KINDS.get(code, KINDS["request_invalid"])
        self.status = status or self.kind.status


def problem_of(error: HeedfulError) -> Problem:
    """What a failure from the inside is on the wire. What is nobody's business there becomes `internal`."""
    if isinstance(error, Invalid):
        return Problem(error.code, str(error), path=error.path)
    if isinstance(error, TooLarge | NotFound | Conflict):
        return Problem(error.code, str(error))
    if isinstance(error, Overloaded):
        return Problem("overloaded", str(error), headers=retry_after(error.retry_after))
    if isinstance(error, LogUnavailable):
        headers = () if error.retry_after is None else retry_after(error.retry_after)
        return Problem("log_unavailable", "Nothing was stored.", headers=headers)
    if isinstance(error, KeyUnavailable):
        return Problem(
            "key_unavailable", "Nothing was stored.", headers=retry_after(error.retry_after or _KEYS_AGAIN)
        )
    if isinstance(error, RecordsUnavailable):
        return Problem("records_unavailable", "Nothing was changed.", headers=retry_after(1))
    return internal()


def internal() -> Problem:
    """The failure that says nothing of the inside."""
    return Problem("internal", "The request could not be handled.")


def unreadable(error: Exception) -> Problem:
    """What a JSON body that msgspec refused is on the wire."""
    if isinstance(error, RecursionError):
        return Problem("json_too_deep", "The body is nested too deeply.")
    if isinstance(error, msgspec.ValidationError):
        text, _, path = str(error).partition(" - at `")
        return Problem("request_invalid", text, path=path.rstrip("`").lstrip("$").lstrip("."))
    return Problem("json_invalid", "The body is not a JSON document in UTF-8.")


UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What msgspec raises for bodies that it refuses."""


def retry_after(seconds: int) -> Sequence[tuple[bytes, bytes]]:
    """The header that says when to come again: up to half as much later, so that not all come at once."""
    jitter = random.randint(0, max(1, seconds // 2))  # noqa: S311 (spreads load; nobody must not guess it)
    return ((b"retry-after", b"%d" % (seconds + jitter)),)


_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")


def request_id(headers: Headers) -> str:
    """The caller's `X-Request-ID` if it is plain, otherwise a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    return f"{random.getrandbits(96):024x}"


def render(problem: Problem, identity: str) -> Reply:
    """The problem document as a reply."""
    known = problem.code in KINDS
    body = msgspec.json.encode(
        ProblemDocument(
            type=f"/docs#problem-{problem.code}" if known else "about:blank",
            title=problem.kind.title,
            status=problem.status,
            code=problem.code,
            detail=problem.detail,
            message=problem.detail,
            action=problem.kind.action,
            request_id=identity,
            path=problem.path,
        )
    )
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", identity.encode("ascii")),
        *problem.headers,
    ]
    if problem.status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
        headers.append((b"connection", b"close"))  # the rest of the body is not waited for
    return Reply(problem.status, headers, body)
