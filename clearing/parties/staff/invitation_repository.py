"""SQL of invitations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.paging import newest_first
from clearing.parties.staff.models import Invitation


class InvitationRepository:
    """Invitations in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, invitation: Invitation) -> None:
        """Stores an invitation."""
        self._session.add(invitation)
        self._session.flush()

    def by_id(self, id: str) -> Invitation | None:  # noqa: A002
        """The invitation with this id, open or not."""
        return self._session.get(Invitation, id)

    def lock(self, id: str) -> Invitation | None:  # noqa: A002
        """The same as it is now. Nobody else can change it before this transaction ends."""
        return self._session.get(Invitation, id, with_for_update=True, populate_existing=True)

    def open_at(
        self, merchant_number: int | None, at: datetime, *, after: str | None, limit: int
    ) -> Sequence[Invitation]:
        """A merchant's (None: the network's) invitations that somebody may still accept, newest first."""
        query = select(Invitation).where(_at(merchant_number), *_open(at))
        return self._session.scalars(newest_first(query, Invitation.id, after, limit)).all()

    def revoke_open_of(self, email_key: str, merchant_number: int | None, at: datetime) -> None:
        """Takes back whatever an address was offered there before."""
        self._session.execute(
            update(Invitation)
            .where(Invitation.email_key == email_key, _at(merchant_number), *_open(at))
            .values(revoked_at=at)
            .execution_options(synchronize_session=False)
        )

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` invitations that expired before this moment; returns how many."""
        return delete_some(self._session, Invitation, Invitation.expires_at < before, limit)


def _open(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > at


def _at(merchant_number: int | None) -> ColumnElement[bool]:
    column = Invitation.merchant_number
    return column.is_(None) if merchant_number is None else column == merchant_number
