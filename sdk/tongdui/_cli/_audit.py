"""The auditor's kit: audit run. What proves single things is in `_audit_proofs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from . import _audit_proofs
from ._arguments import PasswordFile
from ._audit_files import require_room, write_all
from ._audit_options import EXIT_CODES, Chain, Force, Workers, day_of, with_kit
from ._command import command, group
from ._outcomes import BAD, GOOD, WrongUseError
from ._session import Session, can_ask, known_password

if TYPE_CHECKING:
    from tongdui.audit.findings import Finding, NotChecked
    from tongdui.audit.options import Bound, Options, Outcome

_HELP = "Prove everything from the chain alone: a node and the contract's address are enough."
_MOST_SHOWN = 50
"""Findings on a terminal; a wrong address gives one for every event."""


From: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="BLOCK|TIME", help="Where the reported period begins. All before it is checked, too."
    ),
]
To: TypeAlias = Annotated[
    str | None,
    typer.Option("--to", metavar="BLOCK|TIME", help="Where the audit ends. By default with the newest block."),
]
State: TypeAlias = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Remember in this directory what was checked, and go on from there."),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    audit = group("audit", _HELP)
    command(audit, "run", epilog=EXIT_CODES, plain=True)(run)
    _audit_proofs.add_to(audit)
    app.add_typer(audit)


# -------------------------------------------------------------------- run


def run(
    session: Session,
    chain: Chain,
    first: From = None,
    last: To = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="End with this day of the network instead: 2026-12-31.")
    ] = None,
    bank: Annotated[
        list[Path] | None,
        typer.Option(
            "--bank", metavar="FILE", help="A statement of the settlement account: CSV or camt.053. Repeatable."
        ),
    ] = None,
    bank_columns: Annotated[
        list[str] | None,
        typer.Option(
            "--bank-column", metavar="WHAT=NAME", help="What a column of a CSV statement means: day=Buchungstag."
        ),
    ] = None,
    currency: Annotated[str, typer.Option(metavar="CODE", help="The settlement currency.")] = "CNY",
    liability: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What points are worth and how many are redeemed, as TOML.")
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what the successor of a frozen contract takes over.")
    ] = None,
    predecessor: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your own snapshot of the contract's predecessor, to compare with."),
    ] = None,
    state: State = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write the report as one page.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE.json", help="Write the report as JSON.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the report's tables as CSV files.")] = None,
    sign: Annotated[
        Path | None,
        typer.Option(metavar="KEYSTORE", help="Sign the JSON with your key, into FILE.signature.json beside it."),
    ] = None,
    password_file: PasswordFile = None,
    language: Annotated[str, typer.Option(metavar="en|zh", help="Language of the page.")] = "en",
    progress: Annotated[
        str, typer.Option(metavar="auto|bar|json|none", help="How progress is shown, on standard error.")
    ] = "auto",
    workers: Workers = None,
    timeout: Annotated[
        float, typer.Option(min=1, max=3_600, metavar="SECONDS", help="For an answer of a node.")
    ] = 60.0,
    force: Force = False,
) -> int:
    """Check the whole network from the chain alone, and write what was found.

    Example: tongdui audit run --rpc https://node.example --contract 0x.. --report audit.html
    """
    targets = _Targets(report, json_file, csv, sign, force)
    targets.check()
    _require_one_of("--language", language, ("en", "zh"))
    _require_one_of("--progress", progress, ("auto", "bar", "json", "none"))
    with with_kit():
        from tongdui.audit.options import Options
        from tongdui.audit.run import audit

        from ._audit_progress import shown

        password = None if sign is None else _password_of(sign, password_file)
        options = Options(
            rpc=tuple(chain.rpc),
            contract=chain.contract.lower(),
            chain_id=chain.chain_id,
            first=_bound("--from", first),
            last=_bound("--to", last),
            as_of=day_of("--as-of", as_of),
            bank=tuple(bank or ()),
            bank_columns=tuple(bank_columns or ()),
            currency=currency,
            liability=liability,
            snapshot=snapshot,
            predecessor=predecessor,
            state=state,
            workers=workers,
            timeout=timeout,
        )
        _require_one_end(options)
        with _saying_that_it_can_go_on(state), shown(progress) as show:
            outcome = audit(options, show)
        files = targets.files(outcome, language, password)
    write_all(files)
    _show(session, outcome, targets.written())
    return GOOD if outcome.holds else BAD


def _password_of(keystore: Path, password_file: Path | None) -> str:
    """The password of the auditor's key. The key is opened before the audit begins: nobody waits an hour for a wrong password."""
    from getpass import getpass

    from tongdui._signing import LocalSigner

    password = known_password(password_file)
    if password is None and can_ask():
        password = getpass(f"Password for {keystore}: ")
    if password is None:
        raise WrongUseError(
            f"{keystore} cannot be opened without its password: give --password-file, or set TONGDUI_KEYSTORE_PASSWORD"
        )
    LocalSigner.from_keystore(keystore, password)
    return password


def _bound(option: str, text: str | None) -> Bound | None:
    """A block's number, or a time with its zone."""
    if text is None or (text.isascii() and text.isdigit()):
        return None if text is None else int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise WrongUseError(
            f"{option} {text} is neither a block's number nor a time with its zone: write 1234567, or "
            "2026-12-31T23:59:59+08:00"
        )
    return moment


def _require_one_end(options: Options) -> None:
    if options.last is not None and options.as_of is not None:
        raise WrongUseError("--to and --as-of both say where the audit ends: leave one of them out")


def _require_one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise WrongUseError(f"{option} {value} is not known: write {', '.join(known[:-1])} or {known[-1]}")


@contextmanager
def _saying_that_it_can_go_on(state: Path | None) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        if state is not None:
            error.add_note("run the same command again: it goes on from its last checkpoint")
        else:
            error.add_note("with --state DIR, the same command goes on where it stopped")
        raise


@dataclass(frozen=True, slots=True)
class _Targets:
    """What is to be written."""

    page: Path | None
    json: Path | None
    csv: Path | None
    keystore: Path | None
    force: bool

    def check(self) -> None:
        """Raises WrongUseError for what could not be written after the audit."""
        if self.keystore is not None and self.json is None:
            raise WrongUseError("--sign signs the JSON: say where to write it with --json")
        files = [
            path for path in (self.page, self.json, self._signature if self.keystore else None) if path is not None
        ]
        if len(files) != len({path.absolute() for path in files}):
            raise WrongUseError("--report and --json name the same file: give each its own")
        require_room(files, [self.csv] if self.csv else [], force=self.force)

    def written(self) -> Sequence[Path]:
        """Files and directories, as a person names them."""
        signature = self._signature if self.keystore else None
        return [path for path in (self.page, self.json, signature, self.csv) if path is not None]

    @property
    def _signature(self) -> Path:
        assert self.json is not None
        return self.json.with_suffix(".signature.json")

    def files(self, outcome: Outcome, language: str, password: str | None) -> dict[Path, bytes]:
        """Every file with its content. The signature is of the JSON, which has the hashes of all pages and tables, whether or not
        they are wanted here: so it is the same for everybody."""
        from tongdui.audit.report.files import csv_files, report_json
        from tongdui.audit.report.page import page, pages_of
        from tongdui.audit.report.signature import sign

        contents: dict[Path, bytes] = {}
        tables = csv_files(outcome.report)
        if self.page is not None:
            contents[self.page] = page(outcome.report, "zh" if language == "zh" else "en")
        if self.csv is not None:
            contents.update({self.csv / Path(name).name: content for name, content in tables.items()})
        if self.json is not None:
            document = report_json(outcome.report, {**pages_of(outcome.report), **tables})
            contents[self.json] = document
            if self.keystore is not None and password is not None:
                contents[self._signature] = sign(document, self.keystore, password)
        return contents


# -------------------------------------------------------------------- what is shown


def _show(session: Session, outcome: Outcome, written: Sequence[Path]) -> None:
    out = session.out
    for finding in outcome.findings[:_MOST_SHOWN]:
        out.lines(*_finding_lines(finding))
    more = len(outcome.findings) - _MOST_SHOWN
    if more > 0:
        out.lines(f"... and {more:,} more; --report or --json has them all")
    if outcome.not_checked:
        out.lines("", "Not checked:")
        out.lines(*map(_not_checked_line, outcome.not_checked))
    for path in written:
        out.note(f"wrote {path}")
    last = outcome.report.scope.last
    out.lines("", f"Checked: {outcome.report.entries:,} entries, up to block {last.number} with hash {last.hash}")
    out.lines(_conclusion(outcome))


def _finding_lines(finding: Finding) -> list[str]:
    place = finding.place
    where = [
        f"block {place.block}" if place.block is not None else "",
        f"batch {place.batch}" if place.batch is not None else "",
        f"entry {place.index}" if place.index is not None else "",
        f"transaction {place.transaction}" if place.transaction is not None else "",
    ]
    at = ", ".join(filter(None, where))
    return [
        f"DOES NOT HOLD  {finding.rule}: {finding.subject}" + (f" ({at})" if at else ""),
        f"  expected  {finding.expected}",
        f"  found     {finding.found}",
    ]


def _not_checked_line(left_out: NotChecked) -> str:
    return f"  {left_out.what}: {left_out.why}"


def _conclusion(outcome: Outcome) -> str:
    if outcome.holds:
        return "ALL HOLDS"
    count = len(outcome.findings)
    return f"DOES NOT HOLD: {count:,} finding{'s' if count > 1 else ''}"
