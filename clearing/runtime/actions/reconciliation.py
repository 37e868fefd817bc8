"""Compares the database with the chain, and makes it again from the chain."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.oversight.reconciliation.models import Scope
from clearing.oversight.reconciliation.rebuild import Digest, RebuildService
from clearing.oversight.reconciliation.service import ReconciliationService, Report, record, summary
from clearing.runtime.actions.terminal import DIFFERS, actor, console, write_json
from clearing.runtime.preflight.database import check_empty_target, check_schema, open_database
from clearing.runtime.preflight.node import check_contract, open_node

_SHOWN = 50


def reconcile(
    settings: Settings, *, news: bool, scratch: str | None, json_file: str | None, record_outcome: bool
) -> int:
    """Exit code 0: all agree; 1: they do not; 2: nothing could be compared."""
    check_contract(settings)
    with open_database(settings) as database, open_node(settings) as client, _progress() as progress:
        service = ReconciliationService(database, client, settings, progress)
        report = service.run_news() if news else None
        if report is None:
            report = service.run(Path(scratch) if scratch is not None else None)
        if record_outcome:
            with database.session.begin() as session:
                record(session, report, actor())
    if json_file == "-":
        write_json(report.as_json())
    else:
        _show_report(report)
        if json_file is not None:
            Path(json_file).write_text(json.dumps(report.as_json(), indent=2) + "\n")
    return 0 if report.is_clean else DIFFERS


def _show_report(report: Report) -> None:
    what = "everything" if report.scope is Scope.FULL else "what has changed since the last one"
    table = Table(title=f"Block {report.block}, {what}, {report.seconds} s")
    for heading in ("compared", "number", "drifted"):
        table.add_column(heading, justify="left" if heading == "compared" else "right")
    for what, count, drifted in summary(report):
        table.add_row(what, str(count), f"[red]{drifted}[/red]" if drifted else "0")
    console.print(table)
    if report.is_clean:
        console.print("[green]Database, contract and events agree.[/green]")
        return
    drifts = Table(title=f"{report.drifted} drifts", title_style="red")
    for heading in ("what", "of", "database", "contract", "events"):
        drifts.add_column(heading, overflow="fold")
    for drift in report.drifts[:_SHOWN]:
        drifts.add_row(drift.what, drift.subject, drift.database or "", drift.contract or "", drift.events or "")
    console.print(drifts)
    if report.drifted > _SHOWN:
        console.print(f"... and {report.drifted - _SHOWN} more; --json has the first {len(report.drifts)}")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Says on a terminal how far a reconciliation is; says nothing elsewhere."""
    errors = Console(stderr=True)
    with errors.status("begins") as status:
        yield status.update


def rebuild(settings: Settings, *, into: str, compare: bool, resume: bool) -> int:
    """Exit code 0: rebuilt (and equal to the live database); 1: rebuilt, and not equal; 2: not rebuilt."""
    check_contract(settings)
    check_empty_target(into, "--into")
    if compare:
        check_schema(settings)
    with open_node(settings) as client:
        target, live = Database(into), Database(settings.database_url)
        try:
            service = RebuildService(target, client, settings)
            service.prepare(resume=resume)
            if not compare:
                _show_digest(service.rebuild(), None)
                return 0
            ours, theirs = service.compare(live)
            _show_digest(ours, theirs)
            return 0 if ours == theirs else DIFFERS
        finally:
            live.close()
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
