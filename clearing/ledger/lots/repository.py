"""SQL of lots: the entries that lots depend on, the accounts with lots of certain days, and how far rounds have come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, TextClause, and_, or_, select, text, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from clearing.kit.in_list import in_list
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


@dataclass(slots=True)
class History:
    """All entries that the lots of some accounts depend on, in the chain's order, with the times of their blocks."""

    accounts: set[AccountKey] = field(default_factory=set)
    """The accounts asked for, and those from which points came to them."""
    targets: dict[int, int] = field(default_factory=dict)
    """Agreement -> target program."""
    entries: list[tuple[receipts.Entry, int]] = field(default_factory=list)
    """Entry and Unix time."""


class ExpiryMarkRepository:
    """How far daily rounds have come, in one session."""

    EXPIRY = "points.expire"
    """The round that holds and burns expired points."""
    REMINDERS = "points.remind"

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> ExpiryMark | None:
        """The mark of a round; None before its first one."""
        return self._session.get(ExpiryMark, name, populate_existing=True)

    def set(self, name: str, day: int, batch: int) -> None:
        """Notes how far a round has come. Of two that run at the same time, the farther one counts."""
        mark = self._session.get(ExpiryMark, name, with_for_update=True)
        if mark is None:
            values = {"name": name, "day": day, "batch": batch}
            self._session.execute(insert_for(self._session)(ExpiryMark).values(values).on_conflict_do_nothing())
            return
        mark.day = max(mark.day, day)
        mark.batch = batch


class LotRepository:
    """Entries for replays, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def history(self, accounts: Iterable[AccountKey]) -> History:
        """What the lots of `accounts` depend on: their own entries, and the entries of whoever transferred points to them."""
        found: dict[tuple[int, int], tuple[receipts.Entry, int]] = {}
        history = History(targets=self._targets())
        new = set(accounts)
        while new:
            history.accounts |= new
            rows = self._entries(_of_members(new)) + self._entries(_transfers_to(new))
            leaves = {entry.leaf() for entry, _ in rows if entry.kind == Kind.TRANSFER}
            rows += self._entries(_chunks(Entry.link, leaves, Entry.kind == int(Kind.REVERSE)))
            found |= {(entry.batch, entry.index): (entry, at) for entry, at in rows}
            new = {
                (entry.member, entry.program)
                for entry, _ in rows
                if entry.kind == Kind.TRANSFER and (recipient_of(entry), entry.program) in history.accounts
            } - history.accounts
        history.entries = [found[place] for place in sorted(found)]
        return history

    def accounts_expiring(
        self, first_day: int, last_day: int, addresses: Collection[str] | None = None
    ) -> set[AccountKey]:
        """Accounts (of these members, or of all) that got points with an expiry day from `first_day` to `last_day`.

        Some have spent them since. Transfers of such points are not looked at.
        """
        is_theirs = true() if addresses is None else in_list(self._session, Entry.address, addresses)
        return self._accounts_given(_HAS_EXPIRY_DAY, Entry.expiry_day.between(first_day, last_day), is_theirs)

    def accounts_given_late(self, after_batch: int, last_day: int) -> set[AccountKey]:
        """Accounts that got points after a batch whose expiry day is `last_day` or earlier."""
        # Without the partial index's condition: SQLite would read all that ever expired, not the few newest batches.
        return self._accounts_given(Entry.batch > after_batch, Entry.expiry_day.between(1, last_day))

    def _accounts_given(self, *conditions: ColumnElement[bool] | TextClause) -> set[AccountKey]:
        query = select(Entry.address, Entry.program, Entry.agreement, Entry.out).where(*conditions)
        targets = self._targets()
        return {
            (address, targets[agreement] if out else program)
            for address, program, agreement, out in self._session.execute(query)
        }

    def accounts_given_back(self, after_batch: int) -> set[AccountKey]:
        """Accounts that got points of older lots after a batch: through a reversal or a transfer."""
        query = select(Entry.address, Entry.program, Entry.kind, Entry.link).where(
            Entry.batch > after_batch, Entry.kind.in_((int(Kind.REVERSE), int(Kind.TRANSFER)))
        )
        return {
            ("0x" + link[12:].hex() if kind == Kind.TRANSFER else address, program)
            for address, program, kind, link in self._session.execute(query)
        }

    # ---------------------------------------------------------------- entries

    def _targets(self) -> dict[int, int]:
        query = select(Agreement.number, Agreement.target_program).where(Agreement.number.is_not(None))
        return {number or 0: target for number, target in self._session.execute(query)}

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
