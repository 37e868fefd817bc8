"""SQL of reminders."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.clock import clock_of
from clearing.kit.upsert import insert_for
from clearing.ledger.accounts.repository import AccountKey
from clearing.ordering.expiry.models import ExpiryReminder


class ReminderRepository:
    """Reminders in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim(self, account: AccountKey, expiry_day: int, days_ahead: int) -> bool:
        """Notes that a reminder is sent; False if it was sent before."""
        address, program = account
        values = {
            "address": address,
            "program": program,
            "expiry_day": expiry_day,
            "days_ahead": days_ahead,
            "created_at": clock_of(self._session).now(),
        }
        statement = insert_for(self._session)(ExpiryReminder).values(values).on_conflict_do_nothing()
        return self._session.execute(statement.returning(ExpiryReminder.address)).first() is not None

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` reminders that were sent before this moment; returns how many."""
        return delete_some(self._session, ExpiryReminder, ExpiryReminder.created_at < before, limit)
