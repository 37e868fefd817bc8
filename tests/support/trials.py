"""Trials of a whole network: something is done to it, it is said what was seen, and then everything must add up."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from rich.console import Console
from rich.table import Table

from tests.soak.checks import Findings

console = Console() if sys.stdout.isatty() else Console(width=160)


class Checked(Protocol):
    """A network that can say whether everything adds up."""

    def check(self, findings: Findings) -> None:
        """Adds what holds, and what does not."""


N = TypeVar("N", bound=Checked)
Trial = Callable[[N, Findings], str]
"""Does something to a network, and says what was seen."""


class Outcome(NamedTuple):
    """What came of a trial."""

    network: str
    trial: str
    seen: str
    findings: Findings


def attempt(name: str, trial: Trial[N], network: N) -> Outcome:
    """Does a trial, shows what came of it, and returns it."""
    findings, begun, seen = Findings(), time.monotonic(), ""
    what = getattr(trial, "__name__", str(trial)).replace("_", " ")
    try:
        seen = trial(network, findings)
        network.check(findings)
    except Exception:  # noqa: BLE001 (whatever it is, the others' findings are shown)
        findings.check("comes to its end", traceback.format_exc(), False)
    mark = "[green]holds[/green]" if findings.good else "[red]DOES NOT HOLD[/red]"
    console.print(f"  {name}: {what} ({time.monotonic() - begun:.0f} s) {mark} {seen}")
    for row in findings.rows:
        if not row[2]:
            console.print(f"    {row[0]}: {row[1]}", style="red", markup=False)
    return Outcome(name, what, seen, findings)


def show(title: str, outcomes: Sequence[Outcome]) -> None:
    """Prints all outcomes."""
    table = Table(title=title, show_lines=True)
    for heading in ("network", "trial", "seen", "checks", ""):
        table.add_column(heading)
    for outcome in outcomes:
        mark = "[green]holds[/green]" if outcome.findings.good else "[red]DOES NOT HOLD[/red]"
        table.add_row(outcome.network, outcome.trial, outcome.seen, str(len(outcome.findings.rows)), mark)
    console.print(table)
