"""Books the sales of a group one after the other, with all that they earn. Whoever calls holds their documents and customers.

What the sales need to know is read at once, changed in memory by each of them in turn, and written at once. So a group of hundreds
takes about as many statements as a sale that is alone, and gives what the same sales give one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from loyalty.activity.measures import measures_of
from loyalty.activity.service import DayGroup
from loyalty.awards.group import AwardGroup
from loyalty.bonuses.service import BonusGroup
from loyalty.customers.models import Customer
from loyalty.gifts.service import GiftGroup
from loyalty.network.issues import IssueGroup
from loyalty.referrals.group import ReferralGroup
from loyalty.rule_sets.models import KeptRuleSet
from loyalty.rule_sets.service import RuleSetService, content_of
from loyalty.sales.before import Before, Purchases
from loyalty.sales.models import Document, Outcome, RecordedReturn, RecordedSale
from loyalty.sales.reading import History
from loyalty.sales.repository import SaleRepository
from loyalty.sales.types import Sale
from loyalty.tasks.group import TaskGroup
from loyalty.tiers.service import TierGroup


@dataclass(frozen=True, slots=True)
class Visit:
    """A customer's sale that is booked. `before` is what had been bought before it, if it has a place among earlier sales."""

    row: RecordedSale
    sale: Sale
    customer: Customer
    before: Before | None = None


def book(session: Session, new: Sequence[RecordedSale], visits: Sequence[Visit]) -> None:
    """Books sales, what they earn, and what they bring their customers for tasks, referrals, gifts and tiers. `new` are the rows of
    those that are not kept yet."""
    if not visits:
        SaleRepository(session).insert(new)
        return
    with session.no_autoflush:  # what is changed in memory is written once, at the end
        group = _Group(session, visits)
        for visit in visits:
            group.book(visit)
    SaleRepository(session).insert(new)
    group.write()


def earn(session: Session, visit: Visit) -> int:
    """Books what a sale earns by itself, and nothing else; the points. The row says whether a rule set covers it."""
    kept = covering(visit.sale, RuleSetService(session).in_force(visit.sale.local_time.date()))
    if kept is None:
        return 0
    issues = IssueGroup(session, [visit.customer.id])
    awards = AwardGroup(session, [visit.customer.id], [kept], [visit.sale.business_day], issues)
    points = _earn(awards, visit, kept, visit.before)
    session.flush()
    awards.write()
    return points


class _Group:
    """What the sales of a group have to know, and what they change."""

    def __init__(self, session: Session, visits: Sequence[Visit]) -> None:
        self._session = session
        sales = [visit.sale for visit in visits]
        customers = {visit.customer.id: visit.customer for visit in visits}
        days = {sale.business_day for sale in sales}
        self._rule_sets = RuleSetService(session).in_force_on(sale.local_time.date() for sale in sales)
        covered = {kept.id: kept for sale in sales if (kept := self._covering(sale)) is not None}
        issues = IssueGroup(session)
        self._awards = AwardGroup(session, customers, [*covered.values()], days, issues)
        self._bonuses = BonusGroup(session, issues)
        self._tasks = TaskGroup(session, sales, self._bonuses)
        self._referrals = ReferralGroup(session, customers, self._bonuses)
        issues.expect({*customers, *self._referrals.referrers})
        self._gifts = GiftGroup(session, customers.values(), self._bonuses)
        self._tiers = TierGroup(session, customers)
        self._days = DayGroup(session, {(sale.customer, sale.business_day) for sale in sales})
        self._purchases = Purchases(session, customers, days)
        self._history = History(session, [*self._tasks.wanted, *self._referrals.wanted])

    def book(self, visit: Visit) -> None:
        """Books a sale after those that were booked before it."""
        sale, customer = visit.sale, visit.customer
        before = visit.before or self._purchases.before(customer.id, sale.business_day)
        kept = self._covering(sale)
        visit.row.outcome = Outcome.UNCOVERED
        points = 0 if kept is None else _earn(self._awards, visit, kept, before)
        self._purchases.add(customer.id, sale.business_day)
        self._history.add(customer.id, sale)
        measures = measures_of(sale, points)
        self._days.count(customer.id, sale.business_day, measures)
        self._tiers.count(customer.id, sale.business_day, measures)
        self._tasks.reward(customer, sale, self._history)
        self._referrals.reward(customer, self._history)
        self._gifts.review(customer, has_bought=lambda: True)
        self._tiers.review(customer)

    def write(self) -> None:
        """Writes what is known only in memory: first what others name."""
        self._session.flush()
        self._awards.write()
        self._bonuses.write()

    def _covering(self, sale: Sale) -> KeptRuleSet | None:
        return covering(sale, self._rule_sets[sale.local_time.date()])


def covering(sale: Sale, kept: KeptRuleSet | None) -> KeptRuleSet | None:
    """The rule set of the station's day, if it is in force on the sale's day in its own time zone, too."""
    return kept if kept is not None and content_of(kept).effective.has(content_of(kept).day_of(sale)) else None


def _earn(awards: AwardGroup, visit: Visit, kept: KeptRuleSet, before: Before | None) -> int:
    assert before is not None, "whoever books a sale by itself says what was before it"
    row = visit.row
    row.outcome, row.rule_set = Outcome.EARNED, kept.id
    return awards.earn(row.id, str(document_of(row)), visit.sale, visit.customer, kept, before=before)


def document_of(row: RecordedSale | RecordedReturn) -> Document:
    """The till's number of a sale or a return."""
    return Document(row.station_id, row.business_day, row.till, row.number)
