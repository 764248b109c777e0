"""The definitions, from their files: data, so that what a figure means can be read beside it."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from heedful.vocabulary.metric import MetricDefinition


@cache
def definitions() -> dict[str, MetricDefinition]:
    """Every metric's definition, by name."""
    found = {}
    for file in sorted(files(__package__).joinpath("definitions").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            told = tomllib.loads(file.read_text(encoding="utf-8"))
            found[told["name"]] = msgspec.convert(told, MetricDefinition)
    return found
