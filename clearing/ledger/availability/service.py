"""The one answer to "how many points may a new order use?": available = posted - reserved - held - expired.

- *posted*: what the chain says the member has;
- *reserved*: what pending orders will take;
- *held*: what pending holds have set aside;
- *expired*: points whose day has come, that nothing pending will take, and that the daily round has not set aside yet.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.accounts.repository import NOTHING, AccountKey, AccountRepository, Balance
from clearing.ledger.availability.models import HoldPurpose
from clearing.ledger.availability.repository import HoldRepository, PendingHold
from clearing.ledger.journal.repository import BlockRepository
from clearing.ledger.lots.draws import DatedDraw, due
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


class CapturedHold(NamedTuple):
    """A hold that is just becoming an order."""

    account: AccountKey
    taken_on: int
    """The network day of the hold: the order takes lots as on that day."""
    points: int
    """What the order asks for."""


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
        held: Counter[AccountKey] = Counter()
        for hold in holds:
            held[hold.account] += 0 if hold.has_lapsed(at) else hold.points
        found = {}
        for account in accounts:
            balance = balances.get(account, NOTHING)
            found[account] = Availability(balance.posted, balance.reserved, held[account], expired=0)
        return found

    # ---------------------------------------------------------------- points whose day has come

    def expired(
        self,
        accounts: Collection[AccountKey],
        *,
        balances: Mapping[AccountKey, Balance] | None = None,
        captured: CapturedHold | None = None,
    ) -> dict[AccountKey, int]:
        """Points of lots that are over and that nothing pending will take: no hold, no order, no burning. Where there are any."""
        return self._left_over(accounts, balances, captured, orders_day=self._today())

    def burnable(self, accounts: Collection[AccountKey]) -> dict[AccountKey, int]:
        """Of the expired points, those that may be burnt now.

        Where the newest block is of an earlier day, the next one may be, too. An order that waits may then take what was alive on
        that day; if that were burnt, the expire order would take live points in its place.
        """
        newest = BlockRepository(self._session).last()
        newest_day = self._network.day_at(newest.timestamp) if newest else 0
        return self._left_over(accounts, None, None, orders_day=min(newest_day, self._today()))

    def _left_over(
        self,
        accounts: Collection[AccountKey],
        balances: Mapping[AccountKey, Balance] | None,
        captured: CapturedHold | None,
        *,
        orders_day: int,
    ) -> dict[AccountKey, int]:
        today = self._today()
        over = LotService(self._session, network=self._network).over(accounts, today)
        if not over:
            return {}
        balances = self._accounts.balances(over) if balances is None else balances
        draws = self._draws(over, balances, captured, orders_day)
        rest = {
            account: due(portions, draws[account], today) - balances.get(account, NOTHING).expiring
            for account, portions in over.items()
        }
        return {account: points for account, points in rest.items() if points > 0}

    def _draws(
        self,
        accounts: Collection[AccountKey],
        balances: Mapping[AccountKey, Balance],
        captured: CapturedHold | None,
        orders_day: int,
    ) -> dict[AccountKey, list[DatedDraw]]:
        """What pending holds and orders will take from each account. Orders that came from no hold take as on `orders_day`."""
        found: dict[AccountKey, list[DatedDraw]] = defaultdict(list)
        dated: Counter[AccountKey] = Counter()
        for draw in self._holds.draws(accounts, self._clock.now()):
            points = draw.captured if draw.drawing else draw.points
            found[draw.account].append(DatedDraw(self._network.day_of_moment(draw.created_at), points))
            dated[draw.account] += points if draw.drawing else 0
        if captured is not None:
            found[captured.account].append(DatedDraw(captured.taken_on, captured.points))
        for account in accounts:
            balance = balances.get(account, NOTHING)
            # Expire orders burn what is left over, so they are no draw of their own.
            others = balance.reserved - balance.expiring - dated[account]
            if others > 0:
                found[account].append(DatedDraw(orders_day, others))
        return found

    def _expired_and_not_held(
        self,
        balances: Mapping[AccountKey, Balance],
        holds: Sequence[PendingHold],
        captured: CapturedHold | None,
    ) -> dict[AccountKey, int]:
        """Expired points that the round has not set aside yet. Asks next to nothing once the day's round is done."""
        some = self._not_swept(balances, holds)
        if not some:
            return {}
        rest = Counter(self.expired(some, balances=balances, captured=captured))
        rest.subtract({hold.account: hold.points for hold in holds if hold.purpose is HoldPurpose.EXPIRY})
        return {account: points for account, points in rest.items() if points > 0}

    def _not_swept(self, balances: Mapping[AccountKey, Balance], holds: Iterable[PendingHold]) -> set[AccountKey]:
        """Those of the accounts that may have expired points which the round has not seen."""
        at, today = self._clock.now(), self._today()
        unswept = {account for account, balance in balances.items() if balance.unswept}
        freed = {
            hold.account
            for hold in holds
            if hold.has_lapsed(at) and self._network.day_of_moment(hold.created_at) < today
        }
        return unswept | freed | self._reaching_their_day(balances, today)

    def _reaching_their_day(self, accounts: Collection[AccountKey], today: int) -> set[AccountKey]:
        database = self._session.get_bind()
        if _days_done.get(database, 0) >= today or not accounts:
            return set()
        mark = ExpiryMarkRepository(self._session).get(ExpiryMarkRepository.EXPIRY)
        if mark is not None and mark.day >= today:
            _days_done[database] = mark.day
            return set()
        return LotRepository(self._session).may_expire(accounts, mark.day + 1 if mark else 1, today)

    def _today(self) -> int:
        return self._network.day_at(self._clock.unix())
