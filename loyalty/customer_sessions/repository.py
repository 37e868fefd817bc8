"""SQL of one-time codes and of customers' sessions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from loyalty.customer_sessions.models import CustomerSession, SignInCode
from loyalty.customers.models import Customer, Identifier
from loyalty.kit.database import in_pieces

_NAMED = 500
"""Values that one query names."""


class CustomerSessionRepository:
    """Codes and sessions in one database session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: CustomerSession | SignInCode) -> None:
        """Adds a row."""
        self._session.add(row)
        self._session.flush()

    # ---------------------------------------------------------------- codes

    def code(self, browser_hash: bytes, *, for_update: bool = False) -> SignInCode | None:
        """The code that a browser has asked for."""
        return self._session.get(
            SignInCode, browser_hash, with_for_update=for_update or None, populate_existing=for_update
        )

    def forget_code(self, browser_hash: bytes) -> None:
        """Deletes a code."""
        self._session.execute(delete(SignInCode).where(SignInCode.browser_hash == browser_hash))

    # ---------------------------------------------------------------- sessions

    def with_secret(self, secret_hash: bytes) -> tuple[CustomerSession, Customer] | None:
        """The session with this secret, and whose it is."""
        query = select(CustomerSession, Customer).where(CustomerSession.secret_hash == secret_hash, *_STANDS)
        found = self._session.execute(query).one_or_none()
        return None if found is None else (found[0], found[1])

    def with_ids(self, sessions: Collection[str]) -> Sequence[CustomerSession]:
        """Those of these sessions whose phone is still their customer's."""
        found: list[CustomerSession] = []
        for some in in_pieces(sessions, _NAMED):
            found += self._session.scalars(select(CustomerSession).where(CustomerSession.id.in_(some), *_STANDS))
        return found

    def get(self, session: str) -> CustomerSession | None:
        """The session with this id."""
        return self._session.get(CustomerSession, session)

    def end_all(self, customer: str, at: datetime) -> None:
        """Ends all sessions of a customer."""
        row = CustomerSession
        query = update(row).where(row.customer_id == customer, row.ended_at.is_(None))
        self._session.execute(query.values(ended_at=at))

    def clean_up(self, sessions_before: datetime, codes_before: datetime) -> None:
        """Deletes sessions that were not used since a moment, and older codes."""
        self._session.execute(delete(CustomerSession).where(CustomerSession.seen_at < sessions_before))
        self._session.execute(delete(SignInCode).where(SignInCode.created_at < codes_before))


_STANDS = (
    Customer.id == CustomerSession.customer_id,
    Customer.erased_at.is_(None),
    Identifier.id == CustomerSession.identifier_id,
    Identifier.customer_id == CustomerSession.customer_id,
    Identifier.removed_at.is_(None),
)
"""The phone is the customer's still, and nobody has erased them."""
