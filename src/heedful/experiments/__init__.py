"""Knowing whether it helps: who gets which arm (`assignment`, `flags`, `interleaving`), and what came of it
(`inference`, `off_policy`). Pure functions of definitions and sums; a sibling of models, surveys and privacy."""
