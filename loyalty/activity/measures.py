"""What is counted of a sale, of a day, of a window: exact numbers that can be added and taken away."""

from __future__ import annotations

from typing import NamedTuple

from loyalty.sales.types import Sale


class Measures(NamedTuple):
    """Visits, money in micros, litres in thousandths, and points that sales have earned."""

    visits: int = 0
    spend_micros: int = 0
    litres_milli: int = 0
    points: int = 0

    def plus(self, other: Measures) -> Measures:
        """These and those."""
        return Measures(*(one + two for one, two in zip(self, other, strict=True)))

    def less(self, other: Measures) -> Measures:
        """These without those."""
        return Measures(*(one - two for one, two in zip(self, other, strict=True)))


def measures_of(sale: Sale | None, points: int = 0) -> Measures:
    """What is counted of what is left of a sale."""
    if sale is None:
        return Measures(points=points)
    litres = sum(line.quantity_milli for line in sale.lines if line.unit == "l")
    return Measures(1, sale.amount_micros, litres, points)
