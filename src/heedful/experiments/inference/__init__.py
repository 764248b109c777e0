"""The statistics of experiments, on sums of whole numbers: every result is an `Estimate` or a `Refusal`.

Pure functions and frozen values; nothing here reads a log, a clock or a setting. `docs/statistics.md` has
every formula with its source. In the order in which they build on each other: `special` (distributions),
`answers` (Estimate, Refusal), `sums` and `sketch` (what is added up), `arms` (means and covariances),
`contrasts` (effects and their variance), `plans` and `methods` (intervals), then what is made of them:
`quantiles`, `strata`, `heterogeneity`, `multiplicity`, `ratio` (sample ratio), `power`, `novelty`,
`adaptive`, `scorecard`.
"""
