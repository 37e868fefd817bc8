"""Which sale a return of a till file takes back, and how much of its lines."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from loyalty.customers.service import CustomerService
from loyalty.intake.documents import SentReturn
from loyalty.intake.group import document_of
from loyalty.intake.service import IntakeService
from loyalty.kit.errors import Contradiction, Unknown
from loyalty.sales.kept import return_of, sale_of
from loyalty.sales.models import RecordedSale
from loyalty.sales.types import ReturnedLine, Sale
from loyalty.till_files.documents import FileReturn

_MOST_TRIED = 200
"""So many of a customer's sales are looked at, the latest first."""


class Originals:
    """Finds sales in one transaction."""

    def __init__(self, session: Session) -> None:
        self._intake = IntakeService(session)
        self._customers = CustomerService(session)

    def sent(self, back: FileReturn) -> SentReturn:
        """The return with its sale: the one that it names; or that of its own till, day and number; or the customer's latest one
        that has as much of each article left.

        Raises:
            Unknown: There is no such sale.
        """
        for sale in self._candidates(back):
            lines = self._lines(sale, back)
            if lines:
                return SentReturn(back.document, document_of(sale), lines)
        if back.original:
            detail = f"there is no sale {back.original} with so much of its goods left: send the sale's file first"
        else:
            detail = (
                "no sale fits it: have the till export the number of the sale that is taken back (column original), or send "
                "the return by itself (POST /v1/returns)"
            )
        raise Unknown("unknown_sale", detail, pointer="/original")

    def known(self, back: FileReturn) -> bool:
        """Whether this return is here already. Raises Contradiction if it says something else."""
        known = self._intake.return_with_document(back.document)
        if known is None:
            return False
        sale = self._intake.sale_of_return(known)
        articles = {} if sale is None else {line.number: line.article for line in sale_of(sale.content).lines}
        goods: dict[str, int] = {}
        for line in return_of(known.content).lines:
            article = articles.get(line.number, "")
            goods[article] = goods.get(article, 0) + line.quantity_milli
        if goods != dict(back.goods):
            detail = f"return {back.document} is here already, and says something else"
            raise Contradiction("document_differs", detail)
        return True

    def _candidates(self, back: FileReturn) -> Iterator[RecordedSale]:
        station, till = back.document.station, back.document.till
        if back.original:
            yield from map(self._right, self._intake.with_number(station, back.original, back.time, till))
            return
        same = self._intake.with_document(back.document)
        if same is not None:
            yield self._right(same)
        customer = self._customers.find(None, back.shown)
        if customer is not None:
            yield from self._intake.latest(customer, station, back.time, _MOST_TRIED)

    def _right(self, sale: RecordedSale) -> RecordedSale:
        """The sale that is right, where one was wrong."""
        while sale.replaced_by is not None:
            sale = self._intake.sale(sale.replaced_by)
        return sale

    def _lines(self, recorded: RecordedSale, back: FileReturn) -> tuple[ReturnedLine, ...]:
        """What comes back of a sale; nothing if less is left of it. A part of an article has its part of the amount."""
        sale = sale_of(recorded.content)
        returns = [return_of(one.content) for one in self._intake.returns_of(recorded) if one.sale_id is not None]
        left = {line.number: [line.quantity_milli, line.amount_micros] for line in sale.lines}
        for line in (line for returned in returns for line in returned.lines):
            left[line.number][0] -= line.quantity_milli
            left[line.number][1] -= line.amount_micros
        found: list[ReturnedLine] = []
        for article, wanted_milli in back.goods:
            for number in _numbers_of(sale, article):
                quantity_milli, amount_micros = left[number]
                taken = min(wanted_milli, quantity_milli)
                if taken > 0:
                    found.append(ReturnedLine(number, taken, amount_micros * taken // quantity_milli))
                    wanted_milli -= taken  # noqa: PLW2901 - what is still to be found of it
            if wanted_milli:
                return ()
        return tuple(sorted(found, key=lambda line: line.number))


def _numbers_of(sale: Sale, article: str) -> Iterator[int]:
    return (line.number for line in sale.lines if line.article == article)
