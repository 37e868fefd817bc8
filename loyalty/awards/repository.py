"""SQL of awards and remainders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.awards.models import BookedAward, BookedTakeBack, CarriedRemainder
from loyalty.kit.bulk_insert import insert_all
from loyalty.kit.named import is_one_of


class AwardRepository:
    """Awards in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, *rows: BookedAward | BookedTakeBack | CarriedRemainder) -> None:
        """Adds rows."""
        self._session.add_all(rows)
        self._session.flush()

    def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds many awards, as rows."""
        insert_all(self._session, BookedAward, rows)

    def of_sale(self, sale: str) -> Sequence[BookedAward]:
        """What a sale has earned, in the order of the rules."""
        return self._session.scalars(
            select(BookedAward).where(BookedAward.sale_id == sale).order_by(BookedAward.id)
        ).all()

    def take_backs_of(self, sale: str) -> Sequence[BookedTakeBack]:
        """What returns took back of a sale's awards."""
        query = select(BookedTakeBack).join(BookedAward, BookedAward.id == BookedTakeBack.award_id)
        return self._session.scalars(query.where(BookedAward.sale_id == sale).order_by(BookedTakeBack.return_id)).all()

    def of_sales(self, sales: Iterable[str]) -> Sequence[BookedAward]:
        """What these sales have earned, in the order of sales and rules."""
        query = select(BookedAward).where(is_one_of(self._session, BookedAward.sale_id, [*sales]))
        return self._session.scalars(query.order_by(BookedAward.id)).all()

    def take_backs_of_awards(self, awards: Iterable[str]) -> Sequence[BookedTakeBack]:
        """What returns took back of these awards."""
        query = select(BookedTakeBack).where(BookedTakeBack.award_id.in_([*awards]))
        return self._session.scalars(query.order_by(BookedTakeBack.return_id)).all()

    def remainders(self, customers: Collection[str], rule_sets: Collection[str]) -> Sequence[CarriedRemainder]:
        """What rounding left customers, as it is now."""
        query = select(CarriedRemainder).where(
            is_one_of(self._session, CarriedRemainder.customer_id, customers), CarriedRemainder.rule_set.in_(rule_sets)
        )
        return self._session.scalars(query.execution_options(populate_existing=True)).all()

    def new_remainder(self, customer: str, rule_set: str, rule: str) -> CarriedRemainder:
        """Nothing that rounding has left, added."""
        row = CarriedRemainder(customer_id=customer, rule_set=rule_set, rule=rule, value="0")
        self._session.add(row)
        return row

    def remainder(self, customer: str, rule_set: str, rule: str) -> CarriedRemainder | None:
        """What rounding left a customer of a rule, as it is now."""
        return self._session.get(CarriedRemainder, (customer, rule_set, rule), populate_existing=True)
