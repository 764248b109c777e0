"""Flags: what each is for somebody, and when an answer about them still holds."""

from heedful.experiments.flags.entity_tags import configuration_digest, entity_tag, is_current, stretches
from heedful.experiments.flags.evaluation import ErrorCode, Evaluation, Flags, Reason

__all__ = [
    "ErrorCode",
    "Evaluation",
    "Flags",
    "Reason",
    "configuration_digest",
    "entity_tag",
    "is_current",
    "stretches",
]
