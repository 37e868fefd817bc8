"""The `tongdui` command: check receipts, import tills, make keys. Exit codes: 0 all is well, 1 it is not, 2 it could
not be found out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from ._client import Client
from ._errors import TongduiError, VerificationError
from ._receipt import Receipt
from ._signing import LocalSigner
from .till import TillImport, TillResult, TillSheet, read_till

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from .till._issue import Progress

OK, WRONG, UNKNOWN = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except VerificationError as error:
        print(f"NOT VALID  {error}", file=sys.stderr)
        return WRONG
    except (TongduiError, OSError, ValueError) as error:
        print(f"tongdui: {error}", file=sys.stderr)
        return UNKNOWN
    except KeyboardInterrupt:
        print("tongdui: interrupted; what was accepted stays, and running it again does nothing twice", file=sys.stderr)
        return UNKNOWN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tongdui", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    verify = commands.add_parser("verify", help="check a receipt file against the chain; needs no trust in the gateway")
    verify.add_argument("receipt", type=Path, help="a file written by Receipt.save")
    verify.add_argument("--rpc", required=True, metavar="URL", help="JSON-RPC endpoint of a chain node")
    verify.add_argument(
        "--contract", required=True, metavar="0x..", help="the clearing house's address, as you know it"
    )
    verify.add_argument("--chain-id", type=int, metavar="N", help="the chain's id, as you know it")
    verify.set_defaults(run=_verify)

    till = commands.add_parser("till", help="points for the sales of a till").add_subparsers(
        required=True, metavar="COMMAND"
    )
    imported = till.add_parser(
        "import",
        help="issue points for a till's export, each sale once",
        epilog="The gateway is found in TONGDUI_URL, TONGDUI_API_KEY and, to sign here, TONGDUI_KEYSTORE with "
        "TONGDUI_KEYSTORE_PASSWORD.",
    )
    imported.add_argument("file", type=Path, help="the export (CSV)")
    imported.add_argument("--program", required=True, metavar="CODE", help="program to issue in, such as FUEL")
    imported.add_argument(
        "--mapping", default="station", help="mapping file, or the name of a shipped one (station, online_retail)"
    )
    imported.add_argument("--dry-run", action="store_true", help="read and report, send nothing")
    imported.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="seconds to wait for each order to settle"
    )
    imported.set_defaults(run=_import_till)

    key = commands.add_parser("key", help="keys that sign orders").add_subparsers(required=True, metavar="COMMAND")
    new = key.add_parser("new", help="make a key, write it encrypted, print its address")
    new.add_argument("keystore", type=Path)
    new.set_defaults(run=_new_key)
    return parser


def _verify(options: argparse.Namespace) -> int:
    receipt = Receipt.load(options.receipt)
    receipt.verify(
        rpc_url=options.rpc,
        contract=options.contract,
        chain_id=options.chain_id,
        on_check=lambda name, detail: print(f"  ok  {name:<12} {detail}"),
    )
    entry = receipt.entry
    print(f"VALID  merchant {entry.merchant}, program {entry.program}: {entry.points} points, member {entry.member}")
    return OK


def _import_till(options: argparse.Namespace) -> int:
    console = _console()
    sheet = read_till(options.file, options.mapping)
    _show_sheet(console, sheet)
    attention = bool(sheet.problems or sheet.held_back)
    if options.dry_run:
        console.print(f"Nothing was sent: this was a dry run. {sheet.points} points would be issued.")
        return WRONG if attention else OK
    # Half a minute of patience: nobody watches a nightly run.
    with Client.from_env(max_retries=8) as client, _progress(console) as progress:
        result = TillImport(client, options.program, timeout=options.timeout).run(sheet.sales, progress)
    _show_result(console, result)
    return WRONG if attention or result.needs_attention else OK


def _show_sheet(console: Console, sheet: TillSheet) -> None:
    fates = sheet.rows_by_fate()
    _table(
        console,
        f"{sheet.file}: {sheet.rows_read} rows",
        ("", "sales", "rows"),
        [
            ("to issue", len(sheet.sales), fates["issued"]),
            ("worth no point", len(sheet.worthless), fates["worthless"]),
            ("no customer: skipped", len(sheet.no_customer), fates["no customer"]),
            ("returns: to be reversed", len(sheet.returns), fates["returned"]),
            ("held back", len(sheet.held_back), fates["held back"]),
            ("malformed", "", fates["malformed"]),
        ],
    )
    rows = [(f"{p.file}:{p.line}", p.field, p.value, p.reason) for p in sheet.problems]
    _table(console, "Malformed rows", ("where", "field", "value", "reason"), rows)
    held = [(h.number, _lines(h.lines), h.reason) for h in sheet.held_back]
    _table(console, "Sales held back", ("sale", "lines", "reason"), held)
    skipped = [(s.number, _lines(s.lines), s.amount) for s in sheet.no_customer]
    _table(console, "Sales without customer", ("sale", "lines", "amount"), skipped)
    _table(console, "Returns", ("return", "customer", "amount", "lines", "to reverse"), _returns(sheet))


def _returns(sheet: TillSheet) -> Iterator[tuple[object, ...]]:
    for back in sheet.returns:
        answers = [f"{r.points} points of sale {r.sale}" for r in back.reversals]
        if back.unmatched:
            answers.append(f"original not in this file: lines {_lines(tuple(r.line for r in back.unmatched))}")
        lines = _lines(tuple(row.line for row in back.rows))
        yield back.number, back.customer or "none", back.amount, lines, "; ".join(answers)


def _show_result(console: Console, result: TillResult) -> None:
    counts = [
        ("issued", len(result.issued), sum(i.movement.points for i in result.issued)),
        ("on the way to the chain", len(result.pending), sum(i.movement.points for i in result.pending)),
        ("issued by an earlier run", len(result.already), sum(i.movement.points for i in result.already)),
        ("changed since it was issued", len(result.changed), ""),
        ("refused", len(result.refused), ""),
    ]
    _table(console, "Issued", ("", "sales", "points"), [row for row in counts if row[1]])
    changed = [(c.sale.number, c.movement.id, c.difference) for c in result.changed]
    _table(console, "Changed since they were issued", ("sale", "issuance", "difference"), changed)
    refused = [(r.sale.number, r.sale.customer, r.code, r.detail) for r in result.refused]
    _table(console, "Refused", ("sale", "customer", "code", "why"), refused)


def _lines(lines: Sequence[int]) -> str:
    """Line numbers with runs drawn together: 3-7, 9."""
    runs: list[list[int]] = []
    for line in sorted(lines):
        if runs and runs[-1][1] == line - 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _new_key(options: argparse.Namespace) -> int:
    password = os.environ.get("TONGDUI_KEYSTORE_PASSWORD") or getpass(f"Password for {options.keystore}: ")
    if not password:
        raise TongduiError("a keystore needs a password")
    signer = LocalSigner.generate()
    signer.save_keystore(options.keystore, password)
    print(signer.address)
    return OK


def _console() -> Console:
    try:
        from rich.console import Console
    except ImportError as error:
        raise TongduiError("this command needs rich: pip install 'tongdui[cli]'") from error
    return Console()


def _table(console: Console, title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table, unless it has no rows."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in header:
        number = name in {"sales", "rows", "points", "amount"}
        table.add_column(name, justify="right" if number else "left", no_wrap=name in {"where", "sale", "return"})
    for row in rows:
        table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) and cell >= 10_000 else str(cell)) for cell in row))
    if table.row_count:
        console.print(table)


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    """A bar for each step of an import."""
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield report


if __name__ == "__main__":
    sys.exit(main())
