"""SQL of sales and returns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Text, cast, func, select
from sqlalchemy.orm import Session, make_transient_to_detached

from loyalty.kit.bulk_insert import insert_all
from loyalty.kit.database import Written, clock_of, in_pieces
from loyalty.kit.named import are_one_of, is_one_of
from loyalty.kit.paging import page_of
from loyalty.sales.models import Document, Outcome, RecordedReturn, RecordedSale

RowT = TypeVar("RowT", RecordedSale, RecordedReturn)
_NAMED = 500
"""Values that one query names."""


class SaleRepository:
    """Sales and returns in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: RecordedSale | RecordedReturn) -> None:
        """Adds a sale or a return."""
        self._session.add(row)
        self._session.flush()

    def insert(self, new: Sequence[RecordedSale]) -> None:
        """Adds many new sales by one statement. They have all that a row has, but the moment of it."""
        now = clock_of(self._session).now()
        for row in new:
            row.received_at = now
        names = [column.key for column in RecordedSale.__table__.columns]
        rows = [{name: row.__dict__[name] for name in names} | {"outcome": row.outcome.value} for row in new]
        insert_all(self._session, RecordedSale, rows)
        for row in new:
            make_transient_to_detached(row)  # as if it had been read
        self._session.add_all(new)

    def get(self, sale: str) -> RecordedSale | None:
        """The sale with this id."""
        return self._session.get(RecordedSale, sale)

    def sale(self, document: Document) -> RecordedSale | None:
        """The sale with this document number."""
        return self._numbered(RecordedSale, document)

    def returned(self, document: Document) -> RecordedReturn | None:
        """The return with this document number."""
        return self._numbered(RecordedReturn, document)

    def _numbered(self, row: type[RowT], document: Document) -> RowT | None:
        query = select(row).where(
            row.station_id == document.station,
            row.business_day == document.business_day,
            row.till == document.till,
            row.number == document.number,
        )
        return self._session.scalars(query).one_or_none()

    def sales(self, documents: Collection[Document]) -> dict[Document, RecordedSale]:
        """The sales with these document numbers."""
        row = RecordedSale
        found: dict[Document, RecordedSale] = {}
        for some in in_pieces(documents, _NAMED):
            is_named = are_one_of(self._session, (row.station_id, row.business_day, row.till, row.number), some)
            for one in self._session.scalars(select(row).where(is_named)):
                found[Document(one.station_id, one.business_day, one.till, one.number)] = one
        return found

    def with_returns(self, documents: Collection[Document]) -> set[Document]:
        """Those of these sales' document numbers of which something has come back."""
        row = RecordedReturn
        number = row.station_id, row.sale_day, row.sale_till, row.sale_number
        found: set[Document] = set()
        for some in in_pieces(documents, _NAMED):
            is_named = are_one_of(self._session, number, some)
            found |= {Document(*one) for one in self._session.execute(select(*number).where(is_named))}
        return found

    def returns_of(self, document: Document) -> Sequence[RecordedReturn]:
        """The returns of a sale, in the order in which they came."""
        row = RecordedReturn
        query = select(row).where(
            row.station_id == document.station,
            row.sale_day == document.business_day,
            row.sale_till == document.till,
            row.sale_number == document.number,
        )
        return self._session.scalars(query.order_by(row.id)).all()

    def with_number(self, station: str, number: str, before: datetime, till: str) -> Sequence[RecordedSale]:
        """A station's sales with a number up to a moment: those of a till first, and of these the latest."""
        row = RecordedSale
        query = select(row).where(row.station_id == station, row.number == number, row.sold_at <= before)
        return self._session.scalars(
            query.order_by(row.till != till, row.sold_at.desc(), row.id.desc()).limit(50)
        ).all()

    def latest(self, customer: str, station: str, before: datetime, limit: int) -> Sequence[RecordedSale]:
        """A customer's sales at a station up to a moment that were not wrong, the latest first."""
        row = RecordedSale
        query = select(row).where(
            row.customer_id == customer, row.station_id == station, row.sold_at <= before, row.replaced_by.is_(None)
        )
        return self._session.scalars(query.order_by(row.sold_at.desc(), row.id.desc()).limit(limit)).all()

    def of_customers(self, customers: Collection[str], first: date, last: date) -> Sequence[tuple[str, str, Written]]:
        """Customers' sales of these business days, both included: customer, sale and its content."""
        row = RecordedSale
        query = (
            select(row.customer_id, row.id, cast(row.content, Text))
            .where(*_of(self._session, customers, first, last))
            .order_by(row.id)
        )
        rows = self._session.execute(query)
        return [(customer, sale, Written(content)) for customer, sale, content in rows if customer is not None]

    def buyers_after(self, first: date, last: date, after: str, limit: int) -> Sequence[str]:
        """Ids of some customers who bought something on these business days: the next ones."""
        row = RecordedSale
        query = select(row.customer_id).where(
            row.customer_id > after, row.business_day >= first, row.business_day <= last
        )
        return [str(found) for found in self._session.scalars(query.distinct().order_by(row.customer_id).limit(limit))]

    def count_between(self, first: date, last: date) -> int:
        """How many sales of these business days have a customer."""
        row = RecordedSale
        query = select(func.count()).select_from(row).where(row.business_day >= first, row.business_day <= last)
        return self._session.scalar(query.where(row.customer_id.is_not(None))) or 0

    def returns_of_customers(
        self, customers: Collection[str], first: date, last: date
    ) -> Sequence[tuple[str, Written]]:
        """The booked returns of these sales: the sale, and the return's content."""
        returned = RecordedReturn
        query = select(returned.sale_id, cast(returned.content, Text)).join(
            RecordedSale, RecordedSale.id == returned.sale_id
        )
        rows = self._session.execute(query.where(*_of(self._session, customers, first, last)))
        return [(sale, Written(content)) for sale, content in rows if sale is not None]

    def returns_for(self, sales: Collection[str]) -> Sequence[RecordedReturn]:
        """The booked returns of these sales."""
        found: list[RecordedReturn] = []
        for some in in_pieces(sales, _NAMED):
            found += self._session.scalars(select(RecordedReturn).where(RecordedReturn.sale_id.in_(some)))
        return found

    def buyers(self, customers: Collection[str]) -> set[str]:
        """Those of these customers who have bought anything."""
        row = RecordedSale
        is_theirs = is_one_of(self._session, row.customer_id, customers)
        query = select(row.customer_id).where(is_theirs, row.replaced_by.is_(None)).distinct()
        return {customer for customer in self._session.scalars(query) if customer is not None}

    def counts(self, customers: Collection[str], first: date, last: date) -> Sequence[tuple[str, date, int]]:
        """How many sales these customers have on each of these business days: customer, day and number."""
        row = RecordedSale
        query = select(row.customer_id, row.business_day, func.count()).where(
            *_of(self._session, customers, first, last), row.replaced_by.is_(None)
        )
        rows = self._session.execute(query.group_by(row.customer_id, row.business_day))
        return [(customer, day, count) for customer, day, count in rows if customer is not None]

    def has_bought(self, customer: str, but: str = "", place: str | None = None) -> bool:
        """Whether the customer has bought anything but this sale, or anything before a place."""
        return self._session.scalar(select(RecordedSale.id).where(*_before(customer, but, place)).limit(1)) is not None

    def count(self, customer: str, first: date, last: date, but: str, place: str | None = None) -> int:
        """How many sales the customer has on these business days but this one, or before a place."""
        row = RecordedSale
        query = select(func.count()).select_from(row).where(*_before(customer, but, place))
        return self._session.scalar(query.where(row.business_day >= first, row.business_day <= last)) or 0

    def uncovered(self, after: str, limit: int) -> Sequence[str]:
        """Ids of sales that no rule set covered, the oldest first."""
        row = RecordedSale
        query = select(row.id).where(row.outcome == Outcome.UNCOVERED, row.replaced_by.is_(None), row.id > after)
        return self._session.scalars(query.order_by(row.id).limit(limit)).all()

    def hold(self, sale: str) -> RecordedSale | None:
        """The sale with this id, as it is now."""
        return self._session.get(RecordedSale, sale, populate_existing=True)

    def page(
        self, customer: str | None, outcome: Outcome | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[RecordedSale], str | None]:
        """Sales, those that came last first."""
        query = select(RecordedSale)
        if customer is not None:
            query = query.where(RecordedSale.customer_id == customer)
        if outcome is not None:
            query = query.where(RecordedSale.outcome == outcome)
        return page_of(self._session, query, RecordedSale.id, cursor, limit)

    def uncovered_count(self) -> int:
        """How many sales no rule set covers."""
        row = RecordedSale
        query = select(func.count()).select_from(row).where(row.outcome == Outcome.UNCOVERED, row.replaced_by.is_(None))
        return self._session.scalar(query) or 0

    def open_return_count(self) -> int:
        """How many returns are not booked."""
        query = select(func.count()).select_from(RecordedReturn).where(RecordedReturn.sale_id.is_(None))
        return self._session.scalar(query) or 0

    def returns_with(self, ids: Iterable[str]) -> Sequence[RecordedReturn]:
        """The returns with these ids."""
        return self._session.scalars(select(RecordedReturn).where(RecordedReturn.id.in_([*ids]))).all()

    def open_returns(self, cursor: str | None, limit: int) -> tuple[Sequence[RecordedReturn], str | None]:
        """Returns that are not booked: their sale is not here, or they have a problem. Those that came last first."""
        query = select(RecordedReturn).where(RecordedReturn.sale_id.is_(None))
        return page_of(self._session, query, RecordedReturn.id, cursor, limit)


def _of(session: Session, customers: Collection[str], first: date, last: date) -> list[ColumnElement[bool]]:
    """What these customers' sales of these business days have in common."""
    row = RecordedSale
    return [is_one_of(session, row.customer_id, customers), row.business_day >= first, row.business_day <= last]


def _before(customer: str, but: str, place: str | None) -> list[ColumnElement[bool]]:
    """What a customer's sales have in common. One that was wrong is none."""
    row = RecordedSale
    found = [row.customer_id == customer, row.replaced_by.is_(None), row.id != but]
    return found if place is None else [*found, row.place < place]
