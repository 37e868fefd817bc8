"""Rules of the journal: what entries change, and which of them a viewer may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.errors import NotFound
from clearing.kit.viewer import Viewer
from clearing.ledger.journal.effects import Effects
from clearing.ledger.journal.models import Batch, Entry, Proof
from clearing.ledger.journal.repository import EntryFilter, EntryRepository, EntrySource
from clearing.parties.agreements.directory import agreements_in
from clearing.parties.agreements.models import Route
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.agreements.visibility import Visibility
from clearing.parties.members.service import MemberService, is_address
from clearing.parties.programs.service import require_program
from tongdui import receipts
from tongdui.encoding import hex_of
from tongdui.orders import Kind


class JournalService:
    """The journal in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entries = EntryRepository(session)

    def effects_of(
        self, entries: Sequence[receipts.Entry], day: int, originals: Mapping[bytes, receipts.Entry]
    ) -> Effects:
        """Sums of what these entries of a block of this day change. The block is in the database, and so are they."""
        same_day = self._entries.of_day(list(originals), day) if originals else frozenset()
        return Effects.of(entries, self.routes_of(entries), originals, same_day)

    def routes_of(self, entries: Sequence[receipts.Entry]) -> dict[int, Route]:
        """The sides of these entries' agreements, by number."""
        return agreements_in(self._session).routes({entry.agreement for entry in entries if entry.agreement})

    def originals(self, entries: Sequence[receipts.Entry]) -> dict[bytes, receipts.Entry]:
        """The entries that reversals among these undo, by leaf."""
        links = [entry.link for entry in entries if entry.kind == Kind.REVERSE]
        return self._entries.by_leaves(links) if links else {}


@dataclass(frozen=True, slots=True)
class PostedEntry:
    """An entry with the batch that posted it."""

    entry: Entry
    batch: Batch


class EntryService:
    """Entries as a viewer may see them. A merchant sees its own orders, its programs' and its agreements' entries."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entries = EntryRepository(session)
        self._agreements = AgreementRepository(session)

    def list(
        self,
        viewer: Viewer,
        *,
        program: str | None,
        member: str | None,
        batch: int | None,
        after: tuple[int, int] | None,
        limit: int,
    ) -> Sequence[PostedEntry]:
        """The entries that the viewer may see, newest first: all, or those by which points leave or enter a program, those of a
        member (or address), or of a batch."""
        number = require_program(self._session, program).number if program else None
        address = self._address(viewer, member) if member else None
        wanted = EntryFilter(address, batch, self._sources(viewer, number))
        return self._posted(self._entries.list(wanted, after, limit))

    def sources_of(self, merchant: int) -> Sequence[EntrySource]:
        """Where all entries come from that concern a merchant: of its programs, and of its agreements."""
        return self._sources(Viewer(merchant), None) or []

    def visible(self, viewer: Viewer, leaf: bytes) -> PostedEntry:
        """The entry with this leaf, or NotFound where the viewer may not see it."""
        posted = self._posted([self._existing(viewer, leaf)])
        if not posted:
            raise _unknown(leaf)
        return posted[0]

    def receipt(self, viewer: Viewer, leaf: bytes) -> Proof:
        """The receipt of an entry that the viewer may see."""
        proof = self._entries.receipt(self._existing(viewer, leaf).leaf)
        if proof is None:
            raise _unknown(leaf)
        return proof

    def _existing(self, viewer: Viewer, leaf: bytes) -> Entry:
        entry = self._entries.by_leaf(leaf)
        if entry is None or not self._sees(viewer, entry):
            raise _unknown(leaf)
        return entry

    def _sees(self, viewer: Viewer, entry: Entry) -> bool:
        if viewer.sees(entry.merchant) or viewer.merchant_number is None:
            return True
        visibility = Visibility(self._session, viewer.merchant_number)
        return entry.program in visibility.own_programs() or entry.agreement in visibility.agreements()

    def _sources(self, viewer: Viewer, program: int | None) -> Sequence[EntrySource] | None:
        """Where the entries come from that the viewer may see, by which points leave or enter the program; None for everywhere."""
        if viewer.merchant_number is None:
            if program is None:
                return None
            routes = self._agreements.programs_of_agreements()
            return [EntrySource(program), *_entering(routes, program, but=(program,))]
        own = tuple(Visibility(self._session, viewer.merchant_number).own_programs())
        routes = self._agreements.programs_of_agreements(viewer.merchant_number)
        if program is None:
            given = [EntrySource(each) for each in own]
            return given + [EntrySource(None, number, own) for number, sides in routes.items() if sides[0] not in own]
        if program in own:
            return [EntrySource(program), *_entering(routes, program, but=(program,))]
        return [EntrySource(None, number) for number, sides in routes.items() if program in sides]

    def _address(self, viewer: Viewer, member: str) -> str:
        if is_address(member):
            return member.lower()
        return MemberService(self._session).visible(viewer, member).address

    def _posted(self, entries: Sequence[Entry]) -> Sequence[PostedEntry]:
        """Entries whose batch is there. A block may have fallen out of the chain since they were read."""
        batches = self._entries.batches(entry.batch for entry in entries)
        return [PostedEntry(entry, batches[entry.batch]) for entry in entries if entry.batch in batches]


def _entering(routes: Mapping[int, tuple[int, int]], program: int, but: tuple[int, ...]) -> list[EntrySource]:
    """The agreements by which points enter a program."""
    return [EntrySource(None, number, but) for number, (_, target) in routes.items() if target == program]


def _unknown(leaf: bytes) -> NotFound:
    return NotFound(f"there is no entry {hex_of(leaf)}")
