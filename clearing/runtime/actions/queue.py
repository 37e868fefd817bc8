"""Shows and steers what waits for the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from rich.table import Table

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.config import Settings
from clearing.kit.rollbacks import transact
from clearing.ledger.journal.repository import QuarantineRepository
from clearing.oversight.operations.repository import OverviewRepository, Queue
from clearing.oversight.operations.service import OperationsService
from clearing.pipeline.models import Transaction
from clearing.pipeline.switches.models import Switch
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository
from clearing.runtime.actions.terminal import DIFFERS, actor, console, write_json
from clearing.runtime.preflight.database import open_database
from tongdui.encoding import hex_of


def show(settings: Settings, *, as_json: bool) -> int:
    """Shows what waits."""
    with open_database(settings) as database:
        with database.reading() as session:
            repository = OverviewRepository(session)
            queue, in_flight = repository.queue(), repository.in_flight()
            switch = SwitchRepository(session).off(SEQUENCING)
        now = database.clock.now()
    if as_json:
        since = {"oldest_at": queue.oldest_at.isoformat() if queue.oldest_at else None}
        write_json({**asdict(queue), **since, "transactions": [_as_json(transaction) for transaction in in_flight]})
        return 0
    _show_queue(queue, switch)
    if in_flight:
        _show_in_flight(in_flight, now)
    return 0


def _as_json(transaction: Transaction) -> dict[str, object]:
    return {
        "hash": hex_of(transaction.hash),
        "sender": transaction.sender,
        "nonce": transaction.nonce,
        "orders": transaction.orders,
        "sent": transaction.sent_at is not None,
    }


def _show_queue(queue: Queue, switch: Switch | None) -> None:
    console.print(
        f"{queue.orders} orders ({queue.instructions} instructions) wait for a batch, {queue.calls} calls wait."
    )
    if queue.orders:
        console.print(f"The oldest has waited for {queue.oldest_seconds:.1f} s.")
    if switch is not None:
        console.print(f"[yellow]{switch.actor} paused sequencing at {switch.created_at}. {switch.reason}[/yellow]")
    if queue.quarantined:
        console.print(f"[red]{queue.quarantined} events are in quarantine: `clearing quarantine` shows them.[/red]")


def _show_in_flight(transactions: Sequence[Transaction], now: datetime) -> None:
    table = Table(title="In flight")
    for heading in ("transaction", "sender", "nonce", "orders", "signed", "sent"):
        table.add_column(heading, overflow="fold")
    for transaction in transactions:
        signed = _age(transaction.created_at, now)
        sent = "not yet" if transaction.sent_at is None else _age(transaction.sent_at, now)
        orders = str(transaction.orders or "call")
        table.add_row(hex_of(transaction.hash), transaction.sender, str(transaction.nonce), orders, signed, sent)
    console.print(table)


def _age(moment: datetime, now: datetime) -> str:
    return f"{(now - moment).total_seconds():.1f} s ago"


def pause(settings: Settings, reason: str) -> int:
    """Pauses sequencing."""
    with open_database(settings) as database, database.session.begin() as session:
        changed = OperationsService(session, actor=actor()).pause(reason)
    console.print("Sequencing is paused. `clearing resume` resumes it." if changed else "It was paused already.")
    return 0


def resume(settings: Settings) -> int:
    """Resumes sequencing."""
    with open_database(settings) as database, database.session.begin() as session:
        changed = OperationsService(session, actor=actor()).resume()
    console.print("Sequencing goes on." if changed else "It was not paused.")
    return 0


def cancel(settings: Settings, order_id: str) -> int:
    """Cancels an order."""
    with open_database(settings) as database:
        order = transact(database, lambda session: OperationsService(session, actor=actor()).cancel(order_id))
    console.print(f"{order.id} is {order.state}; what it had reserved is free again.")
    return 0


def show_quarantine(settings: Settings, *, retry: bool) -> int:
    """Shows the events in quarantine. Exit code 1 while there are any."""
    with open_database(settings) as database:
        if retry:
            applied, failed = transact(
                database, lambda session: OperationsService(session, actor=actor()).retry_quarantined()
            )
            console.print(f"{applied} applied, {failed} not.")
        with database.reading() as session:
            events = QuarantineRepository(session).list()
    if not events:
        console.print("No event is in quarantine.")
        return 0
    table = Table(title=f"{len(events)} events in quarantine")
    for heading in ("block", "log", "event", "transaction", "why"):
        table.add_column(heading, overflow="fold")
    for event in events:
        table.add_row(
            str(event.block_number), str(event.log_index), event.name or "?", hex_of(event.tx_hash), event.error
        )
    console.print(table)
    return DIFFERS
