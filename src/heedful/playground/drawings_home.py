"""Drawings of what stands in a kitchen, a living room, a garden. Each function gives a fragment of SVG for one shape."""

# ruff: noqa: E501 - a path is one string

from __future__ import annotations

from heedful.playground.marks import (
    BARK,
    CREAM,
    EMBER,
    FERN,
    FLAME,
    GLOW,
    IRON,
    LEAF,
    MOSS,
    NIGHT,
    STEEL,
    WOOD,
    Ink,
    box,
    disc,
    oval,
    shape,
    stroke,
    turned,
)  # fmt: skip


def _flame(x: float, y: float, size: float) -> str:
    """A flame whose foot stands at (x, y)."""
    s = size
    return shape(
        FLAME,
        f"M{x:g} {y - 2.6 * s:g}q{1.2 * s:g} {s:g} {s:g} {1.8 * s:g}a{s:g} {s:g} 0 0 1 {-2 * s:g} 0q{-0.1 * s:g} {-0.7 * s:g} {s:g} {-1.8 * s:g}Z",
    ) + shape(
        GLOW,
        f"M{x:g} {y - 1.5 * s:g}q{0.7 * s:g} {0.6 * s:g} {0.5 * s:g} {s:g}a{0.5 * s:g} {0.5 * s:g} 0 0 1 {-s:g} 0q{-0.1 * s:g} {-0.4 * s:g} {0.5 * s:g} {-s:g}Z",
    )


def _steam(x: float, y: float) -> str:
    return stroke(
        "#ffffffb0",
        5,
        f"M{x - 18:g} {y:g}q-8 -10 0 -18t0 -16M{x + 2:g} {y:g}q-8 -10 0 -18t0 -16M{x + 22:g} {y:g}q-8 -10 0 -18t0 -16",
    )


def stove(ink: Ink) -> str:
    return (
        stroke(IRON, 5, "M120 128L72 96M120 128L168 96M72 96V88M168 96V88M120 128V92")
        + _flame(98, 98, 10)
        + _flame(142, 98, 10)
        + _flame(120, 100, 14)
        + box(STEEL, 106, 104, 28, 10, 5)
        + box(IRON, 113, 112, 14, 22, 3)
        + stroke(IRON, 4, "M127 124H150")
        + box(ink.accent, 148, 117, 16, 14, 4)
        + box(ink.main, 76, 132, 88, 54, 16)
        + shape(ink.light, "M76 148A16 16 0 0 1 92 132H148A16 16 0 0 1 164 148Z")
        + box(CREAM, 76, 156, 88, 16)
        + shape(ink.accent, "M104 170L114 158L120 165L126 160L136 170Z")
    )


def skillet(ink: Ink) -> str:
    return (
        turned(
            12,
            box(ink.main, 44, 62, 126, 126, 8),
            box(ink.light, 52, 62, 8, 126),
            box(ink.light, 66, 62, 4, 126),
            box(ink.light, 44, 172, 126, 6),
        )
        + turned(
            -38, box(NIGHT, 150, 106, 34, 20, 6), box(WOOD, 176, 104, 58, 24, 12), disc(BARK, 222, 116, 4)
        )
        + disc(NIGHT, 106, 124, 62)
        + disc("#424c59", 106, 124, 51)
        + shape("#fffdf6", "M76 120Q72 96 94 98Q116 92 120 112Q134 126 118 136Q102 150 88 138Q72 138 76 120Z")
        + disc("#ffbe3b", 98, 118, 14)
        + disc("#ffd98a", 93, 113, 4)
        + shape(FERN, "M122 150q14 -10 22 4q-14 10 -22 -4ZM132 96q2 -14 16 -10q-2 14 -16 10Z")
    )


def pot(ink: Ink) -> str:
    return (
        _steam(118, 70)
        + stroke(ink.shade, 10, "M58 122H46V142H60M182 122H194V142H180")
        + shape(ink.main, "M56 110H184V156Q184 186 154 186H86Q56 186 56 156Z")
        + shape(ink.shade, "M156 110H184V156Q184 186 154 186H140Q158 168 156 110Z")
        + box(ink.light, 68, 122, 10, 44, 5)
        + shape(ink.light, "M58 104Q62 82 120 80Q178 82 182 104Z")
        + box(ink.shade, 50, 102, 140, 11, 5)
        + box(ink.accent, 106, 68, 28, 14, 7)
    )


def bottle(ink: Ink) -> str:
    return (
        stroke(ink.accent, 7, "M108 50Q108 36 120 36T132 50")
        + box(ink.accent, 98, 46, 44, 26, 8)
        + box(STEEL, 102, 70, 36, 12, 3)
        + shape(ink.main, "M102 80H138Q156 88 156 108V172Q156 186 142 186H98Q84 186 84 172V108Q84 88 102 80Z")
        + shape(ink.shade, "M138 80Q156 88 156 108V172Q156 186 142 186H132Q140 160 138 80Z")
        + box(ink.light, 93, 104, 8, 50, 4)
        + shape(CREAM, "M102 150L117 124L125 137L130 130L142 150Z")
        + box(ink.accent, 84, 164, 72, 7)
    )


def mug(ink: Ink) -> str:
    return (
        _steam(106, 82)
        + stroke(ink.shade, 13, "M158 116C196 104 198 164 156 158")
        + shape(ink.main, "M54 98H164V162Q164 186 140 186H78Q54 186 54 162Z")
        + shape(ink.shade, "M144 98H164V162Q164 186 140 186H124Q146 176 144 98Z")
        + oval(CREAM, 109, 98, 55, 13)
        + oval("#6b4630", 109, 99, 47, 9)
        + shape(CREAM, "M74 160L94 128L106 146L114 136L132 160Z")
        + disc(ink.accent, 122, 128, 7)
    )


def kettle(ink: Ink) -> str:
    return (
        stroke(WOOD, 10, "M82 106C70 44 156 44 148 106")
        + shape(ink.shade, "M150 158C178 152 176 116 196 104L210 114C192 122 196 176 154 182Z")
        + shape(ink.main, "M60 186C50 136 74 102 114 102S178 136 168 186Z")
        + shape(ink.shade, "M114 102C154 102 178 136 168 186H140C152 150 140 112 114 102Z")
        + shape(ink.light, "M76 168C70 146 80 124 96 116L104 122C90 132 84 150 88 168Z")
        + box(ink.light, 88, 98, 52, 10, 5)
        + disc(ink.accent, 114, 91, 10)
        + box(ink.accent, 56, 178, 116, 9, 4)
    )


def lantern(ink: Ink) -> str:
    return (
        disc("#ffe9ac90", 120, 124, 70)
        + stroke(IRON, 4, "M74 156V96C74 28 166 28 166 96V156")
        + box(ink.shade, 106, 52, 28, 16, 5)
        + shape(ink.main, "M84 96L98 66H142L156 96Z")
        + box("#fff4d2", 90, 94, 60, 64, 16)
        + _flame(120, 142, 14)
        + box(ink.light, 112, 144, 16, 14, 3)
        + stroke(IRON, 3, "M90 112H150M90 140H150")
        + shape(ink.main, "M82 156H158L170 186H70Z")
        + shape(ink.shade, "M134 156H158L170 186H142Z")
        + disc(ink.accent, 108, 171, 7)
    )


def headlamp(ink: Ink) -> str:
    return (
        shape("#ffe59a80", "M94 140L34 190H206L146 140Z")
        + f'<ellipse fill="none" stroke="{ink.shade}" stroke-width="20" cx="120" cy="96" rx="74" ry="34"/>'
        + stroke(ink.main, 20, "M46 98C50 124 82 131 120 131S190 124 194 98")
        + stroke(ink.accent, 4, "M48 104C56 124 86 131 120 131S184 124 192 104")
        + box(NIGHT, 82, 96, 76, 60, 18)
        + disc(STEEL, 110, 126, 23)
        + disc(GLOW, 110, 126, 17)
        + disc("#fffbe6", 105, 121, 7)
        + disc(ink.accent, 145, 116, 6)
        + box(ink.main, 140, 128, 10, 18, 4)
    )


def candle(ink: Ink) -> str:
    return (
        disc("#ffe9ac90", 120, 84, 54)
        + _flame(120, 98, 16)
        + stroke(NIGHT, 3, "M120 108V96")
        + box(ink.main, 74, 106, 92, 80, 12)
        + shape(ink.shade, "M146 106H154A12 12 0 0 1 166 118V174A12 12 0 0 1 154 186H146Z")
        + oval(CREAM, 120, 108, 46, 9)
        + box(CREAM, 88, 132, 64, 36, 4)
        + stroke(ink.accent, 3, "M100 158L110 144L117 152L123 146L132 158M104 163H136")
    )


def lamp(ink: Ink) -> str:
    return (
        disc("#ffe9ac80", 120, 118, 68)
        + shape("#fff1c4", "M76 112H164L186 184H54Z")
        + box(WOOD, 114, 108, 12, 66, 4)
        + box(BARK, 120, 108, 6, 66, 3)
        + box(WOOD, 84, 172, 72, 14, 7)
        + shape(ink.main, "M90 48H150L176 114Q120 124 64 114Z")
        + shape(ink.shade, "M128 48H150L176 114Q160 118 140 119Z")
        + shape(ink.light, "M90 48H104L86 117L64 114Z")
        + stroke(ink.accent, 4, "M66 108Q120 118 174 108")
        + stroke(IRON, 2.5, "M142 120V140")
        + disc(ink.accent, 142, 144, 4)
    )


def blanket(ink: Ink) -> str:
    fringe = "".join(f"M{x} 176V188" for x in range(66, 180, 9))
    return (
        stroke(ink.light, 3, fringe)
        + box(ink.shade, 52, 128, 136, 52, 14)
        + box(ink.main, 52, 96, 136, 62, 16)
        + box(ink.light, 52, 66, 136, 60, 18)
        + box(ink.main, 52, 66, 136, 46, 18)
        + box(CREAM, 80, 66, 10, 60)
        + box(ink.accent, 94, 66, 18, 60)
        + box(CREAM, 116, 66, 4, 60)
        + box(CREAM, 80, 126, 10, 32)
        + box(ink.accent, 94, 126, 18, 32)
        + box(CREAM, 116, 126, 4, 32)
        + stroke(ink.shade, 3, "M54 127H186")
        + box(CREAM, 154, 138, 24, 14, 3)
    )


def cushion(ink: Ink) -> str:
    return (
        shape(ink.shade, "M50 62Q120 78 190 62Q174 124 190 188Q120 172 50 188Q66 124 50 62Z")
        + shape(ink.main, "M52 58Q120 74 188 58Q173 120 188 182Q120 167 52 182Q67 120 52 58Z")
        + shape(ink.light, "M120 80L160 120L120 160L80 120Z")
        + shape(ink.accent, "M120 94L146 120L120 146L94 120Z")
        + shape(CREAM, "M120 107L133 120L120 133L107 120Z")
        + stroke(ink.light, 3, "M64 78Q70 120 64 164M176 78Q170 120 176 164")
    )


def rug(ink: Ink) -> str:
    fringe = "".join(f"M{x} 46V194" for x in range(70, 174, 10))
    return (
        stroke(CREAM, 3.5, fringe)
        + box(ink.main, 62, 56, 116, 130, 4)
        + box(ink.light, 70, 64, 100, 114, 2)
        + box(ink.shade, 76, 70, 88, 102, 2)
        + shape(ink.accent, "M120 76L158 121L120 166L82 121Z")
        + shape(CREAM, "M120 92L144 121L120 150L96 121Z")
        + shape(ink.main, "M120 104L134 121L120 138L106 121Z")
        + shape(ink.light, "M80 74H102L80 98ZM160 74H138L160 98ZM80 168H102L80 144ZM160 168H138L160 144Z")
    )


def planter(ink: Ink) -> str:
    return (
        stroke(
            MOSS, 4, "M120 118C120 84 116 66 110 52M120 118C112 96 96 84 80 82M120 118C130 96 146 86 162 84"
        )
        + shape(LEAF, "M110 28Q134 52 112 80Q88 56 110 28Z")
        + shape(FERN, "M54 72Q84 56 102 88Q72 104 54 72Z")
        + shape(LEAF, "M188 72Q158 56 138 88Q170 104 188 72Z")
        + shape(MOSS, "M150 40Q158 72 126 92Q116 60 150 40Z")
        + shape(FERN, "M72 110Q98 88 120 118Q92 128 72 110Z")
        + shape(ink.main, "M74 128H166L154 178Q152 186 144 186H96Q88 186 86 178Z")
        + shape(ink.shade, "M144 128H166L154 178Q152 186 144 186H132Q142 168 144 128Z")
        + box(ink.light, 66, 112, 108, 22, 7)
        + stroke(ink.accent, 4, "M82 148L94 158L106 148L118 158L130 148L142 158L156 148")
    )


def can(ink: Ink) -> str:
    return (
        stroke(ink.shade, 9, "M148 108C212 88 212 160 152 162")
        + stroke(ink.accent, 7, "M84 108C88 64 140 64 146 108")
        + shape(ink.shade, "M84 166L34 104L46 96L90 136Z")
        + shape(ink.light, "M22 108L52 86L56 96L30 116Z")
        + shape(ink.main, "M78 106H152L160 178Q160 186 152 186H78Q70 186 70 178Z")
        + shape(ink.shade, "M134 106H152L160 178Q160 186 152 186H128Q136 150 134 106Z")
        + oval(ink.light, 115, 106, 38, 9)
        + box(ink.accent, 73, 132, 84, 7)
        + shape(
            "#8fc3de",
            "M26 124q7 12 0 16q-7 -4 0 -16ZM40 140q7 12 0 16q-7 -4 0 -16ZM22 158q7 12 0 16q-7 -4 0 -16Z",
        )
    )


def birdhouse(ink: Ink) -> str:
    return (
        box(BARK, 112, 150, 16, 40, 3)
        + shape(ink.main, "M76 96L120 58L164 96V164H76Z")
        + shape(ink.light, "M76 96L120 58V164H76Z")
        + stroke(ink.main, 2, "M98 80V164M76 118H120M76 142H120")
        + shape(ink.shade, "M120 34L188 96L176 108L120 58L64 108L52 96Z")
        + disc(NIGHT, 120, 108, 17)
        + stroke(WOOD, 6, "M120 138V140M120 140L134 146")
        + shape(ink.accent, "M136 142C134 124 152 114 164 124L176 118L170 132C168 146 152 152 136 142Z")
        + shape(FLAME, "M136 130L126 133L137 137Z")
        + disc(NIGHT, 145, 129, 2.5)
        + box(ink.shade, 70, 162, 100, 9, 4)
    )


def trowel(ink: Ink) -> str:
    return turned(
        36,
        shape(STEEL, "M92 134Q90 116 120 112Q150 116 148 134Q150 176 120 216Q90 176 92 134Z"),
        shape(IRON, "M120 112Q150 116 148 134Q150 176 120 216Z"),
        stroke("#ffffff", 3, "M102 138Q102 164 112 184"),
        box(IRON, 114, 88, 12, 30, 3),
        shape(ink.main, "M106 34Q106 20 120 20T134 34L130 92H110Z"),
        shape(ink.shade, "M124 20Q134 22 134 34L130 92H122Z"),
        box(ink.accent, 108, 82, 24, 12, 4),
        disc(CREAM, 120, 34, 4),
    )


def chair(ink: Ink) -> str:
    return (
        stroke(BARK, 8, "M166 126L76 186M74 126L164 186")
        + stroke(WOOD, 8, "M66 104H106M134 104H174M74 50V128M166 50V128")
        + box(ink.main, 66, 52, 108, 38, 8)
        + box(ink.light, 66, 52, 108, 9, 4)
        + shape(ink.shade, "M72 120H168L164 140Q120 150 76 140Z")
        + shape(ink.main, "M72 120H168L167 129Q120 138 73 129Z")
        + box(ink.accent, 66, 74, 108, 6)
        + stroke(WOOD, 8, "M66 186H92M148 186H174")
    )


def hammock(ink: Ink) -> str:
    return (
        box(BARK, 30, 44, 16, 144, 5)
        + box(BARK, 194, 44, 16, 144, 5)
        + oval(FERN, 38, 46, 30, 24)
        + oval(LEAF, 204, 44, 32, 26)
        + oval(MOSS, 24, 58, 16, 12)
        + stroke(WOOD, 4, "M40 92L66 108M200 92L174 108M40 92L62 116M200 92L178 116")
        + shape(ink.shade, "M60 104Q120 148 180 104Q172 178 120 178T60 104Z")
        + shape(ink.main, "M60 104Q120 168 180 104Q168 164 120 164T60 104Z")
        + shape(ink.light, "M60 104Q120 148 180 104Q174 128 158 138Q120 158 82 138Q66 128 60 104Z")
        + stroke(ink.accent, 5, "M70 130Q84 158 120 159T170 130")
        + box(CREAM, 76, 116, 34, 18, 8)
    )


def table(ink: Ink) -> str:
    return (
        stroke(BARK, 9, "M72 118L168 184M168 118L72 184")
        + stroke(WOOD, 6, "M86 152H154")
        + box(ink.main, 36, 104, 168, 18, 7)
        + box(ink.shade, 36, 114, 168, 9, 4)
        + stroke(ink.light, 2.5, "M52 109H188")
        + box(ink.accent, 66, 76, 28, 28, 5)
        + stroke(ink.accent, 5, "M94 84Q106 82 104 92T94 97")
        + box(CREAM, 134, 62, 24, 42, 5)
        + stroke(MOSS, 3, "M146 62V40M146 56L158 40M146 58L134 42")
        + shape(
            LEAF,
            "M146 24Q156 36 146 48Q136 36 146 24ZM166 30Q168 46 154 48Q152 34 166 30ZM126 32Q140 36 138 50Q124 48 126 32Z",
        )
    )


def firebowl(ink: Ink) -> str:
    return (
        disc("#ffd97860", 120, 92, 62)
        + shape(
            EMBER,
            "M120 24Q150 58 152 86Q166 76 166 62Q182 96 164 122H76Q58 100 76 68Q80 84 92 88Q88 54 120 24Z",
        )
        + shape(
            FLAME,
            "M122 56Q146 84 142 104Q152 100 152 92Q158 110 148 124H92Q80 108 92 90Q96 100 104 102Q100 76 122 56Z",
        )
        + shape(GLOW, "M120 88Q136 104 132 124H106Q98 108 120 88Z")
        + turned(0, stroke(BARK, 13, "M78 122L150 108"), stroke(WOOD, 13, "M92 106L164 122"))
        + stroke(NIGHT, 8, "M86 156L72 186M154 156L168 186")
        + shape(ink.main, "M48 118H192Q186 166 120 166T48 118Z")
        + shape(ink.shade, "M150 118H192Q186 166 120 166Q150 156 150 118Z")
        + box(ink.light, 42, 114, 156, 11, 5)
        + box(ink.accent, 100, 138, 40, 8, 4)
    )
