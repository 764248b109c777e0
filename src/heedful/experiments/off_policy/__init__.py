"""What another policy would have earned on the traffic that there was, with gates that refuse to say."""

from heedful.experiments.off_policy.logs import Logged
from heedful.experiments.off_policy.tuning import slope
from heedful.experiments.off_policy.verdicts import Estimated, Gate, Refusal, Report, effective_size, report

__all__ = ["Estimated", "Gate", "Logged", "Refusal", "Report", "effective_size", "report", "slope"]
