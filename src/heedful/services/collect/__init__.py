"""The door: Segment tracking calls become checked events, durable records, and an answer for each."""

from heedful.services.collect.calls import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_EVENT_BYTES,
    Call,
    Message,
    read_call,
)
from heedful.services.collect.collect import Collect, Submitter
from heedful.services.collect.commerce import Names
from heedful.services.collect.records import Origin, to_records

__all__ = [
    "MAX_BATCH_BYTES",
    "MAX_BATCH_EVENTS",
    "MAX_EVENT_BYTES",
    "Call",
    "Collect",
    "Message",
    "Names",
    "Origin",
    "Submitter",
    "read_call",
    "to_records",
]
