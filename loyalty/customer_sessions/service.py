"""Customers' sessions: one ends when nobody uses it, at the end of its time, with the phone by which it began, and when its
customer ends it or is erased."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.customer_sessions.models import CustomerSession
from loyalty.customer_sessions.repository import CustomerSessionRepository
from loyalty.customers.models import Customer
from loyalty.kit.database import clock_of
from loyalty.kit.ids import new_id
from loyalty.kit.sessions import Limits, hash_of, is_due, new_secret

GOOD_MINUTES: Final = 10
"""For so long a one-time code is good."""


@dataclass(frozen=True, slots=True)
class SignedInCustomer:
    """A customer who has signed in."""

    session: CustomerSession
    customer: Customer


class CustomerSessionService:
    """Sessions in one transaction."""

    def __init__(self, session: Session, limits: Limits) -> None:
        self._session = session
        self._limits = limits
        self._sessions = CustomerSessionRepository(session)
        self._log = AuditLog(session)

    def begin(self, customer: str, identifier: str) -> str:
        """Begins a session of a customer who has shown who they are; its secret."""
        secret = new_secret()
        made = CustomerSession(
            id=new_id("cse"),
            customer_id=customer,
            identifier_id=identifier,
            secret_hash=hash_of(secret),
            ended_at=None,
        )
        self._sessions.add(made)
        self._log.note(customer, "customer.signed_in", customer)
        return secret

    def of(self, secret: str) -> SignedInCustomer | None:
        """Whose session has this secret; None if it has ended."""
        found = self._sessions.with_secret(hash_of(secret))
        if found is None or self._limits.is_over(found[0], self._now()):
            return None
        return SignedInCustomer(*found)

    def good(self, sessions: Collection[str]) -> set[str]:
        """Those of these sessions that have not ended."""
        now = self._now()
        return {one.id for one in self._sessions.with_ids(sessions) if not self._limits.is_over(one, now)}

    def is_due(self, session: CustomerSession) -> bool:
        """Whether it is to be noted anew that the session is in use."""
        return is_due(session, self._now())

    def see(self, session_id: str) -> None:
        """Notes that the session is in use."""
        session = self._sessions.get(session_id)
        if session is not None:
            session.seen_at = self._now()

    def end(self, signed_in: SignedInCustomer) -> None:
        """Ends this session."""
        session = self._sessions.get(signed_in.session.id)
        if session is not None and session.ended_at is None:
            session.ended_at = self._now()
            self._log.note(session.customer_id, "customer.signed_out", session.customer_id)

    def end_all(self, customer: str) -> None:
        """Ends every session of a customer."""
        self._sessions.end_all(customer, self._now())
        self._log.note(customer, "customer.signed_out_everywhere", customer)

    def clean_up(self) -> None:
        """Forgets sessions and codes that nobody needs any more."""
        now = self._now()
        self._sessions.clean_up(now - self._limits.whole - self._limits.idle, now - timedelta(minutes=GOOD_MINUTES))

    def _now(self) -> datetime:
        return clock_of(self._session).now()
