"""Experiments as a service: definitions and their life, who gets which arm now, and what came of it."""

from heedful.services.experiments.assign import Assign, Assigned, Part
from heedful.services.experiments.guard import Guard
from heedful.services.experiments.life import Experiments, ExperimentVersion
from heedful.services.experiments.ratios import Ratios
from heedful.services.experiments.results import Result, Results

__all__ = [
    "Assign", "Assigned", "ExperimentVersion", "Experiments", "Guard", "Part", "Ratios", "Result", "Results",
]  # fmt: skip
