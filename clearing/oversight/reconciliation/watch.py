"""How long ago the network was last found in agreement, and the alarm when that is too long ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.events.recorder import EventRecorder
from clearing.oversight.reconciliation.models import Scope
from clearing.oversight.reconciliation.report_repository import ReportRepository

log = structlog.get_logger(__name__)


class ReconciliationWatch:
    """Watches, in one transaction, that reconciliations happen and find nothing: any of them, or (with a scope) those of
    everything."""

    def __init__(self, session: Session, longest: timedelta, scope: Scope | None = None) -> None:
        self._session = session
        self._longest = longest
        self._scope = scope
        self._reports = ReportRepository(session)

    def since(self) -> datetime | None:
        """When the last clean reconciliation ended, or the first block was made; None while there is nothing to reconcile."""
        if (at := self._reports.last_clean_at(self._scope)) is not None:
            return at
        first = self._reports.first_block_at()
        return datetime.fromtimestamp(first, UTC) if first is not None else None

    def deadline(self) -> datetime | None:
        """When the next clean one has to have ended."""
        since = self.since()
        return since + self._longest if since is not None else None

    def overdue_since(self) -> datetime | None:
        """The same as `since`, where that is too long ago; else None."""
        since = self.since()
        return since if since is not None and clock_of(self._session).now() - since > self._longest else None

    def has_to_notify(self) -> bool:
        """Whether the operator has to be notified and was not yet. Writes nothing."""
        return self.overdue_since() is not None and not self._reports.alarm(self._scope)

    def notify(self) -> bool:
        """Records `reconciliation.overdue`, once until the next clean one; whether it did."""
        since = self.overdue_since()
        if since is None or not self._reports.raise_alarm(since, self._scope):
            return False
        data = {
            "scope": self._scope or "any",
            "since": since.isoformat(),
            "longest_seconds": round(self._longest.total_seconds()),
        }
        EventRecorder(self._session).record("reconciliation.overdue", "network", actor="worker", data=data)
        log.error("not reconciled", scope=data["scope"], since=since.isoformat())
        return True


def watches(session: Session, settings: Settings) -> list[ReconciliationWatch]:
    """What has to be watched: that something is reconciled often, and everything from time to time."""
    return [
        ReconciliationWatch(session, settings.longest_without_reconciliation),
        ReconciliationWatch(session, settings.longest_without_full_reconciliation, Scope.FULL),
    ]
