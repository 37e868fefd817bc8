"""What the parts of the network are doing, looked up anew for every question."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from clearing.chain.client import ChainError, ChainUnreachable
from clearing.kit.clock import now
from clearing.kit.database import newest_revision
from clearing.ledger.journal.repository import BlockRepository
from clearing.oversight.progress.repository import ProgressRepository
from clearing.pipeline.leadership import has_leader
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository
from gateway.api.network.schemas import ChecksView, CheckView, HealthView
from gateway.http.context import Gateway

MAX_LAG_SECONDS = 15
"""How long an order may wait for the sequencer before something is wrong."""
MAX_FLIGHT_SECONDS = 300
"""How long a transaction may be on its way before something is wrong."""
MAX_LAG_BLOCKS = 15
"""How far behind the chain the projector may be, or before it, before something is wrong."""


def look(gateway: Gateway) -> HealthView:
    """The health of the network."""
    checks = ChecksView(
        database=_check(lambda: _database(gateway)),
        migrations=_check(lambda: _migrations(gateway)),
        chain=_check(lambda: _chain(gateway)),
        sequencer=_check(lambda: _sequencer(gateway)),
        projector=_check(lambda: _projector(gateway)),
    )
    return HealthView(status="ok" if all(part.ok for _, part in checks) else "degraded", checks=checks)


def _check(question: Callable[[], tuple[bool, str]]) -> CheckView:
    try:
        ok, detail = question()
    except SQLAlchemyError as error:
        ok, detail = False, f"the database does not answer ({type(error).__name__})"
    except (ChainError, ChainUnreachable) as error:
        ok, detail = False, f"the chain node does not answer ({type(error).__name__})"
    return CheckView(ok=ok, detail=detail)


def _database(gateway: Gateway) -> tuple[bool, str]:
    began = time.perf_counter()
    with gateway.database.reading() as session:
        session.execute(text("SELECT 1"))
    return True, f"answers in {(time.perf_counter() - began) * 1000:.1f} ms"


def _migrations(gateway: Gateway) -> tuple[bool, str]:
    has, wants = gateway.database.revision(), newest_revision()
    return (
        has == wants,
        f"at {has}" if has == wants else f"at {has}, but this version needs {wants}: `clearing migrate`",
    )


def _chain(gateway: Gateway) -> tuple[bool, str]:
    chain_id = gateway.chain.chain_id()
    if chain_id != gateway.network.chain_id:
        return False, f"the node serves chain {chain_id}, not {gateway.network.chain_id}"
    return True, f"chain {chain_id}, block {gateway.chain.head()}"


def _sequencer(gateway: Gateway) -> tuple[bool, str]:
    with gateway.database.reading() as session:
        oldest = ProgressRepository(session).oldest_waiting()
        unmined = ProgressRepository(session).oldest_in_flight()
        paused = SwitchRepository(session).off(SEQUENCING)
    if paused is not None:
        return False, f"paused by {paused.actor}: {paused.reason}"
    if not has_leader(gateway.database, "sequencer"):
        return False, "none runs"
    if unmined is not None and now() - unmined > timedelta(seconds=MAX_FLIGHT_SECONDS):
        return False, f"runs; but a transaction of {unmined:%Y-%m-%d %H:%M} UTC is in no block that was read"
    if oldest is None:
        return True, "runs; nothing waits"
    age = now() - oldest
    detail = f"runs; the oldest order or call waits for {age.total_seconds():.0f} s"
    return age < timedelta(seconds=MAX_LAG_SECONDS), detail


def _projector(gateway: Gateway) -> tuple[bool, str]:
    with gateway.database.reading() as session:
        block = BlockRepository(session).last()
    if not has_leader(gateway.database, "projector"):
        return False, "none runs"
    head = gateway.chain.head()
    stands = block.number if block else -1
    return abs(head - stands) <= MAX_LAG_BLOCKS, f"runs; at block {stands} of {head}"
