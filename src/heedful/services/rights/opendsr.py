"""OpenDSR 2.0, by which a controller's other systems ask for access, portability and erasure, and check the
answers.

https://github.com/opengdpr/OpenDSR names the fields. An answer carries the signature of its bytes under the key of
this processor's certificate (RSA with SHA-256, FIPS 186-4), so a controller can prove what was promised.
Identities are
taken raw only: a hash of an id that others can compute cannot be compared with a keyed pseudonym. Changes are
told to the addresses that a request names, through the guarded client (`objects.outgoing`).
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from heedful.objects.outgoing import Outgoing, Undelivered
from heedful.privacy.deadlines import end_of
from heedful.services.rights.requests import Requests
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.errors import Invalid
from heedful.vocabulary.rights import RightsRequest, Status
from heedful.vocabulary.time import Clock, iso

VERSION = "2.0"
USER, ANONYMOUS = "controller_customer_id", "heedful_anonymous_id"
TRIES = 5
_DOMAIN, _SIGNATURE = "X-OpenDSR-Processor-Domain", "X-OpenDSR-Signature"
_STATES: dict[Status, str] = {
    "received": "pending", "identity_pending": "pending", "approved": "pending", "running": "in_progress",
    "partial": "in_progress", "failed": "in_progress", "done": "completed", "denied": "cancelled",
    "cancelled": "cancelled",
}  # fmt: skip


class Identity(msgspec.Struct, frozen=True):
    """Whom it is about."""

    identity_type: str
    identity_value: Annotated[str, Meta(min_length=1, max_length=200)]
    identity_format: Literal["raw", "md5", "sha1", "sha256"] = "raw"


class SubjectRequest(msgspec.Struct, frozen=True):
    """The body of `POST /requests`."""

    subject_request_id: str
    subject_request_type: Literal["access", "portability", "erasure"]
    subject_identities: Annotated[tuple[Identity, ...], Meta(min_length=1, max_length=100)]
    regulation: Literal["gdpr", "ccpa"] = "gdpr"
    submitted_time: str = ""
    api_version: str = VERSION
    status_callback_urls: Annotated[tuple[str, ...], Meta(max_length=10)] = ()
    extensions: dict[str, Any] = {}


class ProcessorKey(Protocol):
    """The key of this processor's certificate."""

    def sign(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256."""

    def certificate(self) -> bytes:
        """The certificate in PEM."""


class Signed(NamedTuple):
    """An answer. headers: what proves it."""

    body: bytes
    headers: dict[str, str]


def _nobody(what: str) -> None:
    """Where there is no audit."""


class OpenDsr:
    """The service. domain: this processor's, as in its certificate. controller: the id by which answers name
    the one who asked."""

    def __init__(
        self,
        requests: Requests,
        pseudonyms: Pseudonyms,
        key: Callable[[], ProcessorKey],
        outgoing: Outgoing,
        clock: Clock,
        *,
        domain: str,
    ) -> None:
        self._requests = requests
        self._pseudonyms = pseudonyms
        self._made_key = key
        self._key: ProcessorKey | None = None
        self._outgoing = outgoing
        self._clock = clock
        self._domain = domain
        self._waiting: deque[tuple[str, RightsRequest, int]] = deque(maxlen=10_000)

    def discovery(self) -> Signed:
        """What this processor can do."""
        return self.signed({
            "api_version": VERSION,
            "supported_identities": [
                {"identity_type": kind, "identity_format": "raw"} for kind in (USER, ANONYMOUS)
            ],
            "supported_subject_request_types": ["access", "portability", "erasure"],
            "processor_certificate": f"https://{self._domain}/opendsr/certificate.pem",
        })  # fmt: skip

    def certificate(self) -> bytes:
        """The certificate, which anybody may have."""
        return self._keyed().certificate()

    def create(self, body: bytes, controller: str, tell: Callable[[str], None] = _nobody) -> Signed:
        """Take a request: the controller vouches for the person's identity. Addresses to be told are looked up now
        and again when they are used. tell: is given `request:ID` before anything is kept.

        Raises Invalid, Conflict for an id that is taken.
        """
        asked = _read(body)
        for url in asked.status_callback_urls:
            self._outgoing.allowed(url)
        subjects = []
        for place, one in enumerate(asked.subject_identities):
            if one.identity_format != "raw" or one.identity_type not in (USER, ANONYMOUS):
                raise Invalid(
                    "identity_unsupported", f"identities are raw and one of {USER}, {ANONYMOUS}",
                    path=f"subject_identities[{place}]",
                )  # fmt: skip
            named = self._pseudonyms.user if one.identity_type == USER else self._pseudonyms.anonymous
            subjects.append(named(one.identity_value))
        tell(f"request:{asked.subject_request_id}")
        made = self._requests.create(
            asked.subject_request_type, subjects, regulation=asked.regulation, proof="verified",
            author=controller, reference=controller, identity=asked.subject_request_id,
            callbacks=asked.status_callback_urls,
        )  # fmt: skip
        return self.signed({
            "controller_id": controller, "expected_completion_time": _expected(made),
            "received_time": made.received,
            "encoded_request": b64encode(body).decode(), "subject_request_id": made.id, "api_version": VERSION,
        })  # fmt: skip

    def status(self, identity: str, controller: str) -> Signed:
        """Where a request of this controller's stands. Raises NotFound, Invalid for another's."""
        return self.signed(self._told(self._own(identity, controller)))

    def cancel(
        self, identity: str, body: bytes, controller: str, tell: Callable[[str], None] = _nobody
    ) -> Signed:
        """Stop a request that is not under way. tell: as of `create`. Raises NotFound, Invalid."""
        self._own(identity, controller)
        tell(f"request:{identity}")
        self._requests.move(identity, "cancelled", author=controller)
        return self.signed({
            "controller_id": controller, "subject_request_id": identity, "received_time": iso(self._clock.now()),
            "encoded_request": b64encode(body).decode(), "api_version": VERSION,
        })  # fmt: skip

    def changed(self, request: RightsRequest) -> None:
        """Remember to tell of a change."""
        self._waiting.extend((url, request, 0) for url in request.callbacks)

    def deliver(self) -> int:
        """Tell of changes; returns how many were told. Waits for the network: not for the owner's thread.
        What cannot be told is tried again, `TRIES` times in all."""
        told = 0
        for _ in range(len(self._waiting)):
            url, request, tries = self._waiting.popleft()
            said = self.signed({**self._told(request), "status_callback_url": url})
            try:
                self._outgoing.post(url, said.body, {"Content-Type": "application/json", **said.headers})
                told += 1
            except Undelivered:
                if tries + 1 < TRIES:
                    self._waiting.append((url, request, tries + 1))
            except Invalid:
                continue  # its name means an address inside now: never again
        return told

    def signed(self, document: dict[str, Any]) -> Signed:
        """`document` with the headers that prove it."""
        body = msgspec.json.encode(document)
        signature = b64encode(self._keyed().sign(body)).decode()
        return Signed(body, {_DOMAIN: self._domain, _SIGNATURE: signature})

    def _told(self, kept: RightsRequest) -> dict[str, Any]:
        return {
            "controller_id": kept.reference, "expected_completion_time": _expected(kept),
            "subject_request_id": kept.id, "request_status": _STATES[kept.status], "api_version": VERSION,
            "results_url": f"https://{self._domain}/v1/privacy/disclose" if kept.status == "done"
            and kept.verb in ("access", "portability") else None,
        }  # fmt: skip

    def _own(self, identity: str, controller: str) -> RightsRequest:
        kept = self._requests.get(identity)
        if kept.reference != controller:
            raise Invalid("not_yours", "this request is another controller's", path="subject_request_id")
        return kept

    def _keyed(self) -> ProcessorKey:
        if self._key is None:
            self._key = self._made_key()
        return self._key


def _read(body: bytes) -> SubjectRequest:
    try:
        asked = msgspec.json.decode(body, type=SubjectRequest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Invalid("request_invalid", str(error)[:300]) from error
    try:
        known = UUID(asked.subject_request_id)
    except ValueError:
        known = None
    if known is None or known.version != 4 or str(known) != asked.subject_request_id.lower():
        raise Invalid(
            "request_invalid", "subject_request_id is a UUID of version 4", path="subject_request_id"
        )
    if asked.api_version.partition(".")[0] not in ("1", "2"):
        raise Invalid("request_invalid", "api_version is 1.0 or 2.0", path="api_version")
    if asked.submitted_time:
        try:
            datetime.fromisoformat(asked.submitted_time)
        except ValueError:
            raise Invalid("request_invalid", "submitted_time is RFC 3339", path="submitted_time") from None
    return msgspec.structs.replace(asked, subject_request_id=str(known))


def _expected(kept: RightsRequest) -> str:
    return iso(end_of(date.fromisoformat(kept.due)))
