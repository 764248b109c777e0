"""Drawings of what is worn, carried and slept in, and of tools. Each function gives a fragment of SVG for one shape."""

# ruff: noqa: E501 - a path is one string

from __future__ import annotations

from heedful.playground.marks import (
    BARK,
    CREAM,
    EMBER,
    GLOW,
    IRON,
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


def ridge(ink: Ink) -> str:
    return (
        stroke(BARK, 2, "M104 72L38 186M180 90L214 186")
        + shape(ink.shade, "M104 72L178 86L206 186H148Z")
        + shape(ink.main, "M104 72L148 186H56Z")
        + shape(NIGHT, "M104 104L130 186H80Z")
        + shape(ink.light, "M104 104L130 186H116Z")
        + shape(ink.light, "M104 104L80 186H94Z")
        + shape(ink.accent, "M124 76L136 78L170 186H158Z")
        + stroke(BARK, 4, "M104 72V64")
    )


def dome(ink: Ink) -> str:
    return (
        shape(ink.main, "M38 186C44 118 82 76 120 76S196 118 202 186Z")
        + shape(ink.shade, "M120 76C158 76 196 118 202 186H164C164 140 150 98 120 76Z")
        + shape(ink.light, "M120 76C82 76 44 118 38 186H54C60 128 86 90 120 76Z")
        + stroke(ink.accent, 4, "M120 76C90 98 76 140 76 186M120 76C150 98 164 140 164 186")
        + shape(NIGHT, "M96 186C96 142 106 114 120 108C134 114 144 142 144 186Z")
        + shape(CREAM, "M120 108C134 114 144 142 144 186H130C132 154 130 126 120 108Z")
        + shape(ink.accent, "M106 84Q120 68 134 84L130 92Q120 86 110 92Z")
    )


def tipi(ink: Ink) -> str:
    return (
        stroke(BARK, 4, "M112 74L132 40M128 74L106 42M120 74V36")
        + shape(CREAM, "M120 58L194 186H46Z")
        + shape("#e6dac4", "M120 58L194 186H136Z")
        + shape(ink.main, "M68.5 147H171.5L183 167H57Z")
        + shape(
            ink.light,
            "M62 167L73 147L84 167ZM84 167L95 147L106 167ZM134 167L145 147L156 167ZM156 167L167 147L178 167Z",
        )
        + shape(NIGHT, "M120 104L140 186H100Z")
        + shape(ink.accent, "M120 104L100 186H90Z")
        + stroke(ink.accent, 4, "M106 82L134 82")
    )


def tarp(ink: Ink) -> str:
    return (
        stroke(BARK, 6, "M52 96V188M188 96V188M120 70V62")
        + stroke(WOOD, 2, "M52 96L30 188M188 96L210 188")
        + shape(ink.main, "M34 112L120 62L120 118Q80 100 34 112Z")
        + shape(ink.shade, "M120 62L206 112Q160 100 120 118Z")
        + shape(ink.light, "M120 62L60 97L120 84Z")
        + stroke(ink.accent, 3, "M58 126Q120 162 182 126")
        + shape(ink.accent, "M76 138L90 143L80 156ZM150 143L164 138L160 156Z")
        + shape(ink.main, "M104 147L120 149L112 163ZM122 149L138 147L130 163Z")
        + box(BARK, 96, 176, 48, 12, 6)
        + disc(WOOD, 140, 182, 6)
    )


def mummy(ink: Ink) -> str:
    return (
        shape(
            ink.main,
            "M120 46C152 46 168 72 168 104C168 142 154 166 148 188Q120 200 92 188C86 166 72 142 72 104C72 72 88 46 120 46Z",
        )
        + shape(
            ink.shade, "M144 54C160 64 168 84 168 104C168 142 154 166 148 188L132 193C142 160 150 110 144 54Z"
        )
        + oval(ink.shade, 120, 84, 29, 27)
        + oval(CREAM, 120, 88, 22, 20)
        + shape(ink.accent, "M98 88Q120 108 142 88A22 20 0 0 1 98 88Z")
        + stroke(ink.light, 2.5, "M76 124Q120 138 164 124M82 144Q120 157 158 144M88 164Q120 176 152 164")
        + stroke(ink.accent, 3, "M91 108Q84 130 100 188")
    )


def mat(ink: Ink) -> str:
    return (
        box(ink.light, 34, 172, 140, 13, 6)
        + box(ink.main, 64, 98, 108, 87, 20)
        + box(ink.light, 64, 106, 100, 8, 4)
        + box(ink.accent, 84, 98, 12, 87)
        + box(ink.accent, 126, 98, 12, 87)
        + oval(ink.shade, 170, 141, 28, 44)
        + stroke(
            ink.light, 4, "M170 141C176 130 186 140 182 152C176 170 156 160 156 140C158 108 188 110 190 140"
        )
    )


def pillow(ink: Ink) -> str:
    return (
        shape(
            ink.shade,
            "M46 112Q42 90 64 96Q120 82 176 96Q198 90 194 112Q186 142 194 170Q198 190 176 184Q120 196 64 184Q42 190 46 170Q54 142 46 112Z",
        )
        + shape(
            ink.main,
            "M48 106Q46 86 66 91Q120 78 174 91Q194 86 192 106Q184 134 192 160Q194 178 174 173Q120 184 66 173Q46 178 48 160Q56 134 48 106Z",
        )
        + stroke(ink.light, 4, "M70 104Q120 94 164 104M64 114Q60 130 64 142")
        + stroke(ink.accent, 2.5, "M108 160Q136 160 160 154")
        + box(ink.accent, 150, 162, 20, 24, 4)
    )


def rucksack(ink: Ink) -> str:
    return (
        box(ink.accent, 80, 40, 80, 24, 12)
        + disc(ink.light, 92, 52, 6)
        + box(ink.shade, 58, 122, 26, 58, 12)
        + box(ink.shade, 156, 122, 26, 58, 12)
        + box(ink.main, 74, 72, 92, 114, 24)
        + shape(ink.shade, "M70 96Q70 60 120 60T170 96L166 112Q120 120 74 112Z")
        + box(ink.light, 88, 138, 64, 40, 12)
        + stroke(ink.shade, 3, "M96 150H144")
        + box(ink.accent, 92, 66, 8, 74, 3)
        + box(ink.accent, 140, 66, 8, 74, 3)
        + box(STEEL, 89, 118, 14, 10, 3)
        + box(STEEL, 137, 118, 14, 10, 3)
    )


def daypack(ink: Ink) -> str:
    return (
        stroke(ink.shade, 9, "M76 100C56 118 58 156 72 178M164 100C184 118 182 156 168 178")
        + stroke(ink.accent, 7, "M104 66Q104 46 120 46T136 66")
        + box(ink.main, 70, 60, 100, 126, 40)
        + shape(ink.light, "M70 100A40 40 0 0 1 110 60H130A40 40 0 0 1 170 100Q120 86 70 100Z")
        + box(ink.shade, 84, 124, 72, 52, 16)
        + stroke(ink.accent, 3.5, "M94 138H146")
        + shape(ink.accent, "M120 92L131 103L120 114L109 103Z")
        + stroke(CREAM, 2, "M116 103H124")
    )


def duffel(ink: Ink) -> str:
    return (
        stroke(ink.shade, 8, "M88 110C90 66 150 66 152 110")
        + box(ink.main, 36, 100, 168, 86, 38)
        + shape(ink.shade, "M166 100A38 38 0 0 1 204 138V148A38 38 0 0 1 166 186Q182 144 166 100Z")
        + shape(ink.light, "M74 100A38 38 0 0 0 36 138V148A38 38 0 0 0 74 186Q58 144 74 100Z")
        + box(ink.accent, 82, 100, 13, 86)
        + box(ink.accent, 145, 100, 13, 86)
        + stroke(CREAM, 3, "M74 112H166")
        + box(CREAM, 106, 134, 28, 22, 4)
        + stroke(ink.shade, 3, "M111 148L117 140L122 146L125 143L129 148")
    )


def boot(ink: Ink) -> str:
    return (
        box(NIGHT, 70, 170, 132, 17, 7)
        + shape(
            ink.main, "M88 60H142L146 112C156 126 182 128 194 144Q202 156 200 172H74C72 140 92 116 88 60Z"
        )
        + shape(ink.shade, "M164 127C178 132 188 135 194 144Q202 156 200 172H160Q156 144 164 127Z")
        + shape(ink.shade, "M74 172C73 154 78 140 82 126Q98 140 100 172Z")
        + box(ink.light, 82, 52, 66, 20, 10)
        + stroke(ink.accent, 4.5, "M116 86L140 80M117 99L141 93M120 112L144 106M128 125L152 117")
        + box(ink.accent, 72, 166, 128, 6, 3)
        + stroke(IRON, 4, "M84 187H92M106 187H114M128 187H136M150 187H158M172 187H180")
    )


def shoe(ink: Ink) -> str:
    return (
        shape(
            ink.main,
            "M46 126C44 108 62 102 72 112C88 126 104 112 116 96L134 92C146 122 176 128 194 138C208 146 208 160 206 170H48C42 154 46 140 46 126Z",
        )
        + shape(ink.shade, "M168 128C184 132 208 142 206 170H158Q154 142 168 128Z")
        + shape(ink.light, "M46 126C44 108 62 102 72 112L80 170H48C42 154 46 140 46 126Z")
        + shape(ink.accent, "M86 164L106 130L116 146L126 134L144 164Z")
        + stroke(CREAM, 4.5, "M122 106L140 100M128 118L147 111M138 129L157 120")
        + shape(CREAM, "M44 166H208Q208 184 192 186H62Q46 184 44 166Z")
        + box(ink.accent, 46, 176, 158, 10, 5)
    )


def sock(ink: Ink) -> str:
    return (
        shape(ink.shade, "M118 48H160V116C160 130 192 144 192 164Q188 182 166 180L118 150Z")
        + shape(ink.main, "M78 52H130V124C132 138 160 146 166 162Q170 186 144 188C112 186 76 164 76 132Z")
        + shape(ink.accent, "M152 148Q168 156 166 170Q162 188 144 188L132 186Q132 160 152 148Z")
        + shape(ink.accent, "M76 126Q104 130 98 168Q76 150 76 126Z")
        + box(ink.light, 74, 46, 60, 24, 7)
        + box(ink.light, 78, 84, 52, 8)
        + box(ink.accent, 78, 98, 52, 5)
        + stroke(ink.main, 2, "M84 52V64M94 52V64M104 52V64M114 52V64M124 52V64")
    )


_SLEEVES = "M90 84C66 92 54 128 46 172L70 180L88 128ZM150 84C174 92 186 128 194 172L170 180L152 128Z"
_BODY = "M88 84Q120 98 152 84L170 98L168 188H72L70 98Z"


def jacket(ink: Ink) -> str:
    return (
        shape(ink.shade, _SLEEVES)
        + shape(ink.main, _BODY)
        + shape(ink.light, "M88 84L70 98L71 124Q120 134 169 124L170 98L152 84Q120 98 88 84Z")
        + shape(ink.shade, "M88 92C80 58 102 46 120 46S160 58 152 92Q120 112 88 92Z")
        + oval(NIGHT, 120, 78, 19, 21)
        + stroke(ink.accent, 4, "M120 102V187")
        + stroke(ink.accent, 3.5, "M86 152L100 168M154 152L140 168M134 114H150")
    )


def puffer(ink: Ink) -> str:
    return (
        shape(ink.shade, _SLEEVES)
        + shape(ink.main, _BODY)
        + shape(ink.light, "M86 88C82 54 102 48 120 48S158 54 154 88Q120 106 86 88Z")
        + shape(ink.accent, "M98 82C98 62 108 58 120 58S142 62 142 82Q120 94 98 82Z")
        + stroke(ink.shade, 3, "M71 118Q120 128 169 118M71 140Q120 149 169 140M72 163Q120 171 168 163")
        + stroke(ink.main, 3, "M60 124L84 132M54 146L78 154M180 124L156 132M186 146L162 154")
        + stroke(CREAM, 3.5, "M120 98V187")
        + box(ink.accent, 136, 126, 18, 8, 4)
    )


def sweater(ink: Ink) -> str:
    return (
        shape(ink.shade, _SLEEVES)
        + shape(ink.main, "M92 78H148L170 96L166 176H74L70 96Z")
        + box(ink.light, 74, 174, 92, 14, 5)
        + shape(ink.light, "M45 168L71 177L68 187L42 178ZM195 168L169 177L172 187L198 178Z")
        + shape(ink.light, "M94 78Q120 110 146 78L138 70H102Z")
        + shape(ink.shade, "M101 76Q120 98 139 76Z")
        + box(CREAM, 71, 118, 98, 26)
        + shape(
            ink.accent,
            "M79 131L89 120L99 131L89 142ZM99 131L109 120L119 131L109 142ZM119 131L129 120L139 131L129 142ZM139 131L149 120L159 131L149 142Z",
        )
        + stroke(ink.light, 2, "M76 154H164M76 164H164")
    )


def beanie(ink: Ink) -> str:
    return (
        disc(ink.accent, 120, 60, 22)
        + disc(CREAM, 113, 53, 6)
        + shape(ink.main, "M60 142C60 94 88 70 120 70S180 94 180 142Z")
        + shape(ink.shade, "M120 70C152 70 180 94 180 142H150C152 108 142 84 120 70Z")
        + stroke(
            ink.light,
            3,
            "M90 82C80 100 78 120 78 136M108 74C100 96 99 116 99 136M132 74C140 96 141 116 141 136",
        )
        + box(ink.light, 52, 134, 136, 44, 16)
        + stroke(
            ink.main,
            3,
            "M68 142V170M84 142V170M100 142V170M116 142V170M132 142V170M148 142V170M164 142V170M176 144V168",
        )
        + box(ink.accent, 142, 148, 24, 17, 3)
    )


def knife(ink: Ink) -> str:
    return turned(
        -38,
        shape(STEEL, "M112 98H190Q216 100 222 120Q196 132 112 130Z"),
        shape(IRON, "M112 118H222Q196 132 112 130Z"),
        stroke("#ffffff", 3, "M126 106H184"),
        shape(ink.main, "M24 112Q24 94 44 96L112 94Q124 94 124 114T112 136L56 138Q24 140 24 112Z"),
        shape(ink.shade, "M25 120Q30 140 56 138L112 136Q124 134 124 116Q80 128 25 120Z"),
        box(ink.accent, 104, 93, 16, 44, 4),
        disc(CREAM, 50, 114, 5),
        disc(CREAM, 84, 114, 5),
    )


def axe(ink: Ink) -> str:
    return turned(
        38,
        shape(WOOD, "M110 48H130L128 150Q130 190 140 208L118 212Q106 180 110 150Z"),
        shape(BARK, "M122 48H130L128 150Q130 190 140 208L128 210Q118 180 122 150Z"),
        box(ink.main, 108, 150, 22, 34, 4),
        stroke(ink.light, 2.5, "M109 158L129 164M109 168L129 174"),
        shape(IRON, "M100 50H142V88H100Z"),
        shape(STEEL, "M106 50Q78 50 58 34Q46 70 62 112Q80 88 106 88Z"),
        shape("#ffffff", "M58 34Q46 70 62 112L68 105Q56 70 65 40Z"),
        shape(ink.accent, "M104 56H136V62H104Z"),
    )


def compass(ink: Ink) -> str:
    return (
        f'<circle fill="none" stroke="{ink.accent}" stroke-width="8" cx="120" cy="46" r="14"/>'
        + box(ink.shade, 108, 54, 24, 18, 5)
        + disc(ink.main, 120, 126, 66)
        + disc(ink.light, 120, 126, 57)
        + disc(CREAM, 120, 126, 50)
        + stroke(NIGHT, 3, "M120 82V90M120 162V170M76 126H84M156 126H164")
        + stroke(IRON, 2, "M89 95L94 100M151 95L146 100M89 157L94 152M151 157L146 152")
        + turned(32, shape(EMBER, "M120 84L131 126H109Z"), shape(NIGHT, "M109 126H131L120 168Z"))
        + disc(GLOW, 120, 126, 6)
    )


def binoculars(ink: Ink) -> str:
    return (
        stroke(ink.accent, 6, "M66 82C30 110 40 34 120 40S210 110 174 82")
        + box(NIGHT, 72, 66, 34, 22, 8)
        + box(NIGHT, 134, 66, 34, 22, 8)
        + box(ink.shade, 102, 96, 36, 34, 8)
        + shape(ink.main, "M70 86H108L116 176H48Q46 130 70 86Z")
        + shape(ink.main, "M170 86H132L124 176H192Q194 130 170 86Z")
        + shape(ink.light, "M70 86H82Q66 130 66 176H48Q46 130 70 86Z")
        + shape(ink.shade, "M170 86H158Q172 130 174 176H192Q194 130 170 86Z")
        + box(NIGHT, 44, 166, 74, 20, 9)
        + box(NIGHT, 122, 166, 74, 20, 9)
        + disc(ink.accent, 120, 108, 8)
    )
