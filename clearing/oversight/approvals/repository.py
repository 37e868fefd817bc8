"""SQL of approvals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from clearing.kit.paging import newest_first, where_given
from clearing.oversight.approvals.models import Approval, ApprovalState, ChangeKind


class ApprovalRepository:
    """Approvals in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, approval: Approval) -> None:
        """Stores an approval. Raises IntegrityError if another one has the same claim and is open."""
        self._session.add(approval)
        self._session.flush()

    def by_id(self, id: str) -> Approval | None:  # noqa: A002
        """The approval with this id."""
        return self._session.get(Approval, id)

    def lock(self, id: str) -> Approval | None:  # noqa: A002
        """The same as it is now. Nobody else can decide it before this transaction ends."""
        return self._session.get(Approval, id, with_for_update=True, populate_existing=True)

    def lock_claim(self, claim: str) -> Approval | None:
        """The approval that has this claim and was not decided, locked until this transaction ends."""
        query = select(Approval).where(Approval.claim == claim, Approval.state == ApprovalState.REQUESTED)
        return self._session.scalar(query.with_for_update().execution_options(populate_existing=True))

    def list(
        self,
        at: datetime,
        *,
        state: ApprovalState | None,
        kind: ChangeKind | None,
        merchant_number: int | None,
        after: str | None,
        limit: int,
    ) -> Sequence[Approval]:
        """Approvals, newest first, in the state that they have at this moment."""
        query = where_given(select(Approval), (Approval.kind, kind), (Approval.merchant_number, merchant_number))
        if state is not None:
            query = query.where(_is(state, at))
        return self._session.scalars(newest_first(query, Approval.id, after, limit)).all()

    def lock_overdue(self, at: datetime, limit: int) -> Sequence[Approval]:
        """Some approvals that nobody has decided in time, locked; without those that somebody else has locked."""
        overdue = and_(Approval.state == ApprovalState.REQUESTED, Approval.expires_at <= at)
        query = select(Approval).where(overdue).order_by(Approval.id).limit(limit)
        return self._session.scalars(query.with_for_update(skip_locked=True)).all()

    def oldest_undecided(self, at: datetime) -> datetime | None:
        """Since when the one has waited for a decision that has waited longest; None if none does."""
        query = select(func.min(Approval.created_at)).where(_is(ApprovalState.REQUESTED, at))
        return self._session.scalar(query)

    def any_overdue(self, at: datetime) -> bool:
        """Whether there is one of them."""
        query = select(Approval.id).where(Approval.state == ApprovalState.REQUESTED, Approval.expires_at <= at)
        return self._session.scalar(query.limit(1)) is not None


def _is(state: ApprovalState, at: datetime) -> ColumnElement[bool]:
    """Whether an approval has this state, also where nobody has noted yet that its time is over."""
    is_undecided = Approval.state == ApprovalState.REQUESTED
    if state is ApprovalState.REQUESTED:
        return and_(is_undecided, Approval.expires_at > at)
    if state is ApprovalState.EXPIRED:
        return or_(Approval.state == state, and_(is_undecided, Approval.expires_at <= at))
    return Approval.state == state
