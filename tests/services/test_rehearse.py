"""After the rehearsal no kernel is left to be made ready, whatever the first people do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from numba.core.registry import CPUDispatcher

from heedful.compose import rehearse_kernels
from heedful.models.linear import Linear, _score
from heedful.pipeline.ranker import Learned
from heedful.vocabulary.variants import Algorithm
from tests.services.shop import Shop


def ready() -> set[str]:
    """Every kernel that was compiled or loaded in this process, with its types."""
    return {
        f"{name} {kernel.py_func.__name__} {signature}"
        for name, module in list(sys.modules.items())
        if name.startswith("heedful")
        for kernel in list(vars(module).values())
        if isinstance(kernel, CPUDispatcher)
        for signature in kernel.signatures
    }


def open_shop() -> Shop:
    """Twenty things, two of each group, and thirty people who look, take, buy, hide and give back."""
    shop = Shop()
    shop.put_items([
        {"id": f"i{n}", "title": f"Thing {n} of steel", "categories": ["ab"[n % 2], "c"],
         "price": {"minor": 9 * n}, "vector": [1.0, n / 10, 0.3], "published": "2026-11-01T00:00:00Z",
         "properties": {"group": f"g{n // 2}"}}
        for n in range(20)
    ])  # fmt: skip
    for number in range(30):
        who = f"p{number}"
        shop.views(who, *(f"i{number * step % 20}" for step in (1, 3, 7)))
        shop.wait(7)
        if number % 3 == 0:
            shop.does("Product Added", who, "i3")
            shop.buys(who, f"i{number % 20}", "i1", order=f"o{number}")
    shop.does("hide", "p1", "i4")
    shop.does("Order Refunded", "p3", order_id="o3", products=[{"product_id": "i3"}])
    shop.does("Order Cancelled", "p6", order_id="o6")
    shop.views("p2", "i9", ago=300)
    return shop


def a_day(shop: Shop) -> None:
    """Questions of every kind, and what comes of the answers."""
    for question in (
        {}, {"item_id": "i3"}, {"limit": 100}, {"exclude": ["i1"]}, {"explain": True},
        {"filter": {"field": "price", "op": "lt", "value": 90}}, {"as_of": "2026-11-23T11:00:00Z"},
    ):  # fmt: skip
        for who in (None, "p1", "p3", "nobody"):
            shop.recommend(who, **question)
    every = dict.fromkeys(shop.engine.placements.sources, 1.0)
    for fields in (
        {"diversity": 0.5}, {"calibration": 0.5}, {"exploration": {"slots": 3, "share": 0.5}}, {"sources": every},
        {"rules": [{"rule": "do_not_repeat", "name": "rest", "hours": 1}]},
    ):  # fmt: skip
        shop.put_placement("home", **fields)
        shop.recommend("p1", placement="home", limit=5)
    ranker = shop.engine.recommending.pipeline("default").ranker
    assert isinstance(ranker, Learned)
    for algorithm in Algorithm:
        for number in range(5):
            answer = shop.decide(
                f"p{number}",
                placement="hero",
                variants=["a", "b"],
                algorithm=algorithm,
                context={"n": number},
            )
            shop.does("Product Clicked", f"p{number}", "i1", decision_id=answer.decision_id)
    for number in range(25):
        items = shop.recommend(f"p{number}", limit=5)
        shop.does("Product Clicked", f"p{number}", items.items[0].item_id, decision_id=items.decision_id)
    for metric in shop.metrics():
        shop.metric(metric.name)
    for allowed in (b"false", b"true"):
        said = b'{"userId": "p3", "choices": {"*": ' + allowed + b"}}"
        shop.engine.collect("consent", said, "shop", lambda _: None)
        shop.views("p3", "i2")
    assert shop.verify().agrees
    shop.engine.fold.retract(shop.engine.stored()[30:60])
    names = ranker.features.names
    ranker.adopt("model", Linear(names, np.ones(len(names)), np.ones(len(names))))
    shop.recommend("p1", explain=True)


def main() -> None:
    """Print every kernel that the rehearsal left out."""
    rehearse_kernels()
    before = ready()
    a_day(open_shop())
    print("\n".join(sorted(ready() - before)))


def test_a_whole_day_meets_no_kernel_that_was_not_rehearsed() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "from tests.services.test_rehearse import main; main()"],
        check=False, capture_output=True, text=True, timeout=400, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "src:."},
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_the_check_sees_a_kernel_that_nobody_rehearsed() -> None:
    before = ready()
    _score(np.zeros((1, 1), dtype=np.int8), np.zeros(1), np.ones(1), np.ones(1))
    assert any(" _score " in one for one in ready() - before)
