"""A drawn picture for every item: its shape, in its own colour, before a quiet backdrop.

The same item gives the same picture. It is a whole SVG document of at most 3 kB, without script, style or
links.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from heedful.playground import drawings_home as home
from heedful.playground import drawings_trail as trail
from heedful.playground.marks import Ink, box, disc, oval, shape
from heedful.vocabulary.item import Item

PALETTES: dict[str, tuple[Ink, str, str]] = {
    "Moss": (Ink("#6d8a4f", "#4f6a38", "#97b076", "#e3a23c"), "#eef1e2", "#dbe3c6"),
    "Ochre": (Ink("#dd9f34", "#b67c1d", "#f2c468", "#3f6d72"), "#fbf1dc", "#f3e0b8"),
    "Slate": (Ink("#5f7488", "#455769", "#8fa3b4", "#e58f5b"), "#e9eef2", "#d3dde5"),
    "Rust": (Ink("#c5603a", "#9c4526", "#e28d66", "#31566b"), "#fbebe2", "#f4d6c5"),
    "Fjord": (Ink("#2f7a8f", "#1e5a6d", "#62a7b6", "#f0b24b"), "#e2f0f1", "#c8e2e4"),
    "Sand": (Ink("#cfb083", "#ab8a5c", "#e6d0ab", "#a8543a"), "#f8f2e7", "#ecdfc8"),
    "Pine": (Ink("#33695a", "#224c41", "#629583", "#e7b45a"), "#e4f0eb", "#cae0d7"),
    "Plum": (Ink("#875a86", "#654066", "#b189ad", "#e8b452"), "#f4ebf3", "#e6d3e5"),
    "Clay": (Ink("#b9775b", "#955a41", "#d7a087", "#3d6a62"), "#f8ece5", "#edd6ca"),
    "Ink": (Ink("#3a4c78", "#28365a", "#6a7db0", "#f0a35c"), "#e8ebf5", "#d0d7ea"),
    "Sage": (Ink("#8fa98f", "#6d896e", "#b7cbb5", "#c9694c"), "#f0f4ee", "#dde7da"),
    "Honey": (Ink("#efb83e", "#ca9020", "#fad985", "#7b4b33"), "#fdf5df", "#f8e6b6"),
    "Heather": (Ink("#9a83b8", "#766094", "#c2b1d7", "#e2a24a"), "#f2eef8", "#e0d8ed"),
    "Poppy": (Ink("#dc4f42", "#b1362d", "#f08a79", "#2f4f66"), "#fdeae7", "#f8d2cc"),
    "Lagoon": (Ink("#3fa79c", "#2a8077", "#7fcbc1", "#ef7f57"), "#e3f5f2", "#c5e8e3"),
    "Charcoal": (Ink("#59606b", "#3f454f", "#8b929c", "#e9a93f"), "#eeeff1", "#dbdde1"),
}
"""By the colour an item is sold in: the ink, the backdrop, and what is painted on the backdrop."""

DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "ridge": trail.ridge, "dome": trail.dome, "tipi": trail.tipi, "tarp": trail.tarp, "mummy": trail.mummy,
    "mat": trail.mat, "pillow": trail.pillow, "rucksack": trail.rucksack, "daypack": trail.daypack,
    "duffel": trail.duffel, "boot": trail.boot, "shoe": trail.shoe, "sock": trail.sock, "jacket":
    trail.jacket, "puffer": trail.puffer, "sweater": trail.sweater, "beanie": trail.beanie, "stove":
    home.stove, "skillet": home.skillet, "pot": home.pot, "bottle": home.bottle, "mug": home.mug, "kettle":
    home.kettle, "lantern": home.lantern, "headlamp": home.headlamp, "candle": home.candle, "lamp": home.lamp,
    "knife": trail.knife, "axe": trail.axe, "compass": trail.compass, "binoculars": trail.binoculars,
    "blanket": home.blanket, "cushion": home.cushion, "rug": home.rug, "planter": home.planter, "can":
    home.can, "birdhouse": home.birdhouse, "trowel": home.trowel, "chair": home.chair, "hammock":
    home.hammock, "table": home.table, "firebowl": home.firebowl,
}  # fmt: skip

OUTDOORS = frozenset({"ridge", "dome", "tipi", "tarp", "hammock", "chair", "firebowl", "table", "birdhouse"})
"""Shapes that stand before hills rather than on a shelf."""
LYING = frozenset({"knife", "axe", "trowel", "skillet", "rug", "compass"})
"""Shapes seen from above, or hanging: they cast no shadow on the ground."""


def picture(item: Item) -> str:
    """The item's SVG document, 240 by 240. Raises KeyError for an item that is not from this shop."""
    seed = hashlib.blake2b(item.id.encode(), digest_size=2).digest()
    ink, ground, paint = PALETTES[item.properties["color"]]
    name = item.properties["shape"]
    backdrop = _hills(seed[0], paint) if name in OUTDOORS else _plain(seed[0], paint)
    shadow = "" if name in LYING else oval("#00000018", 120, 188, 92, 9)
    drawing = DRAWINGS[name](ink)
    if seed[1] % 2:
        drawing = f'<g transform="matrix(-1 0 0 1 240 0)">{drawing}</g>'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240" width="240" height="240">'
        f"{box(ground, 0, 0, 240, 240)}{backdrop}{shadow}{drawing}</svg>"
    )


def _plain(luck: int, paint: str) -> str:
    """A disc, an arch, or a shelf behind the thing."""
    return (
        disc(paint, 120, 122, 96),
        shape(paint, "M36 240V120A84 84 0 0 1 204 120V240Z"),
        disc(paint, 96 + luck % 48, 104, 84) + box(paint, 0, 188, 240, 52),
    )[luck % 3]


def _hills(luck: int, paint: str) -> str:
    """A sun above hills."""
    sun = disc("#fff8", 52 + luck % 136, 62, 26)
    return (
        sun
        + (
            shape(paint, "M0 150Q60 96 124 142T240 128V240H0Z"),
            shape(paint, "M0 168L62 96L104 140L150 84L240 160V240H0Z"),
            shape(paint, "M0 132Q56 120 96 142T240 116V240H0Z"),
        )[luck % 3]
    )
