"""SQL of holds: points that are set aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, text
from sqlalchemy.orm import Session

from clearing.kit.in_list import pairs_in_list
from clearing.kit.paging import equal_given, newest_first, where_given
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.availability.models import Hold, HoldPurpose, HoldState

# Word for word the condition of the partial indexes: with a parameter, SQLite would not see that they apply.
_PENDING = text("holds.state = 'pending'")


@dataclass(frozen=True, slots=True)
class HoldFilter:
    """Which holds; None means any."""

    merchant: int | None = None
    member_id: str | None = None
    program: int | None = None
    state: HoldState | None = None
    reference: str | None = None


class HoldRepository:
    """Holds in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, hold: Hold) -> None:
        """Stores a hold."""
        self._session.add(hold)
        self._session.flush()

    def by_id(self, id: str) -> Hold | None:  # noqa: A002
        """The hold with this id."""
        return self._session.get(Hold, id)

    def lock(self, id: str) -> Hold:  # noqa: A002
        """The hold with this id, locked until the transaction ends. Lock its account first."""
        return self._session.get_one(Hold, id, with_for_update=True, populate_existing=True)

    def held(self, accounts: Iterable[AccountKey], at: datetime) -> dict[AccountKey, int]:
        """Points that holds have set aside on each account, where there are any. While the accounts are locked, none are added."""
        sums: dict[AccountKey, int] = defaultdict(int)
        query = select(Hold.address, Hold.program, Hold.points).where(
            _PENDING, self._of(accounts), Hold.expires_at > at
        )
        for address, program, points in self._session.execute(query):
            sums[address, program] += points
        return sums

    def list(self, wanted: HoldFilter, *, at: datetime, after: str | None, limit: int) -> Sequence[Hold]:
        """Merchants' holds, newest first; `after` is the last id of the page before."""
        query = select(Hold).where(Hold.purpose == HoldPurpose.MERCHANT, *_conditions(wanted, at))
        return self._session.scalars(newest_first(query, Hold.id, after, limit)).all()

    def any_lapsed(self, at: datetime) -> bool:
        """Whether there are pending holds whose time is over."""
        return self._session.scalar(select(Hold.id).where(_PENDING, Hold.expires_at <= at).limit(1)) is not None

    def lapsed(self, at: datetime, limit: int) -> Sequence[Hold]:
        """Pending holds whose time is over, oldest first, locked. Skips those that somebody else has locked."""
        query = (
            select(Hold)
            .where(_PENDING, Hold.expires_at <= at)
            .order_by(Hold.expires_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return self._session.scalars(query).all()

    # ---------------------------------------------------------------- points whose lots are over

    def expiry_holds(self, accounts: Iterable[AccountKey]) -> dict[AccountKey, Hold]:
        """The accounts' holds for points whose lots are over, locked. Lock the accounts first."""
        query = (
            select(Hold)
            .where(_PENDING, Hold.purpose == HoldPurpose.EXPIRY, self._of(accounts))
            .order_by(Hold.id)
            .with_for_update(of=Hold)
            .execution_options(populate_existing=True)
        )
        return {(hold.address, hold.program): hold for hold in self._session.scalars(query)}

    def expiry_points(self, accounts: Iterable[AccountKey]) -> dict[AccountKey, int]:
        """Points of the accounts that are set aside because their lots are over."""
        query = select(Hold.address, Hold.program, Hold.points).where(
            _PENDING, Hold.purpose == HoldPurpose.EXPIRY, self._of(accounts)
        )
        return {(address, program): points for address, program, points in self._session.execute(query)}

    def expiry_list(self, *, merchant: int | None, after: str | None, limit: int) -> Sequence[Hold]:
        """Those holds of one merchant's programs, or of all, newest first."""
        pending = select(Hold).where(_PENDING, Hold.purpose == HoldPurpose.EXPIRY)
        query = where_given(pending, (Hold.merchant_number, merchant))
        return self._session.scalars(newest_first(query, Hold.id, after, limit)).all()

    def accounts_with_expired_points(self) -> set[AccountKey]:
        """Accounts with a hold for points whose lots are over."""
        query = select(Hold.address, Hold.program).where(_PENDING, Hold.purpose == HoldPurpose.EXPIRY)
        return {(address, program) for address, program in self._session.execute(query)}

    def _of(self, accounts: Iterable[AccountKey]) -> ColumnElement[bool]:
        return pairs_in_list(self._session, Hold.address, Hold.program, accounts)


def _conditions(wanted: HoldFilter, at: datetime) -> list[ColumnElement[bool]]:
    conditions = equal_given(
        (Hold.merchant_number, wanted.merchant),
        (Hold.member_id, wanted.member_id),
        (Hold.program, wanted.program),
        (Hold.reference, wanted.reference),
    )
    over = and_(Hold.state == HoldState.PENDING, Hold.expires_at <= at)
    if wanted.state is HoldState.EXPIRED:
        conditions.append(or_(Hold.state == HoldState.EXPIRED, over))
    elif wanted.state is HoldState.PENDING:
        conditions += [Hold.state == HoldState.PENDING, Hold.expires_at > at]
    elif wanted.state is not None:
        conditions.append(Hold.state == wanted.state)
    return conditions
