"""SQL of lots: the entries that lots depend on, the accounts with lots of certain days, and how far rounds have come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import ColumnElement, TextClause, and_, or_, select, text, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from clearing.kit.in_list import in_list, pairs_in_list
from clearing.kit.upsert import insert_for
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.journal.effects import recipient_of
from clearing.ledger.journal.models import Block, Entry
from clearing.ledger.lots.models import ExpiryMark
from clearing.parties.agreements.models import Agreement
from tongdui import receipts
from tongdui.encoding import address_word
from tongdui.orders import Kind

_CHUNK = 400

# Word for word the conditions of the partial indexes: with parameters, SQLite would not see that they apply.
_HAS_EXPIRY_DAY = text("entries.expiry_day > 0")
_IS_LINKED = text("entries.kind IN (5, 6)")
_IS_TRANSFER = text("entries.kind = 5")


class LotTerms(NamedTuple):
    """What lots have to know of an agreement."""

    target_program: int
    keep_expiry: bool
    """Whether exchanged points keep their expiry."""


@dataclass(slots=True)
class History:
    """All entries that the lots of some accounts depend on, in the chain's order, with the times of their blocks."""

    accounts: set[AccountKey] = field(default_factory=set)
    """The accounts asked for, and those from which points came to them."""
    targets: dict[int, int] = field(default_factory=dict)
    """Agreement -> target program."""
    keeps_expiry: frozenset[int] = frozenset()
    """Agreements under which exchanged points keep their expiry."""
    entries: list[tuple[receipts.Entry, int]] = field(default_factory=list)
    """Entry and Unix time."""

    def receiver_of(self, entry: receipts.Entry) -> AccountKey | None:
        """The account that got points out of another one's lots by this entry."""
        if entry.kind == Kind.TRANSFER:
            return recipient_of(entry), entry.program
        if entry.kind == Kind.EXCHANGE and entry.agreement in self.keeps_expiry:
            return entry.member, self.targets[entry.agreement]
        return None


class ExpiryMarkRepository:
    """How far daily rounds have come, in one session."""

    REMINDERS = "points.remind"

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> ExpiryMark | None:
        """The mark of a round; None before its first one."""
        return self._session.get(ExpiryMark, name, populate_existing=True)

    def set(self, name: str, day: int) -> None:
        """Notes that a round is done, and for which day."""
        values: dict[str, object] = {"day": day, "part": None, "address": None}
        statement = insert_for(self._session)(ExpiryMark).values(name=name, **values)
        self._session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))

    def set_place(self, name: str, part: str, address: str) -> None:
        """Notes how far a round is that is not done yet: in which part of it, up to which address."""
        change = update(ExpiryMark).where(ExpiryMark.name == name).values(part=part, address=address)
        self._session.execute(change, execution_options={"synchronize_session": False})


class LotRepository:
    """Entries for replays, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def history(self, accounts: Iterable[AccountKey]) -> History:
        """What the lots of `accounts` depend on: their own entries, and those of each account from which points came that kept
        their expiry."""
        found: dict[tuple[int, int], tuple[receipts.Entry, int]] = {}
        history = History(targets=self._targets(), keeps_expiry=self._keeping_expiry())
        new = set(accounts)
        while new:
            history.accounts |= new
            rows = self._entries(_of_members(new)) + self._entries(_transfers_to(new))
            leaves = {entry.leaf() for entry, _ in rows if entry.kind == Kind.TRANSFER}
            rows += self._entries(_chunks(Entry.link, leaves, Entry.kind == int(Kind.REVERSE)))
            found |= {(entry.batch, entry.index): (entry, at) for entry, at in rows}
            new = {
                (entry.member, entry.program) for entry, _ in rows if history.receiver_of(entry) in history.accounts
            } - history.accounts
        history.entries = [found[place] for place in sorted(found)]
        return history

    def terms_of(self, agreements: Collection[int]) -> dict[int, LotTerms]:
        """The terms of these agreements, by number."""
        if not agreements:
            return {}
        query = select(Agreement.number, Agreement.target_program, Agreement.keep_expiry)
        rows = self._session.execute(query.where(in_list(self._session, Agreement.number, agreements)))
        return {number or 0: LotTerms(target, keeps) for number, target, keeps in rows}

    # ---------------------------------------------------------------- who has points of certain days

    def addresses_given(self, day: int, after: str, limit: int) -> list[str]:
        """The members who got points that expire on this day, in order, after this address."""
        query = select(Entry.address).where(_HAS_EXPIRY_DAY, Entry.expiry_day == day, Entry.address > after)
        return list(self._session.scalars(query.distinct().order_by(Entry.address).limit(limit)))

    def accounts_expiring(self, day: int, addresses: Collection[str]) -> set[AccountKey]:
        """The accounts in which these members got points that expire on this day, and those to which such points may have gone on.

        Some have spent them since.
        """
        found: set[AccountKey] = set()
        theirs = in_list(self._session, Entry.address, addresses)
        new = self._accounts_given(_HAS_EXPIRY_DAY, Entry.expiry_day == day, theirs)
        keeping = self._keeping_expiry()
        while new:
            found |= new
            new = (self._given_on(new) | self._exchanged_on(new, keeping)) - found
        return found

    def _accounts_given(self, *conditions: ColumnElement[bool] | TextClause) -> set[AccountKey]:
        query = select(Entry.address, Entry.program, Entry.agreement, Entry.out).where(*conditions).distinct()
        targets = self._targets()
        return {
            (address, targets[agreement] if out else program)
            for address, program, agreement, out in self._session.execute(query)
        }

    def _given_on(self, accounts: Collection[AccountKey]) -> set[AccountKey]:
        """The accounts to which these have ever transferred points."""
        query = select(Entry.link, Entry.program).where(
            _IS_TRANSFER, pairs_in_list(self._session, Entry.address, Entry.program, accounts)
        )
        return {(_address_of(link), program) for link, program in self._session.execute(query.distinct())}

    def _exchanged_on(self, accounts: Collection[AccountKey], keeping: Collection[int]) -> set[AccountKey]:
        """The accounts into which these have ever exchanged points that kept their expiry."""
        if not keeping:
            return set()
        mine = pairs_in_list(self._session, Entry.address, Entry.program, accounts)
        return self._accounts_given(mine, Entry.agreement.in_(keeping), Entry.kind == int(Kind.EXCHANGE))

    # ---------------------------------------------------------------- entries

    def _targets(self) -> dict[int, int]:
        query = select(Agreement.number, Agreement.target_program).where(Agreement.number.is_not(None))
        return {number or 0: target for number, target in self._session.execute(query)}

    def _keeping_expiry(self) -> frozenset[int]:
        """The agreements under which exchanged points keep their expiry."""
        query = select(Agreement.number).where(Agreement.number.is_not(None), Agreement.keep_expiry)
        return frozenset(number or 0 for number in self._session.scalars(query))

    def _entries(self, conditions: Sequence[ColumnElement[bool]]) -> list[tuple[receipts.Entry, int]]:
        rows: list[tuple[receipts.Entry, int]] = []
        for condition in conditions:
            query = select(Entry, Block.timestamp).join(Block, Block.number == Entry.block_number).where(condition)
            rows += [(entry.wire(), at) for entry, at in self._session.execute(query)]
        return rows


def _of_members(accounts: Iterable[AccountKey]) -> list[ColumnElement[bool]]:
    """Entries of these accounts, and these members' entries under any agreement: an exchange gives points of its target program."""
    keys = sorted(accounts)
    conditions: list[ColumnElement[bool]] = []
    for start in range(0, len(keys), _CHUNK):
        some = keys[start : start + _CHUNK]
        own = tuple_(Entry.address, Entry.program).in_(some)
        exchanged = Entry.address.in_(sorted({address for address, _ in some})) & (Entry.agreement != 0)
        conditions.append(or_(own, exchanged))
    return conditions


def _transfers_to(accounts: Iterable[AccountKey]) -> list[ColumnElement[bool]]:
    recipients = {address_word(address) for address, _ in accounts}
    return _chunks(Entry.link, recipients, Entry.kind == int(Kind.TRANSFER))


def _chunks(
    column: InstrumentedAttribute[bytes], values: Iterable[bytes], kind: ColumnElement[bool]
) -> list[ColumnElement[bool]]:
    ordered = sorted(values)
    return [
        and_(_IS_LINKED, kind, column.in_(ordered[start : start + _CHUNK])) for start in range(0, len(ordered), _CHUNK)
    ]


def _address_of(link: bytes) -> str:
    return "0x" + link[12:].hex()
