"""The tasks. Each does what is due now, in short transactions, and can be run at any time, twice, or by two workers at once."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import structlog
from celery import shared_task

from clearing.chain.client import ChainUnreachable
from clearing.kit.clock import now
from clearing.ordering.expiry.rounds import ExpiryRound, ReminderRound
from clearing.ordering.holds.service import HoldService
from clearing.oversight.liquidity.service import LiquidityService
from clearing.oversight.reconciliation.service import CannotReconcile, ReconciliationService, record
from clearing.oversight.statements.service import StatementService
from clearing.runtime.jobs import cleaning
from clearing.runtime.jobs.context import context

log = structlog.get_logger(__name__)

SHORT, LONG = 60, 1_500
"""Seconds after which a task is told to end."""
MERCY = 30
"""Seconds after which it is killed then."""
_DELIVERING = 10.0
"""Seconds for which one task keeps delivering while there is something to deliver."""
_HOLDS = 500


@shared_task(name="webhooks.deliver", soft_time_limit=SHORT, time_limit=SHORT + MERCY)
def deliver_webhooks() -> int:
    """Sends what is due to the merchants' endpoints."""
    attempts = 0
    until = time.monotonic() + _DELIVERING
    while time.monotonic() < until:
        some = context().deliverer.step()
        if not some:
            break
        attempts += some
    return attempts


@shared_task(name="holds.tidy", soft_time_limit=SHORT, time_limit=SHORT + MERCY)
def tidy_holds() -> int:
    """Writes down that holds have expired."""
    total = 0
    at = now()
    while True:
        with context().database.reading() as session:
            if not HoldService(session, network=context().network).any_lapsed(at):
                return total
        with context().database.session.begin() as session:
            total += HoldService(session, network=context().network).tidy(_HOLDS)


@shared_task(name="points.expire", soft_time_limit=LONG, time_limit=LONG + MERCY)
def expire_points() -> int:
    """Burns the points whose day has come, or tells their merchants to."""
    shared = context()
    return ExpiryRound(shared.database, shared.settings, shared.keyring).run()


@shared_task(name="points.remind", soft_time_limit=LONG, time_limit=LONG + MERCY)
def remind_of_points() -> int:
    """Tells merchants whose points will expire in 30, 7 and 1 days."""
    return ReminderRound(context().database, context().settings).run()


@shared_task(name="liquidity.alert", soft_time_limit=SHORT, time_limit=SHORT + MERCY)
def alert_liquidity() -> int:
    """Tells merchants that they can pay little more, or again enough."""
    with context().database.reading() as session:
        if not LiquidityService(session, context().thresholds).crossings():
            return 0
    with context().database.session.begin() as session:
        return LiquidityService(session, context().thresholds).alert()


@shared_task(name="statements.make", soft_time_limit=LONG, time_limit=LONG + MERCY)
def make_statements() -> int:
    """Makes the statements of the days that are over, the oldest first."""
    made = 0
    while True:
        with context().database.reading() as session:
            day = StatementService(session, network=context().network).next_day()
        if day is None:
            return made
        with context().database.session.begin() as session:
            some = StatementService(session, network=context().network).make(day)
        made += len(some)
        if not some:
            return made  # another worker was faster, or there is no block to make them from


@shared_task(name="reconciliation.run", soft_time_limit=LONG, time_limit=LONG + MERCY)
def reconcile() -> bool:
    """Compares database, contract and events; the event `reconciliation.drifted` tells if they differ."""
    shared = context()
    try:
        report = ReconciliationService(shared.database, shared.chain, shared.settings).run()
    except (CannotReconcile, ChainUnreachable) as error:
        log.warning("not reconciled", reason=str(error))
        return False
    with shared.database.session.begin() as session:
        record(session, report, "worker")
    return report.is_clean


@shared_task(name="quotes.clean_up", soft_time_limit=SHORT, time_limit=SHORT + MERCY)
def clean_up_quotes() -> int:
    """Removes quotes a day after they expired."""
    return cleaning.remove_quotes(context().database, _days_ago(1))


@shared_task(name="idempotency.clean_up", soft_time_limit=SHORT, time_limit=SHORT + MERCY)
def clean_up_idempotency_records() -> int:
    """Removes answers that no client will ask for any more."""
    return cleaning.remove_idempotency_records(context().database, _days_ago(context().settings.idempotency_days))


@shared_task(name="link_codes.clean_up", soft_time_limit=SHORT, time_limit=SHORT + MERCY)
def clean_up_link_codes() -> int:
    """Removes link codes a day after they expired."""
    return cleaning.remove_link_codes(context().database, _days_ago(1))


@shared_task(name="webhooks.clean_up", soft_time_limit=SHORT, time_limit=SHORT + MERCY)
def clean_up_deliveries() -> int:
    """Removes what is remembered of old deliveries."""
    return cleaning.remove_deliveries(context().database, _days_ago(context().settings.webhook_keep_days))


def _days_ago(days: int) -> datetime:
    return now() - timedelta(days=days)
