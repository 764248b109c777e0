"""Whom a flag is asked for: an OpenFeature context, read once."""

from __future__ import annotations

from typing import Any, NamedTuple

from heedful.experiments.assignment import attributes_of
from heedful.vocabulary.access import Subject
from heedful.vocabulary.errors import Invalid

MAX_NAME = 200
_IDS = ("targetingKey", "userId", "anonymousId")


class Asked(NamedTuple):
    """A question. context: plain JSON as it was sent. user, anonymous: whose flags these are; both "" is nobody.

    stored: whether what is kept about the person may be read, besides their refusals.
    """

    context: dict[str, Any]
    user: str = ""
    anonymous: str = ""
    stored: bool = True

    @property
    def attributes(self) -> dict[str, Any]:
        """What conditions and lots go by. `id` is the person's own id, whatever else the context calls so."""
        return {
            **attributes_of(self.context),
            "id": self.user or None,
            "anonymousId": self.anonymous or None,
        }


def asked_of(context: Any, *, proven: Subject | None = None, stored: bool = True) -> Asked:
    """The question that a context asks. None is an empty one.

    The user is `userId`, else `targetingKey` unless that is the `anonymousId`. proven: whose flags they are
    whatever the context says.

    Raises Invalid (`context_invalid`).
    """
    context = {} if context is None else context
    attributes_of(context)  # is it an object, and not too large?
    said = {name: _text(context, name) for name in _IDS}
    key, anonymous = said["targetingKey"], said["anonymousId"]
    if proven is not None:
        return Asked(context, proven.user_id or "", proven.anonymous_id or "", stored)
    user = said["userId"] or ("" if key == anonymous else key)
    return Asked(context, user, anonymous, stored)


def _text(context: dict[str, Any], name: str) -> str:
    value = context.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_NAME or "\x00" in value:
        raise Invalid(
            "context_invalid", f"{name}: a text of at most {MAX_NAME} characters", path=f"context.{name}"
        )
    return value
