"""Models of statements and lots."""

from __future__ import annotations

from datetime import date, datetime

from ._models import Model


class StatementLine(Model):
    """What entries of one kind, program and agreement did on the day. `of` is the kind that a reversal reversed."""

    kind: str
    of: str | None = None
    program: str
    agreement: str | None = None
    count: int
    points: int
    out: int
    received_micros: int
    paid_micros: int
    fees_paid_micros: int
    fees_received_micros: int


class Statement(Model):
    """A merchant's day: closing = opening + received - paid - fees paid + fees received + deposited - withdrawn.

    `revision` counts up when the chain changes a day that already had a statement.
    """

    id: str
    merchant: str
    day: date
    revision: int
    opening_micros: int
    closing_micros: int
    deposited_micros: int
    withdrawn_micros: int
    lines: tuple[StatementLine, ...]
    last_block: int
    created_at: datetime


class Lot(Model):
    """Points that were issued together, and what an account has left of them.

    `expires_on` is the first day without them, or None for never; `entry` is the leaf of the entry that made the lot.
    """

    entry: str
    points: int
    expires_on: date | None = None
