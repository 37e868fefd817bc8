"""SQL of the attempts to sign in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, delete, update
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.upsert import insert_for
from clearing.parties.staff.models import SignInTries


class SignInTriesRepository:
    """Attempts in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def count(self, subject: str, *, at: datetime, since: datetime) -> SignInTries:
        """Counts one more attempt. If the count began before `since`, it begins again. Others wait until this transaction ends."""
        begins_again = SignInTries.since <= since
        statement = insert_for(self._session)(SignInTries).values(subject=subject, since=at, tries=1)
        counting = statement.on_conflict_do_update(
            index_elements=[SignInTries.subject],
            set_={
                "tries": case((begins_again, 1), else_=SignInTries.tries + 1),
                "since": case((begins_again, at), else_=SignInTries.since),
            },
        )
        found: SignInTries = self._session.scalars(
            counting.returning(SignInTries).execution_options(populate_existing=True)
        ).one()
        return found

    def forget(self, subject: str) -> None:
        """Forgets all attempts: one of them was good."""
        self._session.execute(delete(SignInTries).where(SignInTries.subject == subject))

    def give_back(self, subject: str) -> None:
        """Takes one attempt back: it was good, and says nothing of the others."""
        self._session.execute(
            update(SignInTries)
            .where(SignInTries.subject == subject, SignInTries.tries > 0)
            .values(tries=SignInTries.tries - 1)
            .execution_options(synchronize_session=False)
        )

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` counts that began before this moment; returns how many."""
        return delete_some(self._session, SignInTries, SignInTries.since < before, limit)
