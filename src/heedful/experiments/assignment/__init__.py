"""Who gets which arm: a pure function of the definition and of what is known of somebody."""

from heedful.experiments.assignment.choice import Assigner, Assignment, Why, holdout_experiment, in_layer
from heedful.experiments.assignment.crossovers import Crossovers, Met, Standing, crossovers, standing
from heedful.experiments.assignment.definitions import check_cycles, check_layers
from heedful.experiments.assignment.hashing import bucket
from heedful.experiments.assignment.queries import Group, Query, TooCostly
from heedful.experiments.assignment.sticky import Documents, Kept, with_kept
from heedful.experiments.assignment.targeting import Subject, Targeting

__all__ = [
    "Assigner",
    "Assignment",
    "Crossovers",
    "Documents",
    "Group",
    "Kept",
    "Met",
    "Query",
    "Standing",
    "Subject",
    "Targeting",
    "TooCostly",
    "Why",
    "bucket",
    "check_cycles",
    "check_layers",
    "crossovers",
    "holdout_experiment",
    "in_layer",
    "standing",
    "with_kept",
]
