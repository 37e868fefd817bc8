"""What entries change, with the agreements and the reversed entries that it takes to tell."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from clearing.ledger.journal.effects import Effects
from clearing.ledger.journal.repository import EntryRepository
from clearing.parties.agreements.repository import AgreementRepository
from tongdui.orders import Kind
from tongdui.receipts import Entry


class JournalService:
    """The journal in one transaction."""

    def __init__(self, session: Session) -> None:
        self._entries = EntryRepository(session)
        self._agreements = AgreementRepository(session)

    def effects_of(self, entries: Sequence[Entry]) -> Effects:
        """Sums of what these entries change."""
        numbers = {entry.agreement for entry in entries if entry.agreement}
        return Effects.of(entries, self._agreements.routes(numbers), self.originals(entries))

    def originals(self, entries: Sequence[Entry]) -> dict[bytes, Entry]:
        """The entries that reversals among these undo, by leaf."""
        links = [entry.link for entry in entries if entry.kind == Kind.REVERSE]
        return self._entries.by_leaves(links) if links else {}
