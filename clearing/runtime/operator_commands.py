"""The operator's commands of `clearing`: what they print, and their exit codes."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from clearing.chain.client import ChainClient, ChainError, ChainUnreachable
from clearing.kit.clock import now
from clearing.kit.config import Settings, settings
from clearing.kit.database import Database
from clearing.kit.errors import ClearingError
from clearing.ledger.journal.repository import QuarantineRepository
from clearing.oversight.operations.repository import OverviewRepository
from clearing.oversight.operations.service import OperationsService
from clearing.oversight.reconciliation.rebuild import Digest, NotEmpty, RebuildService
from clearing.oversight.reconciliation.service import CannotReconcile, ReconciliationService, Report, record, summary
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository
from tongdui.encoding import hex_of

console = Console()
complaints = Console(stderr=True)

DRIFTED = 1
FAILED = 2
_SHOWN = 50


def add_commands(commands: Any) -> None:
    """Adds the operator's commands to the parser of `clearing`."""
    reconcile = commands.add_parser("reconcile", help="does the database say what the contract and its events say?")
    reconcile.add_argument("--json", metavar="FILE", help="write the report as JSON; - for standard output")
    reconcile.add_argument("--record", action="store_true", help="write the outcome as an event, too")
    reconcile.set_defaults(run=_catching(run_reconcile))

    rebuild = commands.add_parser("rebuild", help="project the whole chain into an empty database")
    rebuild.add_argument("--into", required=True, metavar="URL", help="the empty database")
    rebuild.add_argument("--compare", action="store_true", help="compare it with the live database, bit for bit")
    rebuild.set_defaults(run=_catching(run_rebuild))

    queue = commands.add_parser("queue", help="what waits for the chain")
    queue.add_argument("--json", action="store_true", help="as JSON")
    queue.set_defaults(run=_catching(run_queue))

    pause = commands.add_parser("pause", help="put no more orders into batches")
    pause.add_argument("--reason", default="", help="for whoever looks at it later")
    pause.set_defaults(run=_catching(run_pause))
    commands.add_parser("resume", help="go on after a pause").set_defaults(run=_catching(run_resume))

    cancel = commands.add_parser("cancel", help="cancel an order that no batch contains yet")
    cancel.add_argument("order", metavar="ord_...")
    cancel.set_defaults(run=_catching(run_cancel))

    quarantine = commands.add_parser("quarantine", help="chain events that could not be applied")
    quarantine.add_argument("--retry", action="store_true", help="try to apply them again")
    quarantine.set_defaults(run=_catching(run_quarantine))


Command = Callable[[argparse.Namespace], int]


def _catching(command: Command) -> Command:
    """A refusal is a sentence on standard error and an exit code, not a traceback."""

    def run(chosen: argparse.Namespace) -> int:
        try:
            return command(chosen)
        except ClearingError as error:
            complaints.print(f"[red]{error.detail}[/red]")
        except (CannotReconcile, NotEmpty, ChainError, ChainUnreachable) as error:
            complaints.print(f"[red]{error}[/red]")
        return FAILED

    return run


@contextmanager
def _database(configured: Settings) -> Iterator[Database]:
    database = Database(configured.database_url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _network(configured: Settings) -> Iterator[tuple[Database, ChainClient]]:
    client = ChainClient(configured.rpc_url, timeout=120.0)
    try:
        with _database(configured) as database:
            yield database, client
    finally:
        client.close()


def _actor() -> str:
    return f"cli:{getpass.getuser()}"[:40]


def _write_json(content: dict[str, Any]) -> None:
    """Plain, so that it can be piped."""
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


# -------------------------------------------------------------------- reconcile, rebuild


def run_reconcile(chosen: argparse.Namespace) -> int:
    """Exit code 0: they agree; 1: they do not; 2: nothing could be compared."""
    configured = settings()
    with _network(configured) as (database, client):
        report = ReconciliationService(database, client, configured).run()
        if chosen.record:
            with database.session.begin() as session:
                record(session, report, _actor())
    if chosen.json == "-":
        _write_json(report.as_json())
    else:
        _show_report(report)
        if chosen.json is not None:
            Path(chosen.json).write_text(json.dumps(report.as_json(), indent=2) + "\n")
    return 0 if report.is_clean else DRIFTED


def _show_report(report: Report) -> None:
    table = Table(title=f"Block {report.block}, {report.seconds} s")
    for heading in ("compared", "number", "drifted"):
        table.add_column(heading, justify="left" if heading == "compared" else "right")
    for what, count, drifted in summary(report):
        table.add_row(what, str(count), f"[red]{drifted}[/red]" if drifted else "0")
    console.print(table)
    if report.is_clean:
        console.print("[green]Database, contract and events agree.[/green]")
        return
    drifts = Table(title=f"{len(report.drifts)} drifts", title_style="red")
    for heading in ("what", "of", "database", "contract", "events"):
        drifts.add_column(heading, overflow="fold")
    for drift in report.drifts[:_SHOWN]:
        drifts.add_row(drift.what, drift.subject, drift.database or "", drift.contract or "", drift.events or "")
    console.print(drifts)
    if len(report.drifts) > _SHOWN:
        console.print(f"... and {len(report.drifts) - _SHOWN} more; --json has them all")


def run_rebuild(chosen: argparse.Namespace) -> int:
    """Exit code 0: rebuilt (and the same); 1: rebuilt and not the same; 2: not rebuilt."""
    configured = settings()
    target = Database(chosen.into)
    try:
        with _network(configured) as (live, client):
            service = RebuildService(target, client, configured)
            service.prepare()
            if not chosen.compare:
                _show_digest(service.rebuild(), None)
                return 0
            ours, theirs = service.compare(live)
            _show_digest(ours, theirs)
            return 0 if ours == theirs else DRIFTED
    finally:
        target.close()


def _show_digest(ours: Digest, theirs: Digest | None) -> None:
    table = Table(title=f"Block {ours.block} {ours.block_hash}")
    for heading in ("table", "rows", "SHA-256", *(["live"] if theirs else [])):
        table.add_column(heading, justify="right" if heading == "rows" else "left", overflow="fold")
    for place, part in enumerate(ours.tables):
        row = [part.table, str(part.rows), part.digest]
        if theirs is not None:
            live = theirs.tables[place]
            row.append("[green]same[/green]" if live == part else f"[red]{live.rows} rows, {live.digest}[/red]")
        table.add_row(*row)
    console.print(table)
    sys.stdout.write(f"{ours.overall}\n")


# -------------------------------------------------------------------- queue


def run_queue(chosen: argparse.Namespace) -> int:
    """Shows what waits."""
    with _database(settings()) as database, database.reading() as session:
        repository = OverviewRepository(session)
        queue, flights = repository.queue(), repository.in_flight()
        switch = SwitchRepository(session).off(SEQUENCING)
    if chosen.json:
        transactions = [
            {
                "hash": hex_of(t.hash),
                "sender": t.sender,
                "nonce": t.nonce,
                "orders": t.orders,
                "sent": t.sent_at is not None,
            }
            for t in flights
        ]
        _write_json({**asdict(queue), "transactions": transactions})
        return 0
    console.print(
        f"{queue.orders} orders ({queue.instructions} instructions) wait for a batch, {queue.calls} calls wait."
    )
    if queue.orders:
        console.print(f"The oldest has waited for {queue.oldest_seconds:.1f} s.")
    if switch is not None:
        console.print(
            f"[yellow]Sequencing was paused by {switch.actor} at {switch.created_at}. {switch.reason}[/yellow]"
        )
    if queue.quarantined:
        console.print(f"[red]{queue.quarantined} events are in quarantine: `clearing quarantine` shows them.[/red]")
    if flights:
        table = Table(title="In flight")
        for heading in ("transaction", "sender", "nonce", "orders", "signed", "sent"):
            table.add_column(heading, overflow="fold")
        for t in flights:
            age = f"{(now() - t.created_at).total_seconds():.1f} s ago"
            sent = "not yet" if t.sent_at is None else f"{(now() - t.sent_at).total_seconds():.1f} s ago"
            table.add_row(hex_of(t.hash), t.sender, str(t.nonce), str(t.orders or "call"), age, sent)
        console.print(table)
    return 0


def run_pause(chosen: argparse.Namespace) -> int:
    """Pauses sequencing."""
    with _database(settings()) as database, database.session.begin() as session:
        changed = OperationsService(session, actor=_actor()).pause(chosen.reason)
    console.print("Sequencing is paused. `clearing resume` goes on." if changed else "It was paused already.")
    return 0


def run_resume(_chosen: argparse.Namespace) -> int:
    """Resumes sequencing."""
    with _database(settings()) as database, database.session.begin() as session:
        changed = OperationsService(session, actor=_actor()).resume()
    console.print("Sequencing goes on." if changed else "It was not paused.")
    return 0


def run_cancel(chosen: argparse.Namespace) -> int:
    """Cancels an order."""
    with _database(settings()) as database, database.session.begin() as session:
        order = OperationsService(session, actor=_actor()).cancel(chosen.order)
    console.print(f"{order.id} is {order.state}; what it had set aside is free.")
    return 0


def run_quarantine(chosen: argparse.Namespace) -> int:
    """Shows the events in quarantine. Exit code 1 while there are any."""
    with _database(settings()) as database:
        if chosen.retry:
            with database.session.begin() as session:
                applied, failed = OperationsService(session, actor=_actor()).retry_quarantined()
            console.print(f"{applied} applied, {failed} not.")
        with database.reading() as session:
            rows = QuarantineRepository(session).list()
    if not rows:
        console.print("No event is in quarantine.")
        return 0
    table = Table(title=f"{len(rows)} events in quarantine")
    for heading in ("block", "log", "event", "transaction", "why"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(str(row.block_number), str(row.log_index), row.name or "?", hex_of(row.tx_hash), row.error)
    console.print(table)
    return DRIFTED
