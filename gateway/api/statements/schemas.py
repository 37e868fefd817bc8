"""Daily statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import ClassVar

from pydantic import Field

from gateway.http.schemas import View
from gateway.http.tables import TabularView
from tongdui._csv import Cell


class StatementLineView(View):
    """What entries of one kind, program and agreement did on the day."""

    kind: str = Field(examples=["exchange"])
    of: str | None = Field(description="the kind that a reversal reversed")
    program: str
    agreement: str | None
    count: int
    points: int
    out: int = Field(description="points given in the agreement's target program")
    received_micros: int
    paid_micros: int
    fees_paid_micros: int
    fees_received_micros: int

    @property
    def net_micros(self) -> int:
        """What it adds to the position."""
        return self.received_micros - self.paid_micros - self.fees_paid_micros + self.fees_received_micros

    def cells(self) -> tuple[Cell, ...]:
        """Its cells in a statement's table."""
        sums = (self.received_micros, self.paid_micros, self.fees_paid_micros, self.fees_received_micros)
        return self.kind, self.of, self.program, self.agreement, self.count, self.points, self.out, *sums


_NO_LINE = (None,) * 11
"""The cells of a row that is not a line."""


class StatementView(TabularView):
    """A merchant's day: closing = opening + received - paid - fees paid + fees received + deposited - withdrawn.

    As a table it begins with the opening position and ends with the closing one; `net_micros` is what a row adds to the
    position, and `position_micros` the position after it.
    """

    columns: ClassVar[Sequence[str]] = (
        *("statement", "merchant", "day", "revision", "row", "kind", "reversal_of", "program", "agreement"),
        *(
            "count",
            "points",
            "out_points",
            "received_micros",
            "paid_micros",
            "fees_paid_micros",
            "fees_received_micros",
        ),
        *("net_micros", "position_micros"),
    )

    id: str
    merchant: str
    day: date
    revision: int = Field(description="counts up when the chain changes a day that already had a statement")
    opening_micros: int
    closing_micros: int
    deposited_micros: int
    withdrawn_micros: int
    lines: list[StatementLineView]
    last_block: int
    created_at: datetime

    def rows(self) -> Iterable[Sequence[Cell]]:
        """The day, from the opening to the closing position."""
        position = self.opening_micros
        yield self._row("opening", (), None, position)
        for line in self.lines:
            position += line.net_micros
            yield self._row("movements", line.cells(), line.net_micros, position)
        for row, micros in (("deposits", self.deposited_micros), ("withdrawals", -self.withdrawn_micros)):
            if micros:
                position += micros
                yield self._row(row, (), micros, position)
        yield self._row("closing", (), None, self.closing_micros)

    def _row(self, row: str, cells: Sequence[Cell], net: int | None, position: int) -> Sequence[Cell]:
        """One row: what is the same in all of them, a line's cells, and the sums."""
        return self.id, self.merchant, self.day.isoformat(), self.revision, row, *(cells or _NO_LINE), net, position
