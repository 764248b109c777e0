"""Fitting rankers to what happened: gather examples by replay, fit, judge beside what answers now, promote."""
