"""SQL of referrals and of the codes that customers hand on."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.kit.named import is_one_of
from loyalty.kit.paging import page_of
from loyalty.referrals.models import Referral, ReferralCode


class ReferralRepository:
    """Referrals in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Referral | ReferralCode) -> None:
        """Adds a row."""
        self._session.add(row)
        self._session.flush()

    def code_of(self, customer: str) -> ReferralCode | None:
        """The code that a customer hands on, as it is now."""
        return self._session.get(ReferralCode, customer, populate_existing=True)

    def code(self, code: str) -> ReferralCode | None:
        """The code that is written so."""
        return self._session.scalars(select(ReferralCode).where(ReferralCode.code == code)).one_or_none()

    def of_newcomer(self, newcomer: str) -> Referral | None:
        """Who brought a newcomer."""
        return self._session.scalars(select(Referral).where(Referral.newcomer_id == newcomer)).one_or_none()

    def of_newcomers(self, newcomers: Collection[str]) -> Sequence[Referral]:
        """Who brought these newcomers."""
        is_theirs = is_one_of(self._session, Referral.newcomer_id, newcomers)
        return self._session.scalars(select(Referral).where(is_theirs)).all()

    def page(self, referrer: str, cursor: str | None, limit: int) -> tuple[Sequence[Referral], str | None]:
        """Whom a customer has brought, the last one first."""
        query = select(Referral).where(Referral.referrer_id == referrer)
        return page_of(self._session, query, Referral.id, cursor, limit)
