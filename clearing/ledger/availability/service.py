"""The one answer to "how many points may a new order use?": available = posted - reserved - held - expired.

- *posted*: what the chain says the member has;
- *reserved*: what pending orders will take;
- *held*: what pending holds have set aside;
- *expired*: points whose day has come and that no hold has set aside yet, because the day's round has not run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.accounts.repository import NOTHING, AccountKey, AccountRepository, Balance
from clearing.ledger.availability.repository import HoldRepository
from clearing.ledger.lots.repository import ExpiryMarkRepository, LotRepository
from clearing.ledger.lots.service import LotService

_days_done: WeakKeyDictionary[object, int] = WeakKeyDictionary()
"""By database: the newest day whose expiry round is known to be done."""


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
        self._session = session
        self._network = network
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
        captured: Mapping[AccountKey, int] | None = None,
        burning: Mapping[AccountKey, int] | None = None,
    ) -> dict[AccountKey, Availability]:
        """The availability of each of these accounts at this moment.

        `balances` are what `lock` returned. `captured` are points of a hold that is just ending: points that were good when it
        began stay good. `burning` are points that the caller burns because their day has come.
        """
        balances = self._accounts.balances(accounts) if balances is None else balances
        captured, burning = captured or {}, burning or {}
        found = self.before_expiry(accounts, balances)
        for account, points in self._expired_and_not_held(balances).items():
            over = min(points, found[account].available - captured.get(account, 0)) - burning.get(account, 0)
            found[account] = found[account]._replace(expired=max(over, 0))
        return found

    def before_expiry(
        self, accounts: Collection[AccountKey], balances: Mapping[AccountKey, Balance]
    ) -> dict[AccountKey, Availability]:
        """The same as if no day had come: for the round that decides what has expired."""
        held = self._holds.held(balances, self._clock.now())
        found = {}
        for account in accounts:
            posted, reserved, _ = balances.get(account, NOTHING)
            found[account] = Availability(posted, reserved, held.get(account, 0), expired=0)
        return found

    # ---------------------------------------------------------------- points whose day has come

    def expired(self, accounts: Iterable[AccountKey]) -> dict[AccountKey, int]:
        """Points of lots that are over and that no pending expire order will burn, where there are any."""
        today = self._network.day_at(self._clock.unix())
        over = LotService(self._session, network=self._network).expiring(list(accounts), 1, today)
        balances = self._accounts.balances(over)
        rest = {account: points - balances.get(account, NOTHING).expiring for account, points in over.items()}
        return {account: points for account, points in rest.items() if points > 0}

    def _expired_and_not_held(self, accounts: Collection[AccountKey]) -> dict[AccountKey, int]:
        """Points whose day has come while the round that sets them aside has not. Asks next to nothing once the round is done."""
        today = self._network.day_at(self._clock.unix())
        database = self._session.get_bind()
        if _days_done.get(database, 0) >= today or not accounts:
            return {}
        mark = ExpiryMarkRepository(self._session).get(ExpiryMarkRepository.EXPIRY)
        if mark is not None and mark.day >= today:
            _days_done[database] = mark.day
            return {}
        lots = LotRepository(self._session)
        candidates = lots.accounts_expiring(mark.day + 1 if mark else 1, today, {address for address, _ in accounts})
        some = candidates.intersection(accounts)
        if not some:
            return {}
        set_aside = self._holds.expiry_points(some)
        rest = {account: points - set_aside.get(account, 0) for account, points in self.expired(some).items()}
        return {account: points for account, points in rest.items() if points > 0}
