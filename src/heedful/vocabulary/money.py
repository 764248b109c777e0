"""Money is an integer of minor units with an ISO 4217 code."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

_EXPONENT = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0,
    "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip
"""ISO 4217 minor-unit exponents that differ from 2."""

LIMIT = 10**15
"""Amounts beyond this many minor units are refused: sums of millions of them still fit 64 bits."""


def exponent(currency: str) -> int:
    """Digits after the point in `currency` (ISO 4217), 2 where the code is not known."""
    return _EXPONENT.get(currency, 2)


def minor_units(amount: float | int | str | Decimal, currency: str) -> int:
    """`amount` of `currency` in minor units, half to even.

    A float is read by its shortest decimal text, so 4.35 is 435 and not 434.
    Raises ValueError when the amount is not finite or beyond `LIMIT` minor units.
    """
    try:
        number = Decimal(repr(amount) if isinstance(amount, float) else amount)
        units = int(number.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_EVEN))
    except ArithmeticError as error:  # not a number, infinite, or too many digits
        raise ValueError(f"not an amount: {amount!r}") from error
    if abs(units) > LIMIT:
        raise ValueError(f"amount out of range: {amount!r} {currency}")
    return units
