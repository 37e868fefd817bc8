"""The one answer to "how many points may a new order use?": available = posted - reserved - held - expired.

- *posted*: what the chain says the member has;
- *reserved*: what pending orders will take;
- *held*: what pending holds have set aside;
- *expired*: points whose day has come, that nothing pending will take, and that the daily round has not set aside yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.accounts.repository import NOTHING, AccountKey, AccountRepository, Balance
from clearing.ledger.availability.due import CapturedHold, DueService
from clearing.ledger.availability.models import HoldPurpose
from clearing.ledger.availability.repository import HoldRepository, PendingHold


class Availability(NamedTuple):
    """An account's points, by what may be done with them. A tuple, because an order asks for hundreds."""

    posted: int
    reserved: int
    held: int
    expired: int

    @property
    def available(self) -> int:
        """Points that a new order may use. Below zero only while the chain has taken back what orders had counted on."""
        return self.posted - self.taken

    @property
    def taken(self) -> int:
        """Posted points that a new order may not use, for whatever reason."""
        return self.reserved + self.held + self.expired


class AvailabilityService:
    """Availability in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self.due = DueService(session, network=network)
        self._clock = clock_of(session)
        self._accounts = AccountRepository(session)
        self._holds = HoldRepository(session)

    def of_account(self, account: AccountKey) -> Availability:
        """One account's availability."""
        return self.of([account])[account]

    def lock(self, accounts: Iterable[AccountKey]) -> dict[AccountKey, Balance]:
        """Locks the accounts: nobody can use their points before this transaction ends. Then ask `of` with these balances."""
        return self._accounts.lock(accounts)

    def of(
        self,
        accounts: Collection[AccountKey],
        *,
        balances: Mapping[AccountKey, Balance] | None = None,
        captured: CapturedHold | None = None,
        burning: Mapping[AccountKey, int] | None = None,
    ) -> dict[AccountKey, Availability]:
        """The availability of each of these accounts at this moment.

        `balances` are what `lock` returned. `captured` is a hold that is just becoming an order: points that were good when it
        began stay good. `burning` are points that the caller burns because their day has come.
        """
        balances = self._accounts.balances(accounts) if balances is None else balances
        burning = burning or {}
        holds = self._holds.pending(balances)
        found = self._without_expiry(accounts, balances, holds)
        for account, points in self._expired_and_not_held(balances, holds, captured).items():
            wanted = captured.points if captured is not None and captured.account == account else 0
            over = min(points, found[account].available - wanted) - burning.get(account, 0)
            found[account] = found[account]._replace(expired=max(over, 0))
        return found

    def before_expiry(
        self, accounts: Collection[AccountKey], balances: Mapping[AccountKey, Balance]
    ) -> dict[AccountKey, Availability]:
        """The same as if no day had come: for the round that decides what has expired."""
        return self._without_expiry(accounts, balances, self._holds.pending(balances))

    def _without_expiry(
        self,
        accounts: Iterable[AccountKey],
        balances: Mapping[AccountKey, Balance],
        holds: Iterable[PendingHold],
    ) -> dict[AccountKey, Availability]:
        at = self._clock.now()
        found = {
            account: Availability(balance.posted, balance.reserved, 0, 0)
            for account, balance in ((account, balances.get(account, NOTHING)) for account in accounts)
        }
        for hold in holds:
            if not hold.has_lapsed(at) and (before := found.get(hold.account)) is not None:
                found[hold.account] = before._replace(held=before.held + hold.points)
        return found

    def _expired_and_not_held(
        self,
        balances: Mapping[AccountKey, Balance],
        holds: Sequence[PendingHold],
        captured: CapturedHold | None,
    ) -> dict[AccountKey, int]:
        """Due points that the round has not set aside yet."""
        some = self.due.unswept(balances, holds)
        if not some:
            return {}
        rest = Counter(self.due.of(some, balances=balances, captured=captured))
        rest.subtract({hold.account: hold.points for hold in holds if hold.purpose is HoldPurpose.EXPIRY})
        return {account: points for account, points in rest.items() if points > 0}
