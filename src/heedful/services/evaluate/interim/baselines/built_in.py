"""The baselines by the names that tables and the command line use."""

from __future__ import annotations

from collections.abc import Callable

from heedful.services.evaluate.interim.baselines.baseline import Baseline
from heedful.services.evaluate.interim.baselines.item_knn import ItemKnn
from heedful.services.evaluate.interim.baselines.popularity import DecayedPopular, Popular, RecentPopular
from heedful.services.evaluate.interim.baselines.session_knn import VsKnn, Vstan
from heedful.services.evaluate.interim.baselines.succession import Markov, SequentialRules

BUILT_IN: dict[str, Callable[[], Baseline]] = {
    "popular": Popular,
    "recent-popular": RecentPopular,
    "decayed-popular": DecayedPopular,
    "markov": Markov,
    "item-knn": ItemKnn,
    "vs-knn": VsKnn,
    "vstan": Vstan,
    "sequential-rules": SequentialRules,
}
"""Each call makes a new one that knows nothing."""
