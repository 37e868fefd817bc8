"""Rules of what comes in. A document has one effect: the same again is the first one, and another one under its number is refused.

A sale, its awards and the wishes for their points are written in one transaction. A return that comes before its sale waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import TypeVar

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from loyalty.activity.measures import measures_of
from loyalty.activity.service import ActivityService
from loyalty.audit_log.service import AuditLog
from loyalty.awards.service import AwardService
from loyalty.customers.models import Customer
from loyalty.customers.service import CustomerService
from loyalty.gifts.service import GiftService
from loyalty.intake.documents import SentReturn, SentSale
from loyalty.intake.group import Visit, book, document_of, earn
from loyalty.intake.held import Held, Judged, lock_sales, malformed, return_name, same, same_as
from loyalty.kit.database import lock
from loyalty.kit.errors import Contradiction, Malformed, NotNow, Refusal, Unknown
from loyalty.kit.ids import new_id, new_ids
from loyalty.referrals.service import ReferralService
from loyalty.sales.before import Before, month_of
from loyalty.sales.kept import kept_return, kept_sale, return_of, sale_of
from loyalty.sales.models import Document, Outcome, RecordedReturn, RecordedSale
from loyalty.sales.net import what_is_left
from loyalty.sales.repository import SaleRepository
from loyalty.sales.types import InvalidField, Return, Sale
from loyalty.stations.service import StationService
from loyalty.tasks.service import TaskService
from loyalty.tiers.service import TierService

log = structlog.get_logger(__name__)
StepT = TypeVar("StepT")
Taken = RecordedSale | RecordedReturn | Refusal
"""What became of a document: it is booked, or why it is refused."""


class IntakeService:
    """Sales and returns in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sales = SaleRepository(session)
        self._awards = AwardService(session)
        self._customers = CustomerService(session)
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
        held = Held(self._session, [sent])
        known = held.known(sent)
        return known or self._book([held.judge(sent)], held, wrong)[0]

    def take_all(self, sent: Sequence[SentSale | SentReturn]) -> list[Taken]:
        """Books many documents in this one transaction, in their order. Sales that follow each other take about as few statements
        as one.

        Each has its own outcome, what was booked or why it was refused: the same as if all were sent one by one. A refusal touches
        no other document.
        """
        held = Held(self._session, sent)
        taken: list[Taken] = []
        for is_return, some in groupby(sent, key=lambda one: isinstance(one, SentReturn)):
            if is_return:
                taken += [self._returned(one, held) for one in some if isinstance(one, SentReturn)]
            else:
                taken += self._sold([one for one in some if isinstance(one, SentSale)], held)
        return taken

    def _returned(self, sent: SentReturn, held: Held) -> Taken:
        found = self._alone(lambda: self.take_return(sent))
        held.with_returns.add(sent.sale)
        return found

    def _sold(self, sent: Sequence[SentSale], held: Held) -> list[Taken]:
        """Books sales that follow each other."""
        taken: dict[int, Taken] = {}
        new: dict[Document, Judged] = {}
        for at, one in enumerate(sent):
            try:
                known = held.known(one)
                if known is not None:
                    taken[at] = known
                elif one.document in new:
                    same_as(new[one.document].sent, one)
                else:
                    new[one.document] = held.judge(one)
            except Refusal as refusal:
                taken[at] = refusal
        booked: dict[Document, Taken] = {}
        for group in _groups(new.values(), held.with_returns):
            booked |= self._book_group(group, held)
        return [taken[at] if at in taken else booked[one.document] for at, one in enumerate(sent)]

    def _book_group(self, group: Sequence[Judged], held: Held) -> dict[Document, Taken]:
        """Books a group at once. If that fails, its sales are booked one by one, and one that still fails costs itself only."""
        rows = self._alone(lambda: self._book(group, held), may_be_split=True) if len(group) > 1 else None
        if isinstance(rows, list):
            return dict(zip((one.sent.document for one in group), rows, strict=True))
        found: dict[Document, Taken] = {}
        for one in group:
            alone = self._alone(partial(self._book, [one], held))
            found[one.sent.document] = alone[0] if isinstance(alone, list) else alone
        return found

    def _alone(self, step: Callable[[], StepT], *, may_be_split: bool = False) -> StepT | Refusal:
        """Takes a step that is undone if it fails, and then leaves nothing."""
        try:
            with self._session.begin_nested():
                return step()
        except Refusal as refusal:
            return refusal
        except Exception as error:  # whatever it was, it is undone, and other documents are booked
            if isinstance(error, OperationalError) and not may_be_split:
                raise  # it is the database's trouble and no document's: the whole request is sent again
            log.exception("documents were not booked")
            return NotNow("not_booked", "it could not be booked, and the log says why: send it again")

    def _book(self, group: Sequence[Judged], held: Held, wrong: RecordedSale | None = None) -> list[RecordedSale]:
        """Books sales. Of the last one, something may have come back before it came."""
        rows = [_row(key, one) for key, one in zip(new_ids("sal", len(group)), group, strict=True)]
        visits = []
        for row, judged in zip(rows, group, strict=True):
            if (customer := judged.customer) is not None:
                before = None
                if wrong is not None and wrong.customer_id == customer.id:
                    row.place = wrong.place
                    before = self._before(row, customer, judged.sale)
                visits.append(Visit(row, judged.sale, customer, before))
        book(self._session, rows, visits)
        held.sales |= {one.sent.document: row for one, row in zip(group, rows, strict=True)}
        if group[-1].sent.document in held.with_returns:
            self._apply_waiting(rows[-1])
        return rows

    def _apply_waiting(self, row: RecordedSale) -> None:
        """Books the returns that came before their sale."""
        for waiting in self._sales.returns_of(document_of(row)):
            try:
                self._apply(waiting, row)
            except Malformed as error:  # the sale is right: whoever sent the return has to look at it
                waiting.problem = error.detail[:500]

    def _before(self, row: RecordedSale, customer: Customer, sale: Sale) -> Before:
        """What the customer bought before a sale that has a place among others."""
        this_month = self._sales.count(customer.id, *month_of(sale.business_day), row.id, row.place)
        return Before(not this_month and not self._sales.has_bought(customer.id, row.id, row.place), this_month)

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
        lock(self._session, return_name(sent.document))
        known = self._sales.returned(sent.document)
        if known is not None:
            return same(known, sent.fingerprint, f"return {sent.document}")
        sale = self._sales.sale(sent.sale)
        if sale is not None and sale.replaced_by is not None:
            right = document_of(self.sale(sale.replaced_by))
            detail = f"sale {sent.sale} was wrong: name the right one, {right}"
            raise Contradiction("sale_corrected", detail, pointer="/sale")
        station = self._stations.get(sent.document.station, "/station")
        try:
            returned = sent.at(station)
        except InvalidField as error:
            raise malformed(error) from None
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
            raise malformed(error) from None
        row.sale_id = recorded.id
        self._session.flush()
        self._awards.take_back(row.id, document_of(row), document_of(recorded), taken)
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
        book(self._session, [], [Visit(row, sale, customer)])
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
        points = earn(self._session, Visit(row, sale, customer, self._before(row, customer, sale)))
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

    def known(self, documents: Collection[Document]) -> set[Document]:
        """Those of these document numbers of which there are sales."""
        return {*self._sales.sales(documents)}

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
        lock_sales(self._session, sales)


def _groups(judged: Iterable[Judged], with_returns: Container[Document]) -> Iterator[list[Judged]]:
    """The sales, so many together that only of the last one something came back before it came: that is taken back before the
    next sale earns."""
    group: list[Judged] = []
    for one in judged:
        group.append(one)
        if one.sent.document in with_returns:
            yield group
            group = []
    if group:
        yield group


def _row(sale_id: str, judged: Judged) -> RecordedSale:
    """A new sale."""
    sent, customer = judged.sent, judged.customer
    return RecordedSale(
        id=sale_id,
        place=sale_id,
        replaced_by=None,
        station_id=sent.document.station,
        business_day=sent.document.business_day,
        till=sent.document.till,
        number=sent.document.number,
        sold_at=sent.time,
        customer_id=customer.id if customer else None,
        shown=f"{sent.shown.kind}:{sent.shown.value}" if sent.shown and customer is None else None,
        content=kept_sale(judged.sale),
        fingerprint=sent.fingerprint,
        outcome=Outcome.NOBODY if customer is None else Outcome.UNCOVERED,
        rule_set=None,
    )
