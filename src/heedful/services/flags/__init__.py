"""Flags as a service: definitions with versions, evaluation with the experiments that run, exposures."""

from heedful.services.flags.asked import Asked, asked_of
from heedful.services.flags.evaluate import EvaluateFlags, Whole
from heedful.services.flags.expose import Expose
from heedful.services.flags.flags import Flags, FlagVersion

__all__ = ["Asked", "EvaluateFlags", "Expose", "FlagVersion", "Flags", "Whole", "asked_of"]
