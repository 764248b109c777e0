"""Heedful: real-time personalization that learns from each event, says why, and forgets exactly.

from heedful import Heedful

h = Heedful(":memory:")
h.track("Product Viewed", user_id="ada", properties={"product_id": "kettle"})
h.recommend("ada").items
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heedful.compose import Heedful

__all__ = ["Heedful", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # The engine's imports wait until it is asked for, so that a floor can import another through here.
    if name == "Heedful":
        from heedful.compose import Heedful

        return Heedful
    raise AttributeError(f"module 'heedful' has no attribute {name!r}")
