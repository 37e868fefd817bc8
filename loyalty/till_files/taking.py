"""Books some documents of a till file, each by itself: what is refused of one undoes none of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from loyalty.intake.documents import SentSale
from loyalty.intake.service import IntakeService
from loyalty.kit.errors import Contradiction, Refusal
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
        """Books documents, one after the other; what became of each."""
        return [self._take(entry) for entry in entries]

    def _take(self, entry: Entry) -> Taken:
        if isinstance(entry, Fault):
            return Taken(Fate.REFUSED, entry)
        document = entry.sent.document if isinstance(entry, FileSale) else entry.document
        try:
            with self._session.begin_nested():
                is_new = self._sell(entry.sent) if isinstance(entry, FileSale) else self._give_back(entry)
                return Taken(Fate.BOOKED if is_new else Fate.KNOWN)
        except Contradiction as error:
            fate = Fate.DIFFERS if error.code == "document_differs" else Fate.REFUSED
            return Taken(fate, _fault(error, entry.line, document))
        except Refusal as error:
            return Taken(Fate.REFUSED, _fault(error, entry.line, document))

    def _sell(self, sent: SentSale) -> bool:
        """Books a sale; whether it is new."""
        is_new = self._intake.with_document(sent.document) is None
        self._intake.take_sale(sent)
        return is_new

    def _give_back(self, back: FileReturn) -> bool:
        """Books a return; whether it is new."""
        if self._originals.known(back):
            return False
        self._intake.take_return(self._originals.sent(back))
        return True


def _fault(error: Refusal, line: int, document: Document) -> Fault:
    detail = error.detail
    if error.code == "document_differs":
        detail += ": correct it (POST /v1/corrections), or give it another number"
    return Fault(line, _FIELDS.get(error.pointer, "sale"), detail, document.till, document.number)
