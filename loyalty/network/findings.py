"""Rules of findings: each is noted once, shown until a person closes it, and never deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Unknown
from loyalty.kit.ids import new_id
from loyalty.network.finding_repository import FindingRepository
from loyalty.network.models import Finding


class FindingService:
    """Findings in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._findings = FindingRepository(session)
        self._log = AuditLog(session)

    def note(
        self, code: str, subject: str, reference: str | None, here: Mapping[str, Any], there: Mapping[str, Any]
    ) -> bool:
        """Notes what was found; False if it was known."""
        lock(self._session, f"finding:{code}:{subject}")
        if self._findings.is_known(code, subject):
            return False
        finding = Finding(
            id=new_id("fnd"),
            code=code,
            subject=subject,
            reference=reference,
            here=dict(here),
            there=dict(there),
            closed_at=None,
        )
        self._findings.add(finding)
        return True

    def close(self, finding_id: str, *, actor: str, reason: str) -> Finding:
        """Notes that a person has dealt with it. A closed finding stays as it is."""
        finding = self._findings.get(finding_id)
        if finding is None:
            raise Unknown("unknown_finding", f"there is no finding {finding_id}")
        if finding.closed_at is None:
            finding.closed_at = clock_of(self._session).now()
            change = {"before": {"open": True}, "after": {"open": False}}
            self._log.note(actor, "finding.closed", finding.id, reason=reason, **change)
        return finding

    def page(self, *, is_open: bool | None, cursor: str | None, limit: int) -> tuple[Sequence[Finding], str | None]:
        """Findings, newest first: open ones, closed ones, or all."""
        return self._findings.page(is_open=is_open, cursor=cursor, limit=limit)
