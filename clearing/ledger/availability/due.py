"""What is due of accounts: points whose day has come and that nothing pending will take. Worked out from the accounts' lots.

Lots cost time, so nobody asks for those of accounts that the expiry round has swept: see `unswept`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.accounts.models import NOTHING_DUE
from clearing.ledger.accounts.repository import NOTHING, AccountKey, AccountRepository, Balance
from clearing.ledger.availability.repository import HoldRepository, PendingHold
from clearing.ledger.journal.repository import BlockRepository
from clearing.ledger.lots.draws import DatedDraw, left_over
from clearing.ledger.lots.replay import Portion
from clearing.ledger.lots.service import LotService

_BEFORE_ALL_DAYS = 0
"""Whoever draws as on this day takes the lots that are over first: on it, none was."""


class CapturedHold(NamedTuple):
    """A hold that is just becoming an order."""

    account: AccountKey
    taken_on: int
    """The network day of the hold: the order takes lots as on that day."""
    points: int
    """What the order asks for."""


class Look(NamedTuple):
    """What the expiry round finds in an account's lots."""

    points: int
    """What is due now."""
    next_day: int
    """The first day on which more of what is there now may be: NOTHING_DUE if no day will."""


class DueService:
    """What is due, in one transaction. Reads only."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._clock = clock_of(session)
        self._accounts = AccountRepository(session)
        self._holds = HoldRepository(session)

    def of(
        self,
        accounts: Collection[AccountKey],
        *,
        balances: Mapping[AccountKey, Balance] | None = None,
        captured: CapturedHold | None = None,
    ) -> dict[AccountKey, int]:
        """Points of lots that are over and that nothing pending will take: no hold, no order, no burning. Where there are any."""
        lots = LotService(self._session, network=self._network).portions(accounts)
        return self._left_over(lots, balances, captured, orders_day=self._today(), taking_back={})

    def look(self, accounts: Collection[AccountKey], balances: Mapping[AccountKey, Balance]) -> dict[AccountKey, Look]:
        """What is due of each of these accounts, which are locked, today, and when there may be more."""
        today = self._today()
        lots = LotService(self._session, network=self._network).portions_of_locked(accounts)
        due = self._left_over(lots, balances, None, orders_day=today, taking_back={})
        return {account: Look(due.get(account, 0), _next_day(lots[account], today)) for account in accounts}

    def burnable(
        self, accounts: Collection[AccountKey], *, taking_back: Mapping[AccountKey, int]
    ) -> dict[AccountKey, int]:
        """Of the due points of these accounts, which are locked, those that may be burnt now. `taking_back` is what pending
        reversals will take from them.

        Where the newest block is of an earlier day, the next one may be, too. An order that waits may then take what was alive on
        that day; if that were burnt, the expire order would take live points in its place. A reversal takes what its original
        gave, whether that is over or not.
        """
        newest = BlockRepository(self._session).last()
        orders_day = min(newest.day if newest else _BEFORE_ALL_DAYS, self._today())
        lots = LotService(self._session, network=self._network).portions_of_locked(accounts)
        return self._left_over(lots, None, None, orders_day=orders_day, taking_back=taking_back)

    def _left_over(
        self,
        lots: Mapping[AccountKey, Sequence[Portion]],
        balances: Mapping[AccountKey, Balance] | None,
        captured: CapturedHold | None,
        *,
        orders_day: int,
        taking_back: Mapping[AccountKey, int],
    ) -> dict[AccountKey, int]:
        today = self._today()
        over = {account: some for account, some in lots.items() if any(each.origin.is_over(today) for each in some)}
        if not over:
            return {}
        balances = self._accounts.balances(over) if balances is None else balances
        draws, dated = self._dated_draws(over)
        if captured is not None:
            draws[captured.account].append(DatedDraw(captured.taken_on, captured.points))
        rest = {}
        for account, portions in over.items():
            balance = balances.get(account, NOTHING)
            others = max(balance.reserved - balance.expiring - dated[account], 0)
            back = min(taking_back.get(account, 0), others)
            own = [*draws[account], DatedDraw(_BEFORE_ALL_DAYS, back), DatedDraw(orders_day, others - back)]
            # Expire orders burn what is left over, so they are no draw of their own.
            rest[account] = left_over(portions, own, today) - balance.expiring
        return {account: points for account, points in rest.items() if points > 0}

    def _dated_draws(
        self, accounts: Collection[AccountKey]
    ) -> tuple[dict[AccountKey, list[DatedDraw]], Counter[AccountKey]]:
        """What holds will take from each account, and the orders that holds became; and how much of it the orders reserve."""
        found: dict[AccountKey, list[DatedDraw]] = defaultdict(list)
        reserved: Counter[AccountKey] = Counter()
        for draw in self._holds.draws(accounts, self._clock.now()):
            points = draw.captured if draw.drawing else draw.points
            found[draw.account].append(DatedDraw(self._network.day_of_moment(draw.created_at), points))
            reserved[draw.account] += points if draw.drawing else 0
        return found, reserved

    # ---------------------------------------------------------------- whom the round has not seen

    def unswept(self, balances: Mapping[AccountKey, Balance], holds: Iterable[PendingHold]) -> set[AccountKey]:
        """Those of the accounts that may have due points which the round has not seen. `holds` are all that are pending on them.

        Asks the database for nothing: the accounts say from which day on somebody has to look at them.
        """
        at, today = self._clock.now(), self._today()
        due = {account for account, balance in balances.items() if balance.due_on <= today}
        freed = {
            hold.account
            for hold in holds
            if hold.has_lapsed(at) and self._network.day_of_moment(hold.created_at) < today
        }
        return due | freed

    def _today(self) -> int:
        return self._network.day_at(self._clock.unix())


def _next_day(portions: Iterable[Portion], today: int) -> int:
    return min(
        (each.origin.expires for each in portions if today < each.origin.expires < NOTHING_DUE), default=NOTHING_DUE
    )
