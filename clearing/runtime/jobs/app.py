"""The Celery application: broker, schedule, limits. `clearing worker` and `clearing rounds` run the jobs of its two queues."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu import Queue

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.config import Settings, settings
from clearing.runtime.jobs import definitions, file_broker, signal_handlers  # noqa: F401 (importing it defines the jobs)
from clearing.runtime.jobs.processes import QUEUE, ROUNDS_QUEUE

_REDELIVER_AFTER = 3_600
"""Seconds after which Redis gives a message to another worker; longer than any job may take."""

_TAKEN_AHEAD = 32
"""How many messages for each of its processes a worker takes from the embedded broker at once. Celery notices only every two
seconds that a job is done, as there is no event loop; if it took fewer messages, the queue would grow."""


def create_app(configured: Settings) -> Celery:
    """The application for these settings."""
    app = Celery("tongdui", set_as_current=True)
    app.conf.update(
        broker_url=configured.broker_url or f"{file_broker.SCHEME}://localhost/",
        broker_transport_options=transport_options(configured),
        broker_connection_retry_on_startup=True,
        worker_enable_remote_control=bool(configured.broker_url),
        worker_prefetch_multiplier=1 if configured.broker_url else _TAKEN_AHEAD,
        worker_max_tasks_per_child=10_000,
        worker_hijack_root_logger=False,
        task_default_queue=QUEUE,
        task_queues=[Queue(name, max_length=10_000) for name in (QUEUE, ROUNDS_QUEUE)],
        task_acks_late=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        timezone="UTC",
        beat_schedule=schedule(configured),
        beat_scheduler="celery.beat:Scheduler",  # keeps no file: the database knows what is due
        beat_max_loop_interval=1,
    )
    return app


def transport_options(configured: Settings) -> dict[str, Any]:
    """What this kind of broker needs."""
    scheme = configured.broker_url.partition(":")[0]
    if scheme in ("redis", "rediss", "sentinel"):
        return {"visibility_timeout": _REDELIVER_AFTER}
    if scheme in ("amqp", "amqps", "pyamqp"):
        return {"confirm_publish": True}  # otherwise a message that never reached the server counts as sent
    return {"directory": str(configured.broker_dir.absolute())} if not scheme else {}


def schedule(configured: Settings) -> dict[str, dict[str, Any]]:
    """How often each job looks for work. A message that waits for two intervals is dropped."""
    seconds = {
        "webhooks.deliver": configured.webhook_interval,
        "mails.deliver": configured.mail_interval,
        "holds.tidy": 10,
        "members.merge": 2,
        "members.merge_late": 60,
        "liquidity.alert": 15,
        "agreements.expire": 30,
        "approvals.expire": 30,
        "points.expire": configured.daily_interval,
        "points.remind": configured.daily_interval,
        "lots.keep_checkpoints": configured.daily_interval,
        "statements.make": configured.daily_interval,
        "reconciliation.run": configured.reconcile_interval,
        "reconciliation.full": configured.daily_interval,
        "reconciliation.watch": 60,
        "quotes.clean_up": configured.daily_interval,
        "idempotency.clean_up": configured.daily_interval,
        "link_codes.clean_up": configured.daily_interval,
        "member_codes.clean_up": configured.daily_interval,
        "webhooks.clean_up": configured.daily_interval,
        "staff.clean_up": configured.daily_interval,
        "events.clean_up": configured.daily_interval,
        "transactions.clean_up": configured.daily_interval,
        "holds.clean_up": configured.daily_interval,
        "reminders.clean_up": configured.daily_interval,
    }
    return {
        name: {"task": name, "schedule": every, "options": {"expires": max(every * 2, 10)}}
        for name, every in seconds.items()
    }


file_broker.register()
signal_handlers.connect()
app = create_app(settings())
