"""Books some documents of a till file, each by itself: what is refused of one undoes none of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy.orm import Session

from loyalty.intake.service import IntakeService
from loyalty.kit.errors import NotNow, Refusal
from loyalty.sales.models import Document
from loyalty.till_files.documents import Entry, Fault, FileReturn, FileSale
from loyalty.till_files.models import Fate
from loyalty.till_files.originals import Originals

_FIELDS = {"/shown/value": "customer", "/customer": "customer", "/station": "station", "/original": "original"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a document; `fault` says why it was not booked."""

    fate: Fate
    fault: Fault | None = None


class Taking:
    """Books documents in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._intake = IntakeService(session)
        self._originals = Originals(session)

    def take(self, entries: Sequence[Entry]) -> list[Taken]:
        """Books documents, one after the other; what became of each. Sales that follow each other are booked together."""
        taken: list[Taken] = []
        for is_sale, some in groupby(entries, key=lambda entry: isinstance(entry, FileSale)):
            if is_sale:
                taken += self._sell([entry for entry in some if isinstance(entry, FileSale)])
            else:
                taken += [self._take(entry) for entry in some if not isinstance(entry, FileSale)]
        return taken

    def _take(self, entry: Fault | FileReturn) -> Taken:
        if isinstance(entry, Fault):
            return Taken(Fate.REFUSED, entry)
        try:
            with self._session.begin_nested():
                return Taken(Fate.BOOKED if self._give_back(entry) else Fate.KNOWN)
        except Refusal as error:
            return _refused(error, entry.line, entry.document)

    def _sell(self, sales: Sequence[FileSale]) -> list[Taken]:
        """Books sales; a document that is here already, or was before in the file, is known."""
        seen = self._intake.known({sale.sent.document for sale in sales})
        taken = []
        for sale, booked in zip(sales, self._intake.take_all([sale.sent for sale in sales]), strict=True):
            document = sale.sent.document
            if isinstance(booked, Refusal):
                taken.append(_refused(booked, sale.line, document))
            else:
                taken.append(Taken(Fate.KNOWN if document in seen else Fate.BOOKED))
                seen.add(document)
        return taken

    def _give_back(self, back: FileReturn) -> bool:
        """Books a return; whether it is new."""
        if self._originals.known(back):
            return False
        self._intake.take_return(self._originals.sent(back))
        return True


def _refused(error: Refusal, line: int, document: Document) -> Taken:
    if isinstance(error, NotNow):
        return Taken(Fate.NOT_BOOKED, Fault(line, "sale", error.detail, document.till, document.number))
    fate = Fate.DIFFERS if error.code == "document_differs" else Fate.REFUSED
    return Taken(fate, _fault(error, line, document))


def _fault(error: Refusal, line: int, document: Document) -> Fault:
    detail = error.detail
    if error.code == "document_differs":
        detail += ": correct it (POST /v1/corrections), or give it another number"
    return Fault(line, _FIELDS.get(error.pointer, "sale"), detail, document.till, document.number)
