"""The till: till inspect, till import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from tongdui._errors import APIConnectionError, ServerError

from ._arguments import PasswordFile, Timeout
from ._command import command, group
from ._outcomes import BAD, GOOD
from ._session import Session
from ._suggestions import suggesting_programs

if TYPE_CHECKING:
    from tongdui.till import TillSheet
    from tongdui.till._report import TillReport

_ROWS = ("line", "till", "sale", "time", "customer", "article", "category", "quantity", "unit", "amount")
"""The columns in which an inspection's rows are shown."""

File: TypeAlias = Annotated[Path, typer.Argument(metavar="FILE", help="The till's export: CSV, text or .xlsx.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    till = group("till", "Issue points for a till's sales.")
    command(till, "inspect")(inspect)
    command(till, "import")(import_file)
    app.add_typer(till)


def inspect(session: Session, file: File) -> int:
    """Look at a till's export and print a mapping that fits it.

    What was found, and the first rows as that mapping reads them, is on standard error.

    Example: tongdui till inspect day.csv > mine.toml
    """
    from tongdui.till._inspect import inspect_till

    inspection = inspect_till(file)
    if session.out.as_json:
        session.out.document(inspection.document())
        return GOOD
    session.out.table(_ROWS, (_shown(row) for row in inspection.document()["rows"]), beside=True)
    for finding in inspection.findings:
        session.out.note(f"- {finding}")
    session.out.lines(inspection.toml.rstrip("\n"))
    return GOOD


def _shown(row: Mapping[str, str]) -> list[str | None]:
    """A row of the file as a row of the table; a problem's reason stands where the sale's columns would."""
    if "reason" in row:
        return [str(row["line"]), row["sale"], f"{row['field']} {row['value']!r}: {row['reason']}"]
    return [str(row[name]) for name in _ROWS]


def import_file(
    session: Session,
    file: File,
    program: Annotated[str, typer.Option(metavar="CODE", help="The program to issue in, such as FUEL.")],
    mapping: Annotated[
        str, typer.Option(metavar="NAME", help="A mapping file, or a shipped mapping (station, online_retail).")
    ] = "station",
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Take back the points of returned, voided and changed sales.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report, but send nothing.")] = False,
    timeout: Timeout = 60.0,
    password_file: PasswordFile = None,
) -> int:
    """Issue points for the sales in a till's export, each sale once: run it again, and nothing is issued twice."""
    from tongdui.till import TillImport, read_till
    from tongdui.till._report import TillReport

    out, report = session.out, TillReport()
    if dry_run:
        with read_till(file, mapping) as sheet:
            return _end_dry_run(session, sheet, report)
    with (
        # Half a minute of patience: nobody watches a nightly run.
        session.client(signs=True, password_file=password_file, max_retries=8, nonce_block=20) as client,
        suggesting_programs(client, program),
        _saying_that_it_can_go_on(),
        read_till(file, mapping) as sheet,
    ):
        if not out.as_json:
            report.show_sheet(sheet)
        with nullcontext(None) if out.as_json else report.progress() as progress:
            result = TillImport(client, program, timeout=timeout, reverse=reverse).run(sheet, progress)
        if out.as_json:
            out.document({"dry_run": False, "sheet": sheet.document(), "result": result.document()})
        else:
            report.show_result(result)
        return BAD if sheet.needs_attention or result.needs_attention else GOOD


def _end_dry_run(session: Session, sheet: TillSheet, report: TillReport) -> int:
    if session.out.as_json:
        session.out.document({"dry_run": True, "sheet": sheet.document()})
    else:
        report.show_sheet(sheet)
        session.out.lines(f"Nothing was sent: this was a dry run. {sheet.points} points would be issued.")
    return BAD if sheet.needs_attention else GOOD


@contextmanager
def _saying_that_it_can_go_on() -> Iterator[None]:
    try:
        yield
    except (APIConnectionError, ServerError, KeyboardInterrupt) as error:
        error.add_note("run the same command again: it goes on where it was, and issues nothing twice")
        raise
