"""entries export: a merchant's entries with their receipts, as the gateway has them."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ._command import command, group
from ._outcomes import GOOD
from ._session import Session

_DAY = ["%Y-%m-%d"]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    entries = group("entries", "What the chain recorded.")
    command(entries, "export")(export)
    app.add_typer(entries)


def export(
    session: Session,
    merchant: Annotated[
        str | None, typer.Option(metavar="mer_..", help="Whose entries. By default your own, or the operator's.")
    ] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=_DAY, metavar="DAY", help="The first day of the network.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=_DAY, metavar="DAY", help="The last day, which counts.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write it. By default to standard output.")
    ] = None,
) -> int:
    """Write a merchant's entries with their receipts as CSV, for a tax office or a regulator.

    `tongdui audit export` writes the same file from the chain alone: compare them byte for byte.

    Example: tongdui entries export --from 2026-10-01 --to 2026-12-31 --output entries.csv
    """
    with session.client() as client:
        exported = client.entries.export(
            merchant=merchant,
            first_day=None if first is None else first.date(),
            last_day=None if last is None else last.date(),
        )
        if output is None:
            for piece in exported:
                sys.stdout.buffer.write(piece.encode())
            sys.stdout.flush()
            return GOOD
        count = exported.save(output)
    session.out.document({"file": str(output), "entries": count})
    session.out.lines(f"{count:,} entries in {output}")
    return GOOD
