"""Points, rates and money as exact numbers, and checks that refuse anything else."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from .orders import UINT64_MAX

MICROS = 1_000_000
"""Micros in one unit of the settlement currency."""

Rate: TypeAlias = Fraction | tuple[int, int] | str | int
"""Target points per source point: `Fraction(9, 10)`, `(9, 10)`, `"9/10"` or `2`."""

_UINT32_MAX = 2**32 - 1
_RATIO = re.compile(r"\s*(\d+)\s*(?:/\s*(\d+)\s*)?", re.ASCII)
_MONEY = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def yuan(amount: str | int | Decimal) -> int:
    """Convert an amount in the currency's main unit to micros, exactly: `yuan("12.34") == 12_340_000`.

    Args:
        amount: A decimal number as text, an int or a Decimal.

    Returns:
        Micros.

    Raises:
        TypeError: The amount is a float, which cannot hold 12.34, or something else.
        ValueError: The text is not a number, or is finer than a micro.
    """
    if isinstance(amount, float):
        raise TypeError(f'{amount!r} is a float and not exact; write yuan("{amount}")')
    if isinstance(amount, bool) or not isinstance(amount, (str, int, Decimal)):
        raise TypeError(f"an amount is a string, an int or a Decimal, not {type(amount).__name__}")
    text = format(amount, "f") if isinstance(amount, Decimal) else str(amount)
    if not _MONEY.fullmatch(text):
        raise ValueError(f'{text!r} is not an amount of money; write for example "12.34"')
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    if len(decimals) > 6:
        raise ValueError(f"{text!r} is finer than a micro (six decimals)")
    return int(whole + decimals.ljust(6, "0"))


def format_micros(micros: int) -> str:
    """Write micros in the main unit with two to six decimals: `format_micros(12_340_000) == "12.34"`."""
    whole, rest = divmod(abs(micros), MICROS)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole:,}.{decimals}"


def rate_of(value: Rate, field: str = "rate") -> Fraction:
    """Read an exact rate.

    Args:
        value: The rate in one of the forms of `Rate`.
        field: Its name, for errors.

    Returns:
        The rate.

    Raises:
        TypeError: The rate is a float, a Decimal, or something else.
        ValueError: The rate is not above zero, or too fine for the chain.
    """
    rate = _fraction(value, field)
    if rate <= 0:
        raise ValueError(f"{field} must be above zero, not {rate}")
    if max(rate.numerator, rate.denominator) > _UINT32_MAX:
        raise ValueError(f"{field} {rate} is too fine: numerator and denominator are at most {_UINT32_MAX}")
    return rate


def _fraction(value: object, field: str) -> Fraction:
    if isinstance(value, (float, Decimal)):
        shown = Fraction(str(value)).limit_denominator(1_000)
        raise TypeError(
            f"{field} is the {type(value).__name__} {value}; rates are integer fractions: "
            f'write Fraction({shown.numerator}, {shown.denominator}) or "{shown.numerator}/{shown.denominator}"'
        )
    if isinstance(value, Fraction):
        return value
    if isinstance(value, tuple) and len(value) == 2 and all(type(part) is int for part in value):
        if value[1] == 0:
            raise ValueError(f"{field} has the denominator 0")
        return Fraction(*value)
    if type(value) is int:
        return Fraction(value)
    if isinstance(value, str):
        return _parsed(value, field)
    raise TypeError(f'{field} is a Fraction, a pair of ints or a string such as "9/10", not {value!r}')


def _parsed(text: str, field: str) -> Fraction:
    match = _RATIO.fullmatch(text)
    if not match or (match[2] is not None and int(match[2]) == 0):
        raise ValueError(f'{field} {text!r} is not a rate; write it as "9/10"')
    return Fraction(int(match[1]), int(match[2] or 1))


def whole_points(value: object, field: str = "points", *, zero: bool = False) -> int:
    """Check that a value is a number of points.

    Args:
        value: Anything.
        field: Its name, for errors.
        zero: Whether 0 will do.

    Returns:
        The value: an int from 1 (or 0) to 2**64 - 1.

    Raises:
        TypeError: The value is not an int.
        ValueError: It is out of range.
    """
    return whole_number(value, field, least=0 if zero else 1, most=UINT64_MAX, unit="points")


def whole_number(value: object, field: str, *, least: int, most: int, unit: str = "") -> int:
    """Check that a value is an int within limits.

    Args:
        value: Anything.
        field: Its name, for errors.
        least: The lower limit.
        most: The upper limit.
        unit: What it counts, for errors.

    Returns:
        The value.

    Raises:
        TypeError: The value is not an int; a bool, a float and text are not.
        ValueError: It is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        hint = f"; write {int(value)}" if isinstance(value, float) and value.is_integer() else ""
        what = f"a whole number of {unit}" if unit else "a whole number"
        raise TypeError(f"{field} must be {what} (int), not {type(value).__name__} {value!r}{hint}")
    if not least <= value <= most:
        raise ValueError(f"{field} must be from {least} to {most}, not {value}")
    return int(value)
