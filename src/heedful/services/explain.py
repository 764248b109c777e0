"""Everything that happened on the way to an answer, in external ids, for people who may see it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.pipeline.candidates import KEPT
from heedful.pipeline.context import Context
from heedful.pipeline.pipeline import Pipeline, Slate
from heedful.pipeline.placing import Spot
from heedful.pipeline.ranker import Learned
from heedful.views.dictionary import MISSING


def trace(pipeline: Pipeline, slate: Slate, context: Context, spot: Spot, *, held: bool) -> dict[str, Any]:
    """What the pipeline's last run did, as plain JSON values."""
    ids, candidates, names = pipeline.items.ids, pipeline.candidates, pipeline.names
    items, reasons = candidates.items, candidates.reasons
    kept = reasons == KEPT
    ranker = pipeline.ranker
    learned = ranker if isinstance(ranker, Learned) and ranker.model is not None else None
    return {
        "subjectKnown": context.subject != MISSING,
        "placementVersion": spot.version,
        "holdout": held,
        "model": ranker.name,
        **({"taste": taste} if (taste := pipeline.taste()) else {}),
        "trail": [ids[item] for item in context.trail.tolist()],
        "stages": [
            {
                "stage": stage.stage,
                "name": stage.name,
                "microseconds": stage.nanoseconds / 1_000,
                "considered": stage.considered,
                "kept": stage.kept,
                "removed": stage.removed,
            }
            for stage in slate.stages
        ],
        "removed": {
            stage.name: [ids[item] for item in items[reasons == stage.reason].tolist()]
            for stage in slate.stages
            if stage.stage == "filter" and stage.removed
        },
        "candidates": [
            {
                "itemId": ids[item],
                "score": score,
                "sources": {name: value for name, value in zip(names, row, strict=True) if value > 0},
            }
            for item, score, row in zip(
                items[kept].tolist(),
                candidates.totals[kept].tolist(),
                candidates.scores[kept].tolist(),
                strict=True,
            )
        ],
        **({} if learned is None else _told(learned, learned.tell(context, candidates)[kept])),
    }


def _told(ranker: Learned, features: NDArray[np.float32]) -> dict[str, Any]:
    """The features of every candidate, and what each group of them gave to its score."""
    return {
        "features": [
            dict(zip(ranker.features.names, row, strict=True)) for row in features.round(6).tolist()
        ],
        "shares": [ranker.shares(row) for row in features],
    }
