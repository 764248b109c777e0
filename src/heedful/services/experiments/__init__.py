"""Experiments as a service: definitions and their life, who gets which arm now, and what came of it."""

from heedful.services.experiments.assign import Assign, Assigned, Part
from heedful.services.experiments.life import Experiments, ExperimentVersion
from heedful.services.experiments.results import Result, Results

__all__ = ["Assign", "Assigned", "ExperimentVersion", "Experiments", "Part", "Result", "Results"]
