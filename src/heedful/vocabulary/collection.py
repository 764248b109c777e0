"""What collecting answers, as it stands on the wire (camel case, JSON)."""

from __future__ import annotations

import msgspec

from heedful.vocabulary.receipt import Status


class EventFate(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What became of one event. `code` and `path` say why and where it was refused, `message` what to do."""

    message_id: str
    status: Status
    code: str = ""
    path: str = ""
    message: str = ""


class CollectAnswer(msgspec.Struct, frozen=True):
    """The answer to one call: accepted + duplicate + refused = received, in the order received.

    success: always True on the wire; whole-call failures are problem documents.
    position: a read that carries it in `after` sees these events.
    """

    success: bool
    position: str
    events: tuple[EventFate, ...]
