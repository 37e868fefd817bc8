"""Table of daily totals, and the words of its key."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.database import Base, Big, BigInt, partial_index

EVERYONE = -1
"""In place of a counterparty: all of them together, and what has none."""
EVER = 0
"""In place of a day: all days together."""
NO_PROGRAM = 0
BANK = 0
"""In place of a kind: deposits (in) and withdrawals (out), which have no program either."""


PLACE = ("day", "program", "kind", "reversed_kind", "flow")
"""What tells the totals of a merchant and a counterparty apart, in the order of the primary key."""
Place = tuple[int, int, int, int, int]


class Flow(IntEnum):
    """Which way points went in the program, and money, as the merchant sees it."""

    OUT = 0
    IN = 1


class DailyTotal(Base):
    """Sums of entries: what a merchant did on a network day with a counterparty, in a program, by a kind, in one direction.

    A movement under an agreement counts for both its merchants. Each sum stands with its counterparty and with EVERYONE; the latter
    also with the day EVER. The fee of a conversion counts for the operator as well, as an incoming one without points.
    """

    __tablename__ = "daily_totals"
    __table_args__ = (partial_index("daily_totals_ever_index", "merchant", "program", where="day = 0"),)

    merchant: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    counterparty: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    program: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reversed_kind: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Of a reversal: the kind of what it reversed; else 0."""
    flow: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entries: Mapped[int] = mapped_column(BigInt)
    """How many entries. Never 0: a reorganisation removes the rows that it empties."""
    points: Mapped[int] = mapped_column(Big)
    """In the program."""
    micros: Mapped[int] = mapped_column(Big)
    """What was settled: paid by whoever it went out from, received by the other."""
    fees: Mapped[int] = mapped_column(Big)
    """Micros on top of it, the same way."""
