"""The till: till inspect, till import."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from ._arguments import PasswordFile
from ._command import command, group
from ._outcomes import BAD, GOOD
from ._session import Session
from ._suggestions import suggesting_programs

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
    from tongdui.till import inspect_till

    inspection = inspect_till(file)
    session.out.document(inspection.document())
    if not session.out.as_json:
        from tongdui.till._report import TillReport

        TillReport(to=sys.stderr).show_inspection(inspection)
        session.out.lines(inspection.toml.rstrip("\n"))
    return GOOD


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
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for each order.")] = 60.0,
    password_file: PasswordFile = None,
) -> int:
    """Issue points for the sales in a till's export, each sale once: run it again, and nothing is issued twice."""
    from tongdui.till import TillImport, read_till
    from tongdui.till._report import TillReport

    report = TillReport()
    sheet = read_till(file, mapping)
    if not session.out.as_json:
        report.show_sheet(sheet)
    if dry_run:
        session.out.document({"dry_run": True, "sheet": sheet.document()})
        session.out.lines(f"Nothing was sent: this was a dry run. {sheet.points} points would be issued.")
        return BAD if sheet.needs_attention else GOOD
    # Half a minute of patience: nobody watches a nightly run.
    with (
        session.client(signs=True, password_file=password_file, max_retries=8, nonce_block=20) as client,
        suggesting_programs(client, program),
        nullcontext(_silent) if session.out.as_json else report.progress() as progress,
    ):
        result = TillImport(client, program, timeout=timeout, reverse=reverse).run(sheet, progress)
    session.out.document({"dry_run": False, "sheet": sheet.document(), "result": result.document()})
    if not session.out.as_json:
        report.show_result(result)
    return BAD if sheet.needs_attention or result.needs_attention else GOOD


def _silent(step: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
