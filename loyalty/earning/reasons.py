"""Why an award has the points that it has: structured facts that are put into words, in English or Chinese, when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages."""

    en: str
    zh: str

    def __str__(self) -> str:
        return self.en


@dataclass(frozen=True, slots=True)
class Reason:
    """One step from what was bought to the points.

    Attributes:
        code: What kind of step it is.
        values: What stands in the words' places.
    """

    code: str
    values: tuple[tuple[str, str | int | Text], ...]

    @classmethod
    def of(cls, code: str, **values: str | int | Text) -> Reason:
        """A reason with these values."""
        return cls(code, tuple(values.items()))


def decimal(value: int, unit: int, places: int = 0) -> str:
    """A whole number of parts of a unit (a power of ten) as a decimal number, exactly, with at least this many places."""
    whole, part = divmod(value, unit)
    if not part and not places:
        return str(whole)
    digits = len(str(unit)) - 1
    rest = str(part).rjust(digits, "0").rstrip("0").ljust(places, "0")[: max(digits, places)] if digits else ""
    return f"{whole}.{rest}" if rest else str(whole)


def share(value: Fraction) -> str:
    """A fraction of a point: `2/3`."""
    return f"{value.numerator}/{value.denominator}" if value.denominator != 1 else str(value.numerator)
