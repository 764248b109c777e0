"""The marks that pictures are made of, on a canvas of 240 by 240 with its ground at 186.

Colours come in as an `Ink`; wood, metal, leaves and fire keep their own. Nothing is drawn from outside text,
so there is nothing to escape.
"""

from __future__ import annotations

from dataclasses import dataclass

WOOD, BARK = "#c39a6b", "#94683f"
STEEL, IRON = "#d3d8dc", "#9aa3ab"
CREAM, NIGHT = "#f8f1e4", "#2e3641"
LEAF, FERN, MOSS = "#6f9b68", "#93b985", "#47704e"
FLAME, GLOW, EMBER = "#f6a13c", "#ffd978", "#dd5b2d"


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of one picture, as `#rrggbb`: main, its shade and its light, and an accent."""

    main: str
    shade: str
    light: str
    accent: str


def shape(fill: str, d: str) -> str:
    """A filled path."""
    return f'<path fill="{fill}" d="{d}"/>'


def stroke(colour: str, width: float, d: str) -> str:
    """A line with round ends."""
    ends = 'stroke-linecap="round" stroke-linejoin="round"'
    return f'<path fill="none" stroke="{colour}" stroke-width="{width:g}" {ends} d="{d}"/>'


def box(fill: str, x: float, y: float, w: float, h: float, r: float = 0) -> str:
    """A rectangle with rounded corners."""
    return f'<rect fill="{fill}" x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{r:g}"/>'


def disc(fill: str, x: float, y: float, r: float) -> str:
    return f'<circle fill="{fill}" cx="{x:g}" cy="{y:g}" r="{r:g}"/>'


def oval(fill: str, x: float, y: float, rx: float, ry: float) -> str:
    return f'<ellipse fill="{fill}" cx="{x:g}" cy="{y:g}" rx="{rx:g}" ry="{ry:g}"/>'


def turned(degrees: float, *marks: str) -> str:
    """The marks, turned about the middle of the canvas."""
    return f'<g transform="rotate({degrees:g} 120 120)">{"".join(marks)}</g>'
