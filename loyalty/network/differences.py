"""Rules of differences: each is noted once, shown until a person closes it, and never deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Unknown
from loyalty.kit.ids import new_id
from loyalty.network.difference_repository import DifferenceRepository
from loyalty.network.models import Difference


class DifferenceService:
    """Differences in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._differences = DifferenceRepository(session)
        self._log = AuditLog(session)

    def note(
        self, code: str, subject: str, reference: str | None, here: Mapping[str, Any], there: Mapping[str, Any]
    ) -> bool:
        """Notes what was found; False if it was known."""
        lock(self._session, f"difference:{code}:{subject}")
        if self._differences.is_known(code, subject):
            return False
        difference = Difference(
            id=new_id("dif"),
            code=code,
            subject=subject,
            reference=reference,
            here=dict(here),
            there=dict(there),
            closed_at=None,
        )
        self._differences.add(difference)
        return True

    def close(self, difference_id: str, *, actor: str, reason: str) -> Difference:
        """Notes that a person has dealt with it. A closed difference stays as it is."""
        difference = self._differences.get(difference_id)
        if difference is None:
            raise Unknown("unknown_difference", f"there is no difference {difference_id}")
        if difference.closed_at is None:
            difference.closed_at = clock_of(self._session).now()
            change = {"before": {"open": True}, "after": {"open": False}}
            self._log.note(actor, "difference.closed", difference.id, reason=reason, **change)
        return difference

    def get(self, difference_id: str) -> Difference:
        """The difference with this id. Raises Unknown."""
        found = self._differences.seen(difference_id)
        if found is None:
            raise Unknown("unknown_difference", f"there is no difference {difference_id}")
        return found

    def open_count(self) -> int:
        """How many differences nobody has closed."""
        return self._differences.open_count()

    def page(self, *, is_open: bool | None, cursor: str | None, limit: int) -> tuple[Sequence[Difference], str | None]:
        """Differences, newest first: open ones, closed ones, or all."""
        return self._differences.page(is_open=is_open, cursor=cursor, limit=limit)
