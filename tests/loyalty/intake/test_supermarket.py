"""Real sales of a supermarket's loyalty cards, booked in groups: a month at night, a day by day."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from sqlalchemy import func, select

from loyalty.activity.models import CustomerDay
from loyalty.awards.models import BookedAward
from loyalty.budgets.models import BudgetUse
from loyalty.intake.service import IntakeService
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database, in_pieces
from loyalty.network.models import Wish
from loyalty.sales.models import Outcome, RecordedSale
from scripts.bench import programme_work as bench
from scripts.bench.supermarket import sent_sales
from tests.loyalty.clock import show
from tests.support.nightly import by_day


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_a_supermarkets_sales_are_booked_whole(programme: Database, shifted: ShiftedClock) -> None:
    bench.publish(programme)
    known: set[str] = set()
    days: Counter[date] = Counter()
    spent = sold = 0
    for some in in_pieces(sent_sales(date(2017, 7, 1), date(2017, 7, by_day(1, at_night=31))), bench.GROUP):
        show(shifted, some[-1].time)
        bench.prepare(programme, some, known)
        with programme.session.begin() as session:
            taken = IntakeService(session).take_all(some)
        assert {one.outcome for one in taken if isinstance(one, RecordedSale)} == {Outcome.EARNED}
        assert len(taken) == len(some)
        sold += len(some)
        days.update(sale.document.business_day for sale in some)
        spent += sum(line.amount_micros for sale in some for line in sale.lines)
    with programme.reading() as session:
        assert session.scalar(select(func.count()).select_from(RecordedSale)) == sold
        assert session.scalar(select(func.sum(CustomerDay.spend_micros))) == spent
        visits = session.execute(
            select(CustomerDay.business_day, func.sum(CustomerDay.visits)).group_by(CustomerDay.business_day)
        )
        assert Counter({row[0]: row[1] for row in visits}) == days
        points = session.scalar(select(func.sum(BookedAward.points)))
        assert points == session.scalar(select(func.sum(Wish.points)).where(Wish.reference.startswith("sale:")))
        assert points == session.scalar(select(func.sum(CustomerDay.points)))
        sundays = select(func.coalesce(func.sum(BookedAward.points), 0)).where(BookedAward.rule == "sunday")
        paid = select(func.coalesce(func.sum(BudgetUse.points), 0)).where(BudgetUse.rule == "sunday")
        assert session.scalar(sundays) == session.scalar(paid) <= 5_000
