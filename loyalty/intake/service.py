"""Rules of what comes in. A document has one effect: the same again is the first one, and another one under its number is refused.

A sale, its awards and the wishes for their points are written in one transaction. A return that comes before its sale waits for it.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from loyalty.activity.measures import measures_of
from loyalty.activity.service import ActivityService
from loyalty.audit_log.service import AuditLog
from loyalty.awards.service import AwardService, Before
from loyalty.customers.models import Customer
from loyalty.customers.service import CustomerService
from loyalty.gifts.service import GiftService
from loyalty.intake.documents import SentReturn, SentSale
from loyalty.kit.database import lock
from loyalty.kit.errors import Contradiction, Malformed, Unknown
from loyalty.kit.ids import new_id
from loyalty.referrals.service import ReferralService
from loyalty.rule_sets.service import RuleSetService, content_of
from loyalty.sales.kept import kept_return, kept_sale, return_of, sale_of
from loyalty.sales.models import Document, Outcome, RecordedReturn, RecordedSale
from loyalty.sales.net import what_is_left
from loyalty.sales.repository import SaleRepository
from loyalty.sales.types import InvalidField, Return, Sale
from loyalty.stations.service import StationService
from loyalty.tasks.service import TaskService
from loyalty.tiers.service import TierService

RowT = TypeVar("RowT", RecordedSale, RecordedReturn)


class IntakeService:
    """Sales and returns in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sales = SaleRepository(session)
        self._awards = AwardService(session)
        self._customers = CustomerService(session)
        self._rule_sets = RuleSetService(session)
        self._stations = StationService(session)
        self._log = AuditLog(session)
        self._activity = ActivityService(session)
        self._tiers = TierService(session)
        self._tasks = TaskService(session)
        self._referrals = ReferralService(session)
        self._gifts = GiftService(session)

    # ---------------------------------------------------------------- sales

    def take_sale(self, sent: SentSale, *, wrong: RecordedSale | None = None) -> RecordedSale:
        """Books a sale, what it earns, and what returns that came before it take back. If it corrects a wrong sale of the same
        customer, it takes that one's place: no sale that came later counts as before it.

        Raises:
            Malformed: It cannot be meant; the pointer says what.
            Unknown: There is no such station or customer.
            Contradiction: Another sale has this document number.
        """
        self.hold(sent.document)
        known = self._sales.sale(sent.document)
        if known is not None:
            return _same(known, sent.fingerprint, f"sale {sent.document}")
        station = self._stations.get(sent.document.station, "/station")
        customer = self._customer_of(sent)
        try:
            sale = sent.at(station, customer.id if customer else "")
        except InvalidField as error:
            raise _malformed(error) from None
        sale_id = new_id("sal")
        is_moved = wrong is not None and customer is not None and wrong.customer_id == customer.id
        place = wrong.place if wrong is not None and is_moved else sale_id
        row = RecordedSale(
            id=sale_id,
            place=place,
            replaced_by=None,
            station_id=station.id,
            business_day=sent.document.business_day,
            till=sent.document.till,
            number=sent.document.number,
            sold_at=sent.time,
            customer_id=customer.id if customer else None,
            shown=f"{sent.shown.kind}:{sent.shown.value}" if sent.shown and customer is None else None,
            content=kept_sale(sale),
            fingerprint=sent.fingerprint,
            outcome=Outcome.NOBODY,
            rule_set=None,
        )
        if customer is None:
            self._sales.add(row)
        else:
            self._count(customer, sale, self._earn(row, sale, customer, place if is_moved else None))
        for waiting in self._sales.returns_of(sent.document):
            try:
                self._apply(waiting, row)
            except Malformed as error:  # the sale is right: whoever sent the return has to look at it
                waiting.problem = error.detail[:500]
        return row

    def _customer_of(self, sent: SentSale) -> Customer | None:
        """The customer, held: no other sale of theirs is booked meanwhile. None if nobody was shown, or nobody who is known."""
        found = self._customers.find(sent.customer, sent.shown, "/shown/value")
        if found is None:
            return None
        customer = self._customers.get(found, for_update=True, pointer="/customer")
        return None if customer.erased_at is not None else customer

    def _before(self, row: RecordedSale, customer: Customer, sale: Sale, place: str | None) -> Before:
        """What counts of what the customer bought before. The first sale that arrives is the first one, and no later one is."""
        first = sale.business_day.replace(day=1)
        last = first.replace(day=monthrange(first.year, first.month)[1])
        this_month = self._sales.count(customer.id, first, last, row.id, place)
        return Before(not this_month and not self._sales.has_bought(customer.id, row.id, place), this_month)

    def _earn(self, row: RecordedSale, sale: Sale, customer: Customer, place: str | None = None) -> int:
        """Adds the sale and what it earns; the points. Where it has a place among earlier ones, only those before it count."""
        kept = self._rule_sets.in_force(sale.local_time.date())
        if kept is None or not content_of(kept).effective.has(content_of(kept).day_of(sale)):
            row.outcome = Outcome.UNCOVERED
            self._sales.add(row)
            return 0
        before = self._before(row, customer, sale, place)
        row.outcome, row.rule_set = Outcome.EARNED, kept.id
        self._sales.add(row)
        awards = self._awards.earn(row.id, str(document_of(row)), sale, customer, kept, before=before)
        return sum(award.points for award in awards)

    # ---------------------------------------------------------------- what comes back

    def take_return(self, sent: SentReturn) -> RecordedReturn:
        """Books a return, and takes back what it has to. It waits if its sale is not here yet.

        Raises:
            Malformed: It cannot be meant, or more comes back than was sold; the pointer says what.
            Unknown: There is no such station.
            Contradiction: Another return has this document number.
        """
        if sent.document.station != sent.sale.station:
            detail = f"a return is booked at the station of its sale, {sent.sale.station}"
            raise Malformed("other_station", detail, pointer="/station")
        self.hold(sent.sale)
        lock(self._session, f"return:{sent.document}")
        known = self._sales.returned(sent.document)
        if known is not None:
            return _same(known, sent.fingerprint, f"return {sent.document}")
        sale = self._sales.sale(sent.sale)
        if sale is not None and sale.replaced_by is not None:
            right = document_of(self.sale(sale.replaced_by))
            detail = f"sale {sent.sale} was wrong: name the right one, {right}"
            raise Contradiction("sale_corrected", detail, pointer="/sale")
        station = self._stations.get(sent.document.station, "/station")
        try:
            returned = sent.at(station)
        except InvalidField as error:
            raise _malformed(error) from None
        row = RecordedReturn(
            id=new_id("ret"),
            station_id=station.id,
            business_day=sent.document.business_day,
            till=sent.document.till,
            number=sent.document.number,
            sale_day=sent.sale.business_day,
            sale_till=sent.sale.till,
            sale_number=sent.sale.number,
            sale_id=None,
            problem=None,
            content=kept_return(returned),
            fingerprint=sent.fingerprint,
        )
        self._sales.add(row)
        if sale is not None:
            self._apply(row, sale)
        return row

    def _apply(self, row: RecordedReturn, recorded: RecordedSale) -> None:
        """Takes back what a return has to, of a sale that is here."""
        customer = recorded.customer_id and self._customers.get(recorded.customer_id, for_update=True)
        reached = self._tiers.reached(customer) if customer else None
        sale, returned = sale_of(recorded.content), return_of(row.content)
        earlier = [return_of(one.content) for one in self.returns_of(recorded) if one.sale_id is not None]
        points = self._take_back(row, recorded, earlier)
        if customer:
            left = measures_of(what_is_left(sale, [*earlier, returned]), -points)
            self._activity.count(customer.id, sale.business_day, left.less(measures_of(what_is_left(sale, earlier))))
            self._tasks.revoke(customer, sale.business_day, because=row.id)
            self._referrals.revoke(customer, because=row.id)
            self._gifts.revoke(customer, because=row.id)
            self._tiers.review(customer, before_return=reached)

    def _take_back(self, row: RecordedReturn, recorded: RecordedSale, earlier: Sequence[Return]) -> int:
        """Takes back what a return has to of the sale's awards; the points."""
        try:
            taken = self._awards.to_take_back(recorded.id, sale_of(recorded.content), earlier, return_of(row.content))
        except InvalidField as error:
            raise _malformed(error) from None
        row.sale_id = recorded.id
        self._session.flush()
        self._awards.take_back(row.id, str(document_of(row)), taken)
        return sum(one.points for _, one in taken)

    # ---------------------------------------------------------------- what is known later

    def recognise(self, sale_id: str, customer_id: str, *, actor: str, reason: str) -> RecordedSale:
        """Gives a customer a sale of nobody, such as when the receipt is handed in later: it earns now, by the rules of its day.
        Among the customer's sales it stands where it was recognised.

        Raises:
            Unknown: There is no such sale or customer.
            Contradiction: It is somebody's already, was corrected, or the customer was erased.
        """
        row = self._held(sale_id)
        if row.customer_id == customer_id:
            return row
        if row.customer_id is not None:
            raise Contradiction("sale_has_customer", f"{sale_id} is another customer's: correct the sale instead")
        customer = self._customers.living(customer_id, "/customer")
        sale = replace(sale_of(row.content), customer=customer.id)
        before = {"outcome": row.outcome.value, "customer": None}
        row.customer_id, row.shown, row.content, row.place = customer.id, None, kept_sale(sale), new_id("sal")
        returns = self._booked_returns_of(row)
        for returned in returns:  # as if they had waited for it
            returned.sale_id = None
        self._count(customer, sale, self._earn(row, sale, customer))
        for returned in returns:
            self._apply(returned, row)
        after = {"outcome": row.outcome.value, "customer": customer.id}
        self._log.note(actor, "sale.recognised", row.id, reason=reason, before=before, after=after)
        return row

    def evaluate_again(self, sale_id: str, *, actor: str, reason: str | None = None) -> RecordedSale:
        """Evaluates a sale that no rule set covered, if one does by now. Doing it again is harmless. Raises Unknown, and
        Contradiction if it is nobody's or was corrected."""
        row = self._held(sale_id)
        if row.customer_id is None:
            raise Contradiction("sale_of_nobody", f"{sale_id} is nobody's: say first whose it is")
        customer = self._customers.get(row.customer_id, for_update=True)
        if row.outcome is not Outcome.UNCOVERED or customer.erased_at is not None:
            return row
        sale = sale_of(row.content)
        points = self._earn(row, sale, customer, row.place)
        if row.rule_set is None:
            return row
        earlier: list[Return] = []
        for returned in self._booked_returns_of(row):
            points -= self._take_back(returned, row, earlier)
            earlier.append(return_of(returned.content))
        self._activity.count(customer.id, sale.business_day, measures_of(None, points))
        self._tiers.review(customer)
        change = {"before": {"outcome": Outcome.UNCOVERED.value}, "after": {"outcome": row.outcome.value}}
        self._log.note(actor, "sale.evaluated", row.id, reason=reason, **change)
        return row

    def uncovered(self, after: str, limit: int) -> Sequence[str]:
        """Ids of sales that no rule set covered, the oldest first."""
        return self._sales.uncovered(after, limit)

    def _held(self, sale_id: str) -> RecordedSale:
        """The sale as it is now: nothing else happens to it meanwhile."""
        self.hold(document_of(self.sale(sale_id)))
        row = self._sales.hold(sale_id)
        assert row is not None, "sales are never deleted"
        if row.replaced_by is not None:
            raise Contradiction("sale_corrected", f"{sale_id} was wrong: {row.replaced_by} is the right sale")
        return row

    def _count(self, customer: Customer, sale: Sale, points: int) -> None:
        """What a sale brings beside its own awards: it counts for tasks and for the tier."""
        self._activity.count(customer.id, sale.business_day, measures_of(sale, points))
        self._tasks.reward(customer, sale)
        self._referrals.reward(customer)
        self._gifts.review(customer)
        self._tiers.review(customer)

    def _booked_returns_of(self, row: RecordedSale) -> Sequence[RecordedReturn]:
        return [one for one in self.returns_of(row) if one.sale_id is not None]

    # ---------------------------------------------------------------- looking

    def sale(self, sale_id: str) -> RecordedSale:
        """The sale with this id. Raises Unknown."""
        found = self._sales.get(sale_id)
        if found is None:
            raise Unknown("unknown_sale", f"there is no sale {sale_id}")
        return found

    def with_document(self, document: Document) -> RecordedSale | None:
        """The sale with this document number."""
        return self._sales.sale(document)

    def return_with_document(self, document: Document) -> RecordedReturn | None:
        """The return with this document number."""
        return self._sales.returned(document)

    def sale_of_return(self, returned: RecordedReturn) -> RecordedSale | None:
        """The sale that a return names, or None if it is not here."""
        sale = Document(returned.station_id, returned.sale_day, returned.sale_till, returned.sale_number)
        return self._sales.sale(sale)

    def with_number(self, station: str, number: str, before: datetime, till: str) -> Sequence[RecordedSale]:
        """A station's sales with a number up to a moment: those of a till first, and of these the latest."""
        return self._sales.with_number(station, number, before, till)

    def latest(self, customer: str, station: str, before: datetime, limit: int) -> Sequence[RecordedSale]:
        """A customer's sales at a station up to a moment that were not wrong, the latest first."""
        return self._sales.latest(customer, station, before, limit)

    def returns_of(self, sale: RecordedSale) -> Sequence[RecordedReturn]:
        """The returns of a sale, in the order in which they came."""
        return self._sales.returns_of(document_of(sale))

    def page(
        self, *, customer: str | None, outcome: Outcome | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[RecordedSale], str | None]:
        """Sales, those that came last first."""
        return self._sales.page(customer, outcome, cursor, limit)

    def uncovered_count(self) -> int:
        """How many sales no rule set covers."""
        return self._sales.uncovered_count()

    def open_return_count(self) -> int:
        """How many returns are not booked."""
        return self._sales.open_return_count()

    def returns_with(self, ids: Iterable[str]) -> Sequence[RecordedReturn]:
        """The returns with these ids."""
        return self._sales.returns_with(ids)

    def open_returns(self, *, cursor: str | None, limit: int) -> tuple[Sequence[RecordedReturn], str | None]:
        """Returns that are not booked: their sale is not here, or they have a problem."""
        return self._sales.open_returns(cursor, limit)

    def hold(self, *sales: Document) -> None:
        """Lets sales and their returns be booked one after the other."""
        for name in sorted(f"sale:{sale}" for sale in sales):
            lock(self._session, name)


def document_of(row: RecordedSale | RecordedReturn) -> Document:
    """The till's number of a sale or a return."""
    return Document(row.station_id, row.business_day, row.till, row.number)


def _same(known: RowT, fingerprint: bytes, says: str) -> RowT:
    """The row that is here already, if the same was sent again."""
    if known.fingerprint != fingerprint:
        raise Contradiction("document_differs", f"{says} is here already, and says something else")
    return known


def _malformed(error: InvalidField) -> Malformed:
    return Malformed("bad_document", str(error), pointer="/" + error.field.replace(".", "/"))
