"""The decorator for numeric kernels, from the floor below, where the log's own tables use it too."""

from __future__ import annotations

from heedful.log.compiled import compiled

__all__ = ["compiled"]
