"""SQL of what reconciliations found, and of the alarm where there was none for long."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from clearing.kit.paging import equal_given
from clearing.kit.upsert import insert_for
from clearing.ledger.journal.models import Block
from clearing.oversight.reconciliation.models import Reconciliation, ReconciliationAlarm, Scope

_ALARMS: dict[Scope | None, int] = {None: 1, Scope.FULL: 2}
"""The row of the alarm that nothing was reconciled, and of the one that not everything was."""
_TRIED = 20
"""So many clean reconciliations may have lost their block to a reorganisation before everything is compared again."""


class ReportRepository:
    """Reconciliations in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, found: Reconciliation) -> None:
        """Stores one."""
        self._session.add(found)

    def last_clean(self) -> list[Reconciliation]:
        """The newest ones that found nothing, newest first."""
        query = select(Reconciliation).where(Reconciliation.drifts == 0)
        return list(self._session.scalars(query.order_by(Reconciliation.ended_at.desc()).limit(_TRIED)))

    def last_clean_at(self, scope: Scope | None = None) -> datetime | None:
        """When the newest one (of this scope) ended that found nothing."""
        query = select(Reconciliation.ended_at).where(Reconciliation.drifts == 0)
        query = query.where(*equal_given((Reconciliation.scope, scope)))
        return self._session.scalar(query.order_by(Reconciliation.ended_at.desc()).limit(1))

    def last_full_at(self) -> datetime | None:
        """When the newest full one ended, whatever it found."""
        query = select(Reconciliation.ended_at).where(Reconciliation.scope == Scope.FULL)
        return self._session.scalar(query.order_by(Reconciliation.ended_at.desc()).limit(1))

    def newest(self) -> Reconciliation | None:
        """The newest one, whatever it compared and found."""
        of_each = [
            select(Reconciliation)
            .where(Reconciliation.scope == scope)
            .order_by(Reconciliation.ended_at.desc())
            .limit(1)
            for scope in Scope
        ]
        found = [row for query in of_each if (row := self._session.scalar(query)) is not None]
        return max(found, key=lambda row: row.ended_at, default=None)

    def first_block_at(self) -> int | None:
        """The Unix time of the first block: before it there was nothing to reconcile."""
        return self._session.scalar(select(Block.timestamp).order_by(Block.number).limit(1))

    def raise_alarm(self, since: datetime, scope: Scope | None) -> bool:
        """Notes that the operator is notified that nothing was reconciled since then; False if it was already."""
        values = {"id": _ALARMS[scope], "since": since}
        statement = insert_for(self._session)(ReconciliationAlarm).values(values).on_conflict_do_nothing()
        return self._session.execute(statement.returning(ReconciliationAlarm.id)).first() is not None

    def alarm(self, scope: Scope | None) -> bool:
        """Whether the operator was notified."""
        return self._session.get(ReconciliationAlarm, _ALARMS[scope]) is not None

    def end_alarms(self, scope: Scope) -> None:
        """From now on, the next gap is another one."""
        ended = [_ALARMS[None], *([_ALARMS[scope]] if scope in _ALARMS else [])]
        self._session.execute(delete(ReconciliationAlarm).where(ReconciliationAlarm.id.in_(ended)))
