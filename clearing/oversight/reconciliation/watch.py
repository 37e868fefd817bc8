"""How long ago the network was last found in agreement, and the alarm when that is too long ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.events.recorder import EventRecorder
from clearing.oversight.reconciliation.report_repository import ReportRepository

log = structlog.get_logger(__name__)


class ReconciliationWatch:
    """Watches, in one transaction, that reconciliations happen and find nothing."""

    def __init__(self, session: Session, longest: timedelta) -> None:
        self._session = session
        self._longest = longest
        self._reports = ReportRepository(session)

    def since(self) -> datetime | None:
        """When the last clean reconciliation ended, or the first block was made; None while there is nothing to reconcile."""
        if (at := self._reports.last_clean_at()) is not None:
            return at
        first = self._reports.first_block_at()
        return datetime.fromtimestamp(first, UTC) if first is not None else None

    def overdue_since(self) -> datetime | None:
        """The same, where that is too long ago; else None."""
        since = self.since()
        return since if since is not None and clock_of(self._session).now() - since > self._longest else None

    def has_to_notify(self) -> bool:
        """Whether the operator has to be notified and was not yet. Writes nothing."""
        return self.overdue_since() is not None and not self._reports.alarm()

    def notify(self) -> bool:
        """Records `reconciliation.overdue`, once until the next clean one; whether it did."""
        since = self.overdue_since()
        if since is None or not self._reports.raise_alarm(since):
            return False
        data = {"since": since.isoformat(), "longest_seconds": round(self._longest.total_seconds())}
        EventRecorder(self._session).record("reconciliation.overdue", "network", actor="worker", data=data)
        log.error("not reconciled", since=since.isoformat())
        return True
