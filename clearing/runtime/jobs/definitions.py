"""The jobs. Each does what is due now, in short transactions. A quick one may run at any time, twice, or in two workers at once;
a round runs in one at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.orm import Session

from clearing.chain.errors import ChainUnreachable
from clearing.kit.idempotency.repository import IdempotencyRepository
from clearing.kit.mail.repository import MailRepository
from clearing.kit.rollbacks import transact
from clearing.ledger.availability.repository import HoldRepository
from clearing.ledger.lots.checkpoint_round import CheckpointRound
from clearing.notifications.webhooks.old_events import remove_old_events
from clearing.notifications.webhooks.repository import DeliveryRepository
from clearing.ordering.expiry.repository import ReminderRepository
from clearing.ordering.expiry.rounds import ExpiryRound, ReminderRound
from clearing.ordering.holds.service import HoldService
from clearing.ordering.merges.rounds import MergeRound
from clearing.ordering.quotes.repository import QuoteRepository
from clearing.oversight.liquidity.service import LiquidityService
from clearing.oversight.reconciliation.report_repository import ReportRepository
from clearing.oversight.reconciliation.scratch_repository import scratch_file
from clearing.oversight.reconciliation.service import CannotReconcile, Report, record
from clearing.oversight.reconciliation.watch import watches
from clearing.oversight.statements.models import Statement
from clearing.oversight.statements.service import StatementService
from clearing.parties.agreements.expiry import any_over, tell_of_expired
from clearing.parties.codes.repository import MemberCodeRepository, PresenterTriesRepository
from clearing.parties.members.repository import LinkCodeRepository
from clearing.parties.names import Names
from clearing.parties.staff.invitation_repository import InvitationRepository
from clearing.parties.staff.password_reset_repository import PasswordResetRepository
from clearing.parties.staff.session_repository import StaffSessionRepository
from clearing.parties.staff.tries_repository import SignInTriesRepository
from clearing.pipeline.old_bytes import drop_old_bytes
from clearing.runtime.jobs.cleanup import remove_expired, remove_old
from clearing.runtime.jobs.context import context
from clearing.runtime.jobs.processes import ROUNDS_QUEUE
from clearing.runtime.jobs.rounds import a_round

log = structlog.get_logger(__name__)

SHORT = 60
"""Seconds after which a job is told to end."""
GRACE = 30
"""Seconds that it then has before it is killed."""
_DELIVERY_SECONDS = 10.0
"""For so long one job keeps delivering while there is something to deliver."""
_MAIL_SECONDS = 600
"""A server for mails may take its time with each of the mails that were claimed together."""
_HOLDS_PER_TRANSACTION = 500
_AGREEMENTS_PER_TRANSACTION = 200
_APPROVALS_PER_TRANSACTION = 200


@shared_task(name="webhooks.deliver", soft_time_limit=SHORT, time_limit=SHORT + GRACE)
def deliver_webhooks() -> int:
    """Delivers what is due to the merchants' endpoints."""
    return _deliver(context().deliverer.step)


@shared_task(name="mails.deliver", soft_time_limit=_MAIL_SECONDS, time_limit=_MAIL_SECONDS + GRACE)
def deliver_mails() -> int:
    """Sends the mails that are due."""
    return _deliver(context().mail_deliverer.step)


def _deliver(step: Callable[[], int]) -> int:
    """Repeats a step as long as there is something to deliver, but no longer than a job should last; how many attempts it made."""
    attempts = 0
    deadline = time.monotonic() + _DELIVERY_SECONDS
    while time.monotonic() < deadline:
        some = step()
        if not some:
            break
        attempts += some
    return attempts


@shared_task(name="holds.tidy", soft_time_limit=SHORT, time_limit=SHORT + GRACE)
def tidy_holds() -> int:
    """Ends the holds that have expired."""
    total = 0
    at = context().database.clock.now()
    while True:
        with context().database.reading() as session:
            if not HoldService(session, network=context().network).any_lapsed(at):
                return total
        total += transact(
            context().database,
            lambda session: HoldService(session, network=context().network).tidy(_HOLDS_PER_TRANSACTION),
        )


@a_round("points.expire")
def expire_points() -> int:
    """Burns the points that expire today, or notifies the merchants that must burn them."""
    shared = context()
    return ExpiryRound(shared.database, shared.settings, shared.managed_keys).run()


@a_round("points.remind")
def remind_of_points() -> int:
    """Notifies merchants of points that expire in 30, 7 and 1 days."""
    return ReminderRound(context().database, context().settings).run()


@a_round("lots.keep_checkpoints")
def keep_checkpoints_of_lots() -> int:
    """Writes down the lots of busy members, so that nobody replays them from far back."""
    return CheckpointRound(context().database).run()


@shared_task(name="members.merge", queue=ROUNDS_QUEUE, soft_time_limit=SHORT, time_limit=SHORT + GRACE)
def move_merged_points() -> int:
    """Moves the points of merged members, or notifies the merchants that must sign for them."""
    shared = context()
    return MergeRound(shared.database, shared.settings, shared.managed_keys).run()


@shared_task(name="members.merge_late", queue=ROUNDS_QUEUE, soft_time_limit=SHORT, time_limit=SHORT + GRACE)
def move_late_points() -> int:
    """The same for merges that take longer, and for points that come back to an old address when a movement is reversed."""
    shared = context()
    return MergeRound(shared.database, shared.settings, shared.managed_keys).run_late()


@shared_task(name="liquidity.alert", soft_time_limit=SHORT, time_limit=SHORT + GRACE)
def alert_liquidity() -> int:
    """Notifies merchants whose liquidity has become low, or sufficient again."""
    with context().database.reading() as session:
        if not LiquidityService(session, context().thresholds).crossings():
            return 0
    return transact(context().database, lambda session: LiquidityService(session, context().thresholds).alert())


@shared_task(name="agreements.expire", soft_time_limit=SHORT, time_limit=SHORT + GRACE)
def tell_of_expired_agreements() -> int:
    """Notifies merchants of agreements and proposals whose time is over."""
    total = 0
    while True:
        with context().database.reading() as session:
            if not any_over(session):
                return total
        total += transact(
            context().database,
            lambda session: tell_of_expired(session, Names(session), _AGREEMENTS_PER_TRANSACTION),
        )


@shared_task(name="approvals.expire", soft_time_limit=SHORT, time_limit=SHORT + GRACE)
def expire_approvals() -> int:
    """Notes which requests nobody has approved in time."""
    shared = context()
    total = 0
    while True:
        with shared.database.reading() as session:
            if not shared.approvals(session).any_overdue():
                return total
        total += transact(shared.database, lambda session: shared.approvals(session).expire(_APPROVALS_PER_TRANSACTION))


@a_round("statements.make")
def make_statements() -> int:
    """Makes the statements of past days, the oldest first."""
    made = 0
    while True:
        with context().database.reading() as session:
            day = StatementService(session, network=context().network).next_day()
        if day is None:
            return made
        some = transact(context().database, partial(_statements_of, day=day))
        made += len(some)
        if not some:
            return made  # another worker made them, or there is no block to make them from


def _statements_of(session: Session, day: int) -> Sequence[Statement]:
    return StatementService(session, network=context().network).make(day)


@a_round("reconciliation.run")
def reconcile_news() -> bool | None:
    """Compares what has changed since the last clean reconciliation; records `reconciliation.drifted` if something differs."""
    return _recorded(context().reconciliation.run_news)


@a_round("reconciliation.full")
def reconcile_everything() -> bool | None:
    """The same with everything, once a day. One that is stopped goes on at the next call."""
    shared = context()
    with shared.database.reading() as session:
        last = ReportRepository(session).last_full_at()
    if last is not None and shared.database.clock.now() - last < timedelta(
        seconds=shared.settings.reconcile_full_interval
    ):
        return None
    return _recorded(lambda: shared.reconciliation.run(scratch_file(shared.settings)))


def _recorded(reconcile: Callable[[], Report | None]) -> bool | None:
    """Stores the outcome of a reconciliation; whether it was clean, and None where there was none."""
    try:
        report = reconcile()
    except (CannotReconcile, ChainUnreachable) as error:
        log.warning("not reconciled", reason=str(error))
        return None
    except SoftTimeLimitExceeded:
        log.info("a reconciliation goes on later")
        return None
    if report is None:
        return None
    transact(context().database, lambda session: record(session, report, "worker"))
    return report.is_clean


@shared_task(name="reconciliation.watch", soft_time_limit=SHORT, time_limit=SHORT + GRACE)
def watch_reconciliation() -> bool:
    """Notifies the operator when the network was not found in agreement for too long."""
    shared = context()
    with shared.database.reading() as session:
        if not any(watch.has_to_notify() for watch in watches(session, shared.settings)):
            return False
    # All of them.
    return transact(shared.database, lambda session: sum(one.notify() for one in watches(session, shared.settings))) > 0


@a_round("quotes.clean_up")
def clean_up_quotes() -> int:
    """Removes quotes a day after they expired."""
    return remove_expired(context().database, QuoteRepository, _days_ago(1))


@a_round("idempotency.clean_up")
def clean_up_idempotency_records() -> int:
    """Removes answers to requests that no client will repeat any more."""
    return remove_expired(context().database, IdempotencyRepository, _days_ago(context().settings.idempotency_days))


@a_round("link_codes.clean_up")
def clean_up_link_codes() -> int:
    """Removes link codes a day after they expired."""
    return remove_expired(context().database, LinkCodeRepository, _days_ago(1))


@a_round("member_codes.clean_up")
def clean_up_member_codes() -> int:
    """Removes member codes a month after they expired, and counts of wrong ones that count no more."""
    database = context().database
    removed = remove_expired(database, MemberCodeRepository, _days_ago(30))
    return removed + remove_expired(database, PresenterTriesRepository, _days_ago(1))


@a_round("staff.clean_up")
def clean_up_staff() -> int:
    """Removes mails, sessions, invitations, password resets and counts of attempts a while after they were over."""
    database = context().database
    removed = remove_expired(database, MailRepository, _days_ago(30))
    removed += remove_expired(database, StaffSessionRepository, _days_ago(90))
    removed += remove_expired(database, InvitationRepository, _days_ago(90))
    removed += remove_expired(database, PasswordResetRepository, _days_ago(30))
    return removed + remove_expired(database, SignInTriesRepository, _days_ago(1))


@a_round("webhooks.clean_up")
def clean_up_deliveries() -> int:
    """Removes old deliveries."""
    return remove_expired(context().database, DeliveryRepository, _days_ago(context().settings.webhook_keep_days))


@a_round("events.clean_up")
def clean_up_events() -> None:
    """Removes old events of movements, holds and member codes."""
    remove_old(context().database, remove_old_events, _days_ago(context().settings.event_keep_days))


@a_round("transactions.clean_up")
def clean_up_transactions() -> None:
    """Drops the bytes of transactions that have been in a block for long."""
    shared = context()
    drop = partial(drop_old_bytes, confirmations=shared.settings.confirmations)
    remove_old(shared.database, drop, _days_ago(shared.settings.transaction_keep_days))


@a_round("holds.clean_up")
def clean_up_holds() -> int:
    """Removes holds that ended long ago."""
    return remove_expired(context().database, HoldRepository, _days_ago(context().settings.hold_keep_days))


@a_round("reminders.clean_up")
def clean_up_reminders() -> int:
    """Removes reminders of days that are over: the earliest is sent 30 days ahead."""
    return remove_expired(context().database, ReminderRepository, _days_ago(60))


def _days_ago(days: int) -> datetime:
    return context().database.clock.now() - timedelta(days=days)
