"""Points whose lots are over: how many are due to be burnt, and the check that an expire order burns no others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from clearing.kit.clock import now
from clearing.kit.errors import Refused
from clearing.kit.identity import NetworkIdentity
from clearing.kit.in_list import pairs_in_list
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.lots.repository import LotRepository
from clearing.ledger.lots.service import LotService
from clearing.ordering.expiry.models import ExpiryMark
from clearing.ordering.holds.models import HoldState
from clearing.ordering.holds.repository import HoldRepository
from clearing.ordering.orders.models import Instruction, Order, OrderState

_IS_EXPIRE = text("instructions.kind = 7")
"""Word for word the condition of the partial index."""
_OPEN = (OrderState.ACCEPTED, OrderState.SUBMITTED)


ROUND = "points.expire"
"""Name of the daily round's mark."""

_swept: WeakKeyDictionary[object, int] = WeakKeyDictionary()
"""By database: the newest day whose round is known to be done."""


@dataclass(frozen=True, slots=True)
class Expiration:
    """One expire instruction: points of an account, and where they stand in the request."""

    account: AccountKey
    points: int
    pointer: str


class ExpiryService:
    """Expired points in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network

    def due(self, accounts: Collection[AccountKey]) -> dict[AccountKey, int]:
        """Points of lots that are over and that no pending expire order will burn, where there are any."""
        over = LotService(self._session, network=self._network).expiring(accounts, 1, self._network.today())
        on_their_way = self._on_their_way(over)
        rest = {account: points - on_their_way[account] for account, points in over.items()}
        return {account: points for account, points in rest.items() if points > 0}

    def unswept(self, accounts: Collection[AccountKey]) -> dict[AccountKey, int]:
        """Points whose day has come while the round that sets them aside has not: already they may not be used any more.

        What holds have taken of them is left to those. Asks next to nothing once the day's round is done.
        """
        today = self._network.today()
        bind = self._session.get_bind()
        if _swept.get(bind, 0) >= today or not accounts:
            return {}
        mark = self._session.get(ExpiryMark, ROUND, populate_existing=True)
        if mark is not None and mark.day >= today:
            _swept[bind] = mark.day
            return {}
        lots = LotRepository(self._session)
        found = lots.accounts_expiring(mark.day + 1 if mark else 1, today, {address for address, _ in accounts})
        some = found.intersection(accounts)
        if not some:
            return {}
        done = HoldRepository(self._session).expiry_points(some)
        rest = {account: points - done.get(account, 0) for account, points in self.due(some).items()}
        return {account: points for account, points in rest.items() if points > 0}

    def admit(self, expirations: Sequence[Expiration]) -> None:
        """Refuses to burn points before their day, and frees those that are set aside for this. The accounts are locked."""
        accounts = {expiration.account for expiration in expirations}
        due = self.due(accounts)
        holds = HoldRepository(self._session).expiry_holds(accounts)
        for expiration in expirations:
            left = due.get(expiration.account, 0)
            if expiration.points > left:
                detail = f"{left} points have expired and are not burnt yet, not {expiration.points}"
                raise Refused.at(expiration.pointer, detail, code="not_expired")
            due[expiration.account] = left - expiration.points
            hold = holds.get(expiration.account)
            if hold is not None:
                hold.points = max(hold.points - expiration.points, 0)
                if hold.points == 0:
                    hold.state = HoldState.CAPTURED
                    hold.ended_at = now()
        self._session.flush()

    def refused(self, since: datetime) -> set[AccountKey]:
        """Accounts of expire instructions that were accepted after `since` and came to nothing."""
        query = (
            select(Instruction.address, Instruction.program)
            .join(Instruction.order)
            .where(_IS_EXPIRE, Instruction.live.is_(False), Order.created_at > since)
        )
        return {(address, program) for address, program in self._session.execute(query)}

    def _on_their_way(self, accounts: Iterable[AccountKey]) -> dict[AccountKey, int]:
        sums: dict[AccountKey, int] = defaultdict(int)
        query = (
            select(Instruction.address, Instruction.program, Instruction.points)
            .join(Instruction.order)
            .where(_IS_EXPIRE, Order.state.in_(_OPEN))
            .where(pairs_in_list(self._session, Instruction.address, Instruction.program, accounts))
        )
        for address, program, points in self._session.execute(query):
            sums[address, program] += points
        return sums


def set_aside(
    session: Session,
    network: NetworkIdentity,
    available: Mapping[AccountKey, int],
    *,
    captured: Mapping[AccountKey, int] | None = None,
    expired: Mapping[AccountKey, int] | None = None,
) -> dict[AccountKey, int]:
    """Points of each account that an order may not use: held ones, and those whose day has come.

    `available` is what each account has beside reservations. `captured` are points of a hold that is just ending: what was good
    when it began is left to it. `expired` are those that the order burns because their day has come.
    """
    sums = HoldRepository(session).held(available, now())
    for key, points in ExpiryService(session, network=network).unswept(available.keys()).items():
        free = available[key] - sums.get(key, 0) - (captured or {}).get(key, 0)
        sums[key] = sums.get(key, 0) + max(min(points, free) - (expired or {}).get(key, 0), 0)
    return sums
