"""SQL of holds: points that are set aside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, or_, select, text, update
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.in_list import in_list, pairs_in_list
from clearing.kit.paging import Page, equal_given, newest_first
from clearing.kit.sources import Walk, newest_of
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.availability.models import Hold, HoldPurpose, HoldState

# Word for word the condition of the partial indexes: with a parameter, SQLite would not see that they apply.
PENDING = text("holds.state = 'pending'")
_DRAWING = text("holds.drawing")
_IS_MERCHANTS: ColumnElement[bool] = text("holds.purpose = 'merchant'")  # type: ignore[assignment]
_IS_EXPIRY: ColumnElement[bool] = text("holds.purpose = 'expiry'")  # type: ignore[assignment]

HoldSource = tuple[int, int]
"""(merchant, program): the holds of a merchant on the points of a program."""


@dataclass(frozen=True, slots=True)
class HoldFilter:
    """Which holds; None means any."""

    merchant: int | None = None
    member_id: str | None = None
    program: int | None = None
    state: HoldState | None = None
    reference: str | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether few holds can be among them, which an index of their own finds."""
        return self.member_id is not None or self.reference is not None


class PendingHold(NamedTuple):
    """What availability has to know of a hold that nobody has ended. A tuple, because an order asks for hundreds of accounts."""

    address: str
    program: int
    purpose: HoldPurpose
    points: int
    expires_at: datetime
    created_at: datetime

    @property
    def account(self) -> AccountKey:
        """The account whose points are set aside."""
        return self.address, self.program

    def has_lapsed(self, at: datetime) -> bool:
        """Whether its time is over, though nobody has written that down yet."""
        return self.expires_at <= at


class HeldDraw(NamedTuple):
    """Points that a merchant's hold will take, or that the order which it became is about to take."""

    address: str
    program: int
    points: int
    captured: int
    drawing: bool
    created_at: datetime

    @property
    def account(self) -> AccountKey:
        """The account from which they are taken."""
        return self.address, self.program


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

    def pending(self, accounts: Iterable[AccountKey]) -> list[PendingHold]:
        """The accounts' holds that nobody has ended, also those whose time is over. Lock the accounts: then none are added."""
        query = select(Hold.address, Hold.program, Hold.purpose, Hold.points, Hold.expires_at, Hold.created_at)
        return [PendingHold(*row) for row in self._session.execute(query.where(PENDING, self._of(accounts)))]

    def draws(self, accounts: Iterable[AccountKey], at: datetime) -> list[HeldDraw]:
        """What merchants' holds, and the pending orders that holds became, will take from these accounts as on the holds' days."""
        query = select(Hold.address, Hold.program, Hold.points, Hold.captured, Hold.drawing, Hold.created_at).where(
            self._of(accounts)
        )
        holding = query.where(PENDING, Hold.purpose == HoldPurpose.MERCHANT, Hold.expires_at > at)
        # Two statements, each with an index of its own: SQLite would read the whole table for "the one or the other".
        rows = [*self._session.execute(holding), *self._session.execute(query.where(_DRAWING))]
        return [HeldDraw(*row) for row in rows]

    def set_drawing(self, order_ids: Collection[str], *, drawing: bool) -> None:
        """Notes of the holds that became these orders whether the orders are pending."""
        if not order_ids:
            return
        became = in_list(self._session, Hold.order_id, order_ids)
        change = update(Hold).where(became).values(drawing=drawing)
        if not drawing:
            change = change.where(_DRAWING)  # there are few of these, and most blocks end none
        self._session.execute(change, execution_options={"synchronize_session": False})

    def list(
        self, wanted: HoldFilter, sources: Iterable[HoldSource], *, at: datetime, after: str | None, limit: int
    ) -> Sequence[Hold]:
        """Merchants' holds, newest first, from these sources; `after` is the last id of the page before."""

        def page_of(conditions: Sequence[ColumnElement[bool]], most: int) -> Select[str]:
            mine = select(Hold.id).where(_IS_MERCHANTS, *conditions, *_conditions(wanted, at))
            return newest_first(mine, Hold.id, after, most)

        if wanted.is_narrow:
            return self._page(page_of([], limit), limit)
        keys = [(*source, state) for source in sources for state in _stored_states(wanted.state)]
        walk = Walk((Hold.merchant_number, Hold.program, Hold.state), keys)
        return self._page(newest_of(self._session, [walk], page_of, limit), limit)

    def _page(self, page: Page | None, limit: int) -> Sequence[Hold]:
        if page is None:
            return []
        keys = page.subquery("page")
        query = select(Hold).join(keys, keys.c.id == Hold.id).order_by(Hold.id.desc()).limit(limit)
        return self._session.scalars(query).all()

    def any_lapsed(self, at: datetime) -> bool:
        """Whether there are pending holds whose time is over."""
        return self._session.scalar(select(Hold.id).where(PENDING, Hold.expires_at <= at).limit(1)) is not None

    def lapsed(self, at: datetime, limit: int) -> Sequence[Hold]:
        """Pending holds whose time is over, oldest first. They are not locked yet."""
        query = select(Hold).where(PENDING, Hold.expires_at <= at).order_by(Hold.expires_at).limit(limit)
        return self._session.scalars(query).all()

    def lock_lapsed(self, ids: Sequence[str], at: datetime) -> Sequence[Hold]:
        """Those of these holds that are still pending, locked; without those that somebody else has locked. Lock the accounts of
        holds of an earlier day first."""
        query = (
            select(Hold)
            .where(PENDING, in_list(self._session, Hold.id, ids), Hold.expires_at <= at)
            .order_by(Hold.expires_at)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        return self._session.scalars(query).all()

    def accounts_with_lapsed(self, at: datetime) -> set[AccountKey]:
        """Accounts with pending holds whose time is over."""
        query = select(Hold.address, Hold.program).where(PENDING, Hold.expires_at <= at)
        return {(address, program) for address, program in self._session.execute(query)}

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` holds that ended before this moment, and whose orders have ended too; returns how many."""
        return delete_some(self._session, Hold, and_(Hold.ended_at < before, ~Hold.drawing), limit)

    # ---------------------------------------------------------------- points whose lots are over

    def expiry_holds(self, accounts: Iterable[AccountKey]) -> dict[AccountKey, Hold]:
        """The accounts' holds for points whose lots are over, locked. Lock the accounts first."""
        query = (
            select(Hold)
            .where(PENDING, Hold.purpose == HoldPurpose.EXPIRY, self._of(accounts))
            .order_by(Hold.id)
            .with_for_update(of=Hold)
            .execution_options(populate_existing=True)
        )
        return {(hold.address, hold.program): hold for hold in self._session.scalars(query)}

    def expiry_list(self, merchants: Iterable[int], *, after: str | None, limit: int) -> Sequence[Hold]:
        """Those holds of these merchants' programs, newest first."""

        def page_of(conditions: Sequence[ColumnElement[bool]], most: int) -> Select[str]:
            return newest_first(select(Hold.id).where(PENDING, _IS_EXPIRY, *conditions), Hold.id, after, most)

        walk = Walk((Hold.merchant_number,), [(number,) for number in merchants])
        return self._page(newest_of(self._session, [walk], page_of, limit), limit)

    def accounts_with_expired_points(self) -> set[AccountKey]:
        """Accounts with a hold for points whose lots are over."""
        query = select(Hold.address, Hold.program).where(PENDING, Hold.purpose == HoldPurpose.EXPIRY)
        return {(address, program) for address, program in self._session.execute(query)}

    def _of(self, accounts: Iterable[AccountKey]) -> ColumnElement[bool]:
        return pairs_in_list(self._session, Hold.address, Hold.program, accounts)


def _stored_states(wanted: HoldState | None) -> Sequence[HoldState]:
    """The states in which such a hold may be stored: that a pending one has expired may not be written down yet."""
    if wanted is None:
        return tuple(HoldState)
    return (HoldState.PENDING, HoldState.EXPIRED) if wanted is HoldState.EXPIRED else (wanted,)


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
