"""What documents are judged by: held and read at once for all of them, always in one order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from loyalty.customers.models import Customer
from loyalty.customers.service import CustomerService
from loyalty.intake.documents import SentReturn, SentSale
from loyalty.kit.database import lock_all
from loyalty.kit.errors import Contradiction, Malformed, Unknown
from loyalty.sales.models import Document, RecordedReturn, RecordedSale
from loyalty.sales.repository import SaleRepository
from loyalty.sales.types import InvalidField, Sale
from loyalty.stations.service import StationService

RowT = TypeVar("RowT", RecordedSale, RecordedReturn)


@dataclass(frozen=True, slots=True)
class Judged:
    """A sale that is right and not here yet. The customer is held; None if nobody was shown, or nobody who is known."""

    sent: SentSale
    sale: Sale
    customer: Customer | None


class Held:
    """The documents that somebody sends, with their stations and their customers. Nothing else happens to them meanwhile."""

    def __init__(self, session: Session, sent: Sequence[SentSale | SentReturn]) -> None:
        sales = SaleRepository(session)
        self._people = CustomerService(session)
        documents = {one.document if isinstance(one, SentSale) else one.sale for one in sent}
        lock_sales(session, documents)
        lock_all(session, (return_name(one.document) for one in sent if isinstance(one, SentReturn)))
        self.sales = sales.sales(documents)
        """The sales that are here, by document."""
        self.with_returns = sales.with_returns(documents - self.sales.keys())
        """The documents of sales of which something came back before they came."""
        new = [one for one in sent if isinstance(one, SentSale) and one.document not in self.sales]
        self._stations = StationService(session).named({one.document.station for one in new})
        self._shown = self._people.find_all(
            {one.shown for one in new if one.customer is None and one.shown is not None}
        )
        named = {one.customer for one in new if one.customer is not None} | {*self._shown.values()}
        named |= {row.customer_id for row in _returned(sent, self.sales) if row.customer_id is not None}
        self._customers = {one.id: one for one in self._people.hold(named)} if named else {}

    def known(self, sent: SentSale) -> RecordedSale | None:
        """The sale that is here already, if the same was sent again. Raises Contradiction if it says something else."""
        row = self.sales.get(sent.document)
        return None if row is None else same(row, sent.fingerprint, f"sale {sent.document}")

    def judge(self, sent: SentSale) -> Judged:
        """The sale, if it can be booked. Raises Malformed and Unknown."""
        station = self._stations.get(sent.document.station)
        if station is None:
            raise StationService.unknown(sent.document.station, "/station")
        customer = self._customer_of(sent)
        try:
            sale = sent.at(station, customer.id if customer else "")
        except InvalidField as error:
            raise malformed(error) from None
        return Judged(sent, sale, customer)

    def _customer_of(self, sent: SentSale) -> Customer | None:
        found = sent.customer
        if found is None and sent.shown is not None:
            self._people.check(sent.shown, "/shown/value")
            found = self._shown.get(sent.shown)
        if found is None:
            return None
        customer = self._customers.get(found)
        if customer is None:
            raise Unknown("unknown_customer", f"there is no customer {found}", pointer="/customer")
        return None if customer.erased_at is not None else customer


def _returned(
    sent: Collection[SentSale | SentReturn], sales: Mapping[Document, RecordedSale]
) -> Sequence[RecordedSale]:
    """The sales that are here of which something comes back."""
    return [sales[one.sale] for one in sent if isinstance(one, SentReturn) and one.sale in sales]


def lock_sales(session: Session, documents: Collection[Document]) -> None:
    """Lets sales and their returns be booked one after the other."""
    lock_all(session, (f"sale:{one}" for one in documents))


def return_name(document: Document) -> str:
    """The name that is held by whoever books a return."""
    return f"return:{document}"


def same(known: RowT, fingerprint: bytes, says: str) -> RowT:
    """The row that is here already, if the same was sent again. Raises Contradiction."""
    if known.fingerprint != fingerprint:
        raise Contradiction("document_differs", f"{says} is here already, and says something else")
    return known


def same_as(first: SentSale, again: SentSale) -> None:
    """Refuses a sale that says something else than the one that was sent before it under its number. Raises Contradiction."""
    if first.fingerprint != again.fingerprint:
        raise Contradiction("document_differs", f"sale {again.document} is here already, and says something else")


def malformed(error: InvalidField) -> Malformed:
    """A document that cannot be meant, with a pointer to the field."""
    return Malformed("bad_document", str(error), pointer="/" + error.field.replace(".", "/"))
