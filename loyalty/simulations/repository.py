"""SQL of recorded sales, as a simulation reads them: one after the other, in the order in which they came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, extract, func, select
from sqlalchemy.orm import Session, aliased

from loyalty.customers.models import Customer
from loyalty.sales.models import RecordedSale

_AT_ONCE = 500
"""Rows that are in memory together."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A sale with what was known of its customer."""

    business_day: date
    content: dict[str, Any]
    customer: str
    tier: str
    tier_coefficient: int
    birth_month: int | None
    this_month: int
    """How many sales of this business month had come before."""
    is_first: bool
    """Whether it was the first one of the customer that came."""


class RecordedSaleRepository:
    """Recorded sales in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def count(self, first: date, last: date) -> int:
        """How many sales of these business days have a customer."""
        return self._session.scalar(select(func.count()).select_from(RecordedSale).where(*_of(first, last))) or 0

    def stream(self, first: date, last: date) -> Iterator[Recorded]:
        """The sales of these business days that have a customer. The days before them in the first month are counted."""
        earlier = aliased(RecordedSale)
        before = select(earlier.id).where(
            earlier.customer_id == RecordedSale.customer_id,
            earlier.replaced_by.is_(None),
            earlier.place < RecordedSale.place,
        )
        month = (extract("year", RecordedSale.business_day), extract("month", RecordedSale.business_day))
        place = func.row_number().over(partition_by=(RecordedSale.customer_id, *month), order_by=RecordedSale.place)
        query = (
            select(
                RecordedSale.business_day,
                RecordedSale.content,
                RecordedSale.customer_id,
                Customer.tier,
                Customer.tier_coefficient,
                Customer.birth_month,
                (place - 1).label("this_month"),
                (~before.exists()).label("is_first"),
            )
            .join(Customer, Customer.id == RecordedSale.customer_id)
            .where(*_of(first.replace(day=1), last))
            .order_by(RecordedSale.place)
        )
        for row in self._session.execute(query, execution_options={"yield_per": _AT_ONCE}):
            if row.business_day >= first:
                yield Recorded(*row)


def _of(first: date, last: date) -> tuple[ColumnElement[bool], ...]:
    return (
        RecordedSale.business_day >= first,
        RecordedSale.business_day <= last,
        RecordedSale.customer_id.is_not(None),
        RecordedSale.replaced_by.is_(None),
    )
