"""Rules of corrections: the wrong sale is taken back and the right one is booked, both in one transaction, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.awards.service import AwardService, award_of
from loyalty.corrections.models import Correction
from loyalty.corrections.repository import CorrectionRepository
from loyalty.customers.service import CustomerService
from loyalty.intake.documents import SentReturn, SentSale, fingerprint_of
from loyalty.intake.group import document_of
from loyalty.intake.service import IntakeService
from loyalty.kit.errors import Contradiction, Malformed, Refusal, Unknown
from loyalty.kit.ids import new_id
from loyalty.rule_sets.service import RuleSetService
from loyalty.sales.kept import return_of, sale_of
from loyalty.sales.models import Document, RecordedReturn, RecordedSale
from loyalty.sales.types import ReturnedLine
from loyalty.stations.service import StationService


@dataclass(frozen=True, slots=True)
class SentCorrection:
    """A sale that was wrong, and the right one at the same station."""

    wrong: Document
    right: SentSale

    @property
    def fingerprint(self) -> bytes:
        """Of all that was sent, but for the reason."""
        return fingerprint_of(self)


class CorrectionService:
    """Corrections in one transaction."""

    def __init__(self, session: Session) -> None:
        self._corrections = CorrectionRepository(session)
        self._intake = IntakeService(session)
        self._awards = AwardService(session)
        self._customers = CustomerService(session)
        self._rule_sets = RuleSetService(session)
        self._stations = StationService(session)
        self._log = AuditLog(session)

    def correct(self, sent: SentCorrection, *, actor: str, reason: str) -> Correction:
        """Takes back all that is left of the wrong sale, and books the right one under its own number. The same again is the first.

        Raises:
            Malformed: It cannot be meant; the pointer says what.
            Unknown: There is no such sale, station or customer.
            Contradiction: The wrong sale was corrected already, or the right one's number is another document's.
        """
        if sent.wrong == sent.right.document:
            detail = "the right sale needs a number of its own: the wrong one keeps its number"
            raise Malformed("same_document", detail, pointer="/right/number")
        self._intake.hold(sent.wrong, sent.right.document)
        if (known := self._known(sent)) is not None:
            return known
        wrong = self._intake.with_document(sent.wrong)
        if wrong is None:
            detail = f"there is no sale {sent.wrong}: name one that is here, or send the right one as a sale"
            raise Unknown("unknown_sale", detail, pointer="/wrong")
        if wrong.replaced_by is not None:
            right = document_of(self._intake.sale(wrong.replaced_by))
            detail = f"sale {sent.wrong} was corrected already: correct the right one, {right}"
            raise Contradiction("sale_corrected", detail, pointer="/wrong")
        self._hold(wrong, sent.right)
        returned = self._take_back(wrong, sent.right.document)
        with _within("/right"):
            sale = self._intake.take_sale(sent.right, wrong=wrong)
        wrong.replaced_by = sale.id
        correction = Correction(
            id=new_id("cor"),
            wrong_id=wrong.id,
            right_id=sale.id,
            return_id=None if returned is None else returned.id,
            actor=actor,
            reason=reason,
            fingerprint=sent.fingerprint,
        )
        self._corrections.add(correction)
        self._log.note(actor, "sale.corrected", wrong.id, reason=reason, before=_told(wrong), after=_told(sale))
        return correction

    def _known(self, sent: SentCorrection) -> Correction | None:
        """The correction that is here already, if the same was sent again."""
        sale = self._intake.with_document(sent.right.document)
        if sale is None:
            return None
        known = self._corrections.with_right(sale.id)
        if known is None or known.fingerprint != sent.fingerprint:
            detail = (
                f"{sent.right.document} is here already, and says something else: give the right sale another number"
            )
            raise Contradiction("document_differs", detail, pointer="/right/number")
        return known

    def _hold(self, wrong: RecordedSale, right: SentSale) -> None:
        """Holds all customers first and then all budgets, each in one order: so no two corrections wait for each other."""
        customer = self._customers.find(right.customer, right.shown, "/right/shown/value")
        for one in sorted({one for one in (wrong.customer_id, customer) if one is not None}):
            self._customers.get(one, for_update=True, pointer="/right/customer")
        budgets = {(award_of(award).rule_set, award.rule) for award in self._awards.of_sale(wrong.id)}
        station = self._stations.get(right.document.station, "/station")
        if (kept := self._rule_sets.in_force(right.local_day(station))) is not None:
            budgets |= self._awards.budgets_of(kept)
        self._awards.hold_budgets(budgets)

    def _take_back(self, wrong: RecordedSale, document: Document) -> RecordedReturn | None:
        """Books a return of what is left of a sale, under the number of the right one."""
        rest = self._rest_of(wrong)
        if not rest:
            return None
        if self._intake.return_with_document(document) is not None:
            detail = f"{document} is a return already: give the right sale another number"
            raise Contradiction("document_differs", detail, pointer="/right/number")
        return self._intake.take_return(SentReturn(document, document_of(wrong), rest))

    def _rest_of(self, wrong: RecordedSale) -> tuple[ReturnedLine, ...]:
        """What has not come back of a sale."""
        returns = [return_of(one.content) for one in self._intake.returns_of(wrong) if one.sale_id is not None]
        back = [line for returned in returns for line in returned.lines]
        rest = []
        for line in sale_of(wrong.content).lines:
            before = [one for one in back if one.number == line.number]
            quantity_milli = line.quantity_milli - sum(one.quantity_milli for one in before)
            amount_micros = line.amount_micros - sum(one.amount_micros for one in before)
            if quantity_milli or amount_micros or not before:
                rest.append(ReturnedLine(line.number, quantity_milli, amount_micros))
        return tuple(rest)

    # ---------------------------------------------------------------- looking

    def about(self, sale: str) -> tuple[Correction | None, Correction | None]:
        """The correction by which this sale gave way to another one, and the one by which it took another one's place."""
        return self._corrections.with_wrong(sale), self._corrections.with_right(sale)

    def page(self, *, cursor: str | None, limit: int) -> tuple[Sequence[Correction], str | None]:
        """Corrections, newest first."""
        return self._corrections.page(cursor, limit)


@contextmanager
def _within(pointer: str) -> Iterator[None]:
    """Has a refusal point into the body that this part stands in."""
    try:
        yield
    except Refusal as error:
        error.pointer = f"{pointer}{error.pointer}"
        raise


def _told(row: RecordedSale) -> dict[str, object]:
    """A sale as the audit log has it."""
    return {"sale": row.id, "document": str(document_of(row)), "customer": row.customer_id, "lines": row.lines}
