"""Figures for Prometheus. The hot path adds to plain integers; they become metrics when somebody asks.

No label names a person or an item, so the number of series does not grow with either.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from heedful.faces.engine import Engine
from heedful.vocabulary.collection import EventFate
from heedful.vocabulary.receipt import Status

BOUNDS = (0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of the histogram's buckets, in seconds."""

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_OURS = frozenset({"events_total", "requests_total", "decisions_total", "request_seconds"})


class RouteMeter:
    """How often one route answered what, and how long that took."""

    __slots__ = ("buckets", "codes", "seconds")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def observe(self, status: int, seconds: float) -> None:
        """Count one answer."""
        self.codes[status] = self.codes.get(status, 0) + 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class Meters(Collector):
    """Everything that this face counts, and what the inside counts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._routes: dict[str, RouteMeter] = {}
        self.fates: dict[str, int] = {status.value: 0 for status in Status}
        self.decisions = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def route(self, name: str) -> RouteMeter:
        """The meter of a route, by its template."""
        meter = self._routes.get(name)
        if meter is None:
            meter = self._routes[name] = RouteMeter()
        return meter

    def count_fates(self, fates: Iterable[EventFate]) -> None:
        """Count what became of events."""
        counts = self.fates
        for fate in fates:
            counts[fate.status] += 1

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Turn the integers into metrics."""
        events = CounterMetricFamily("heedful_events", "Events by what became of them.", labels=["status"])
        for status, count in self.fates.items():
            events.add_metric([status], count)
        yield events
        yield CounterMetricFamily("heedful_decisions", "Recommendations answered.", value=self.decisions)
        requests = CounterMetricFamily("heedful_requests", "Requests by answer.", labels=["route", "code"])
        seconds = HistogramMetricFamily(
            "heedful_request_seconds", "From a request's head to its answer.", labels=["route"]
        )
        for route, meter in self._routes.items():
            for code, count in sorted(meter.codes.items()):
                requests.add_metric([route, str(code)], count)
            bounds = [*map(str, BOUNDS), "+Inf"]
            cumulative = accumulate(meter.buckets)
            seconds.add_metric([route], list(zip(bounds, cumulative, strict=True)), meter.seconds)
        yield requests
        yield seconds
        yield from self._inside()

    def _inside(self) -> Iterator[Metric]:
        status = self._engine.status()
        yield GaugeMetricFamily("heedful_ready", "1 while answers are to be had.", value=float(status.ready))
        stopped = float(status.log_stopped is not None)
        yield GaugeMetricFamily("heedful_log_stopped", "1 once the log takes no more writes.", value=stopped)
        for name, value in sorted(status.counters.items()):
            if not _NAME.fullmatch(name) or name in _OURS:
                continue
            text = f"{name.replace('_', ' ')}."
            if name.endswith("_total"):
                yield CounterMetricFamily(f"heedful_{name.removesuffix('_total')}", text, value=value)
            else:
                yield GaugeMetricFamily(f"heedful_{name}", text, value=value)
