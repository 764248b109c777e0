"""The baselines by the names that tables and the command line use."""

from __future__ import annotations

from collections.abc import Callable

from heedful.models.baselines.baseline import Baseline
from heedful.models.baselines.item_knn import ItemKnn
from heedful.models.baselines.popularity import DecayedPopular, Popular, RecentPopular
from heedful.models.baselines.session_knn import VsKnn, Vstan
from heedful.models.baselines.succession import Markov, SequentialRules

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
