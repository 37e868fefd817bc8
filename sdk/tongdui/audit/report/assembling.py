"""Makes the report at the end of an audit, of what its watchers kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..findings import Finding, NotChecked
from ..liability.cohorts import Cohorts, terms_by_number
from ..liability.settings import ProgramTerms
from ..rules.bank import Statement
from ..rules.lots import Lots
from ..tables import Tables
from ..watching import BlockSeen, Watcher
from .collecting import Balances, collect, collect_liability, rules_of
from .document import BankFileRow, Checked, Liability, Report, Scope
from .figures import Figures

Settings = tuple[Mapping[str, ProgramTerms], bytes]
"""The liability's settings by the program's code, and the file that says them."""


@dataclass(frozen=True, slots=True)
class Reporters:
    """The watchers that the report is made of. Show them everything in the order of `watchers`."""

    lots: Lots
    figures: Figures
    cohorts: Cohorts

    @classmethod
    def of(cls, tables: Tables, lots: Lots) -> Reporters:
        """Those that use these lots."""
        return cls(lots, Figures(tables), Cohorts(tables, lots))

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        """All of them."""
        return self.lots, self.figures, self.cohorts


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the audit found."""

    checked: Mapping[str, int]
    """What was compared, and how often."""
    rules: Mapping[str, str]
    """Each rule that was checked, in a sentence."""
    findings: Sequence[Finding]
    not_checked: Sequence[NotChecked]


def report_of(
    scope: Scope,
    judgement: Judgement,
    reporters: Reporters,
    balances: Balances,
    period: tuple[BlockSeen, BlockSeen],
    statements: Sequence[Statement] = (),
    settings: Settings | None = None,
) -> Report:
    """Make the report.

    Args:
        scope: What was audited.
        judgement: What was found.
        reporters: The watchers, at the end.
        balances: Points by member and program, from the model.
        period: The first block of the reported period, and the last of the audit.
        statements: What the bank says.
        settings: What issuers say of their programs.

    Raises:
        CannotCheck: The settings name a program that is not on the chain.
    """
    first, last = period
    figures = collect(reporters.figures, balances, reporters.lots.open_points(), first.day)
    return Report(
        scope,
        tuple(Checked(what, count) for what, count in judgement.checked.items()),
        rules_of(judgement.rules, judgement.findings),
        tuple(judgement.findings),
        tuple(judgement.not_checked),
        figures,
        tuple(_bank_files(statements)),
        _liability(reporters, first.day - 1, last.day, settings),
    )


def _liability(reporters: Reporters, opening: int, closing: int, settings: Settings | None) -> Liability | None:
    """The liability at the end of the audit; None before the first point."""
    codes = {number: one.code for number, one in reporters.figures.programs.stored()}
    terms = terms_by_number(settings[0], codes) if settings else {}
    found = list(reporters.cohorts.between(opening, closing, terms))
    if not found:
        return None
    return collect_liability(found, reporters.figures, opening, closing, settings[1] if settings else None)


def _bank_files(statements: Iterable[Statement]) -> Iterator[BankFileRow]:
    for statement in statements:
        lines = statement.file.lines
        booked = [line for line in lines if line.problem is None]
        yield BankFileRow(
            statement.name,
            min(line.day for line in lines).isoformat(),
            max(line.day for line in lines).isoformat(),
            len(lines),
            " ".join(sorted({line.currency for line in lines})),
            sum(line.micros for line in booked if line.kind == "deposit"),
            sum(line.micros for line in booked if line.kind == "withdrawal"),
        )


def node_names(urls: Iterable[str]) -> tuple[str, ...]:
    """Nodes as the report names them: what follows the host may be a secret."""
    parts = [urlsplit(url) for url in urls]
    return tuple(f"{part.scheme}://{part.hostname}{f':{part.port}' if part.port else ''}" for part in parts)
