"""Global Privacy Control on the wire: the header `Sec-GPC`.

https://www.w3.org/TR/gpc/
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from heedful.faces.http.exchange import Headers, Scope
from heedful.privacy.signals import HEADER, gpc_of
from heedful.vocabulary.recommendation import RecommendRequest
from heedful.vocabulary.variants import DecideRequest

Question = TypeVar("Question", RecommendRequest, DecideRequest)


def on(scope: Scope, headers: Headers) -> bool:
    """Whether a request says `Sec-GPC: 1`; of several such headers one is enough."""
    if HEADER not in headers:
        return False
    return gpc_of(value for name, value in scope["headers"] if name == HEADER)


def signalled(question: Question) -> Question:
    """A question that came with the header, as if its context said so. Consent that cannot be read stays so."""
    if isinstance(question, RecommendRequest):
        said = with_signal(question.context.consent)
        context = msgspec.structs.replace(question.context, consent=said)
        return msgspec.structs.replace(question, context=context)
    return msgspec.structs.replace(
        question, context={**question.context, "consent": with_signal(question.context.get("consent"))}
    )


def with_signal(consent: Any) -> Any:
    """What a context says of consent, and the header's opt-out."""
    if consent is None:
        return {"gpc": True}
    return {**consent, "gpc": True} if isinstance(consent, dict) else consent
