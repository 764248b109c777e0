"""What a decision costs: its bytes and the time to write and read them, beside the JSON of version 1."""

from __future__ import annotations

import timeit
from random import Random
from string import ascii_letters, digits
from typing import Any

import msgspec

from benchmarks.table import Row
from heedful.vocabulary.decision import Decision, decode_decision, encode_decision, outline_of
from heedful.vocabulary.ids import ItemId

_TIMES = 5_000


def _slate() -> Decision:
    """Twenty items with ids of 8 to 12 letters, three items as reasons."""
    random = Random(1)
    names = ["".join(random.choices(ascii_letters + digits, k=random.randint(8, 12))) for _ in range(23)]
    return Decision(
        placement="home",
        items=[ItemId(name) for name in names[:20]],
        seed=random.getrandbits(64),
        scores=sorted((random.random() * 2 for _ in range(20)), reverse=True),
        propensities=[1.0] * 20,
        reasons=bytes(random.choices(range(1, 7), k=20)),
        because=random.choices(names[20:], k=20),
        position="v1.39515123",
        personalized=True,
        policy="greedy",
        model="trees-17",
        limit=20,
    )


def run() -> list[Row]:
    """Rows for the table, minima of nine runs."""
    slate = _slate()
    packed = encode_decision(slate)
    first: dict[str, Any] = {
        "placement": "home", "items": list(slate.items), "seed": slate.seed,
        "scores": [round(score, 6) for score in slate.scores], "propensities": list(slate.propensities),
        "reasons": ["viewed_together"] * 20, "position": slate.position, "personalized": True,
    }  # fmt: skip
    encode = msgspec.json.Encoder().encode

    def least(call: Any) -> float:
        return min(timeit.repeat(call, number=_TIMES, repeat=9)) / _TIMES * 1e6

    json = least(lambda: encode(first))
    write = least(lambda: encode_decision(slate))
    return [
        Row("a decision of 20 items", float(len(packed)), "bytes", "400"),
        Row("the same as JSON of version 1", float(len(encode(first))), "bytes", ""),
        Row("writing it", write, "µs", "6"),
        Row("writing the JSON", json, "µs", ""),
        Row("writing, times the JSON", write / json, "x", ""),
        Row("reading it", least(lambda: decode_decision(packed)), "µs", ""),
        Row("reading its outline, as the fold does", least(lambda: outline_of(packed)), "µs", ""),
    ]
