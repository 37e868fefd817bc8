"""Lots of accounts, from the database's entries: what an account has of each lot, and who has points that expire soon."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from clearing.kit.identity import NetworkIdentity
from clearing.ledger.accounts.models import AT_ONCE, UNDATED
from clearing.ledger.accounts.repository import AccountKey, AccountRepository
from clearing.ledger.journal.effects import recipient_of
from clearing.ledger.lots.replay import Portion, day_that_counts
from clearing.ledger.lots.repository import LotRepository, LotTerms
from tongdui.orders import Kind
from tongdui.receipts import Entry

_LOCKED = "lots of locked accounts"
"""Where a session keeps them, with the transaction that has locked them."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Points of an account that were issued together. `expiry_day` counts days since 1970-01-01; 0 means never."""

    leaf: bytes
    """The entry that made the lot."""
    expiry_day: int
    points: int
    place: tuple[int, int, int]
    """Its place in the order in which lots are used: two lots of an account never have the same one, and it never changes."""


class LotService:
    """Lots in one transaction. Reads only."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._network = network
        self._session = session
        self._accounts = AccountRepository(session)
        self._lots = LotRepository(session)

    def of(self, account: AccountKey) -> list[Lot]:
        """The account's lots, first-expiring first."""
        return self.of_all([account])[account]

    def of_all(self, accounts: Collection[AccountKey]) -> Mapping[AccountKey, list[Lot]]:
        """The lots of several accounts, from one replay."""
        return {
            account: [_lot(portion) for portion in portions] for account, portions in self.portions(accounts).items()
        }

    def portions(self, accounts: Collection[AccountKey]) -> Mapping[AccountKey, list[Portion]]:
        """The same as the replay has them."""
        replay = self._lots.history({address for address, _ in accounts}).replay()
        return {account: replay.lots(account) for account in accounts}

    def portions_of_locked(self, accounts: Collection[AccountKey]) -> Mapping[AccountKey, list[Portion]]:
        """The same of accounts that this transaction has locked: until it ends nothing can change them, so they are read once."""
        transaction, known = self._session.info.get(_LOCKED, (None, {}))
        if transaction is not self._session.get_transaction():
            known = {}
            self._session.info[_LOCKED] = (self._session.get_transaction(), known)
        if missing := [account for account in accounts if account not in known]:
            known |= self.portions(missing)
        return {account: known[account] for account in accounts}

    def due_days(self, entries: Sequence[Entry], day: int) -> dict[AccountKey, int]:
        """From which day on the expiry round has to look at accounts, because of what these entries, of a block of this day,
        brought there: no point of it that is good expires before."""
        terms = self._lots.terms_of({entry.agreement for entry in entries if entry.kind == Kind.EXCHANGE})
        givers = {
            (entry.member, entry.program)
            for entry in entries
            if entry.kind == Kind.TRANSFER or (entry.kind == Kind.EXCHANGE and terms[entry.agreement].keep_expiry)
        }
        balances = self._accounts.balances(givers) if givers else {}
        days = _DueDays(terms, {account: balance.due_on for account, balance in balances.items()})
        for entry in entries:
            days.add(entry, day)
        return days.found


@dataclass(slots=True)
class _DueDays:
    """The days that entries mean for accounts, entry by entry."""

    terms: Mapping[int, LotTerms]
    stored: Mapping[AccountKey, int]
    found: dict[AccountKey, int] = field(default_factory=dict)

    def add(self, entry: Entry, day: int) -> None:
        """Adds an entry of a block of this day."""
        giver = (entry.member, entry.program)
        match entry.kind:
            case Kind.EXCHANGE:
                self._exchange(entry, giver, day)
            case Kind.ISSUE if entry.expiry_day:
                self._note(giver, entry.expiry_day)
            case Kind.TRANSFER if self._of(giver) != UNDATED:
                self._note((recipient_of(entry), entry.program), AT_ONCE)
            case Kind.REVERSE:
                self._note(giver, AT_ONCE)
            case _:
                pass

    def _exchange(self, entry: Entry, giver: AccountKey, day: int) -> None:
        terms = self.terms[entry.agreement]
        target = (entry.member, terms.target_program)
        if entry.expiry_day:
            self._note(target, entry.expiry_day)
        if terms.keep_expiry and self._of(giver) != UNDATED:
            self._note(target, AT_ONCE)  # the points may come from a lot that the giver's own day no longer tells of
        if day_that_counts(entry, day) < day:
            # It may have left some of the hold's points, and made others that keep an expiry of the past.
            self._note(giver, AT_ONCE)
            self._note(target, AT_ONCE)

    def _of(self, account: AccountKey) -> int:
        return min(self.stored.get(account, UNDATED), self.found.get(account, UNDATED))

    def _note(self, account: AccountKey, day: int) -> None:
        self.found[account] = min(day, self.found.get(account, UNDATED))


def _lot(portion: Portion) -> Lot:
    origin = portion.origin
    return Lot(origin.leaf, origin.expiry_day, portion.points, (origin.expires, origin.batch, origin.index))
