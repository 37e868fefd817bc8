"""What is left of a sale after its returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from loyalty.sales.types import Line, Return, Sale


def what_is_left(sale: Sale, returns: Iterable[Return]) -> Sale | None:
    """The sale without what came back; None if nothing is left.

    A line is gone when all of its quantity or all of its amount came back. Returns that name more than was sold, or a line
    that there is not, have been refused before.
    """
    quantities: dict[int, int] = {}
    amounts: dict[int, int] = {}
    for returned in returns:
        for line in returned.lines:
            quantities[line.number] = quantities.get(line.number, 0) + line.quantity_milli
            amounts[line.number] = amounts.get(line.number, 0) + line.amount_micros
    if not quantities:
        return sale
    lines = [_left(line, quantities.get(line.number), amounts.get(line.number, 0)) for line in sale.lines]
    left = tuple(line for line in lines if line is not None)
    return replace(sale, lines=left) if left else None


def _left(line: Line, quantity_milli: int | None, amount_micros: int) -> Line | None:
    if quantity_milli is None:
        return line
    if quantity_milli >= line.quantity_milli > 0 or amount_micros >= line.amount_micros > 0:
        return None
    if not line.quantity_milli and not line.amount_micros:
        return None
    return replace(
        line,
        quantity_milli=line.quantity_milli - quantity_milli,
        amount_micros=line.amount_micros - amount_micros,
    )
