"""What happens at Celery's signals: logging, metrics over all processes of a worker, and an end to orphans."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import Any

import structlog
from celery import signals
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from clearing.kit import logs
from clearing.kit.config import settings
from clearing.kit.metrics import JOB_SECONDS
from clearing.runtime.jobs.context import context
from clearing.runtime.prctl import die_with_parent

log = structlog.get_logger(__name__)

_began: dict[str, float] = {}


def connect() -> None:
    """Connects the handlers."""
    signals.setup_logging.connect(_set_up_logging, weak=False)
    signals.worker_init.connect(_serve_metrics, weak=False)
    signals.worker_process_init.connect(_die_with_parent, weak=False)
    signals.beat_embedded_init.connect(_die_with_parent, weak=False)
    signals.worker_process_shutdown.connect(_process_ends, weak=False)
    signals.task_prerun.connect(_job_begins, weak=False)
    signals.task_postrun.connect(_job_ends, weak=False)
    signals.task_failure.connect(_job_fails, weak=False)


def _job_begins(task_id: str, **_: Any) -> None:
    _began[task_id] = time.monotonic()


def _job_ends(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    seconds = time.monotonic() - _began.pop(task_id, time.monotonic())
    JOB_SECONDS.labels(task.name, "done" if state == "SUCCESS" else "failed").observe(seconds)


def _job_fails(sender: Any, exception: BaseException, **_: Any) -> None:
    log.error("job failed", job=sender.name, error=f"{type(exception).__name__}: {exception}")


def _set_up_logging(**_: Any) -> None:
    logs.configure()
    logging.basicConfig(level=logging.WARNING)


def _serve_metrics(**_: Any) -> None:
    """The worker's main process answers for all of its processes."""
    port = settings().metrics_port
    if port is None or "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    start_http_server(port, settings().metrics_host, registry)


def _process_ends(pid: int | None = None, **_: Any) -> None:
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ and pid is not None:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
    if context.cache_info().currsize:
        context().close()


def _die_with_parent(**_: Any) -> None:
    """Otherwise a pool process or a beat would outlive its killed worker and go on beside those of the next worker."""
    context.cache_clear()
    die_with_parent(signal.SIGKILL)
