"""Two rankers in one list, so that each person compares them: far fewer sessions than an A/B test needs."""

from heedful.experiments.interleaving.preference import Preference, Verdict, by_unit, outcome, preference
from heedful.experiments.interleaving.team_draft import Draft, Team, credited, enumeration, team_draft

__all__ = [
    "Draft",
    "Preference",
    "Team",
    "Verdict",
    "by_unit",
    "credited",
    "enumeration",
    "outcome",
    "preference",
    "team_draft",
]
