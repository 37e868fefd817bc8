"""A report of the made-up year, for tests and for people who look at pages."""

from __future__ import annotations

from dataclasses import dataclass

from tests.audit.report.story import UTC_OFFSET, Story, address, year
from tongdui.audit.every_rule import RULES
from tongdui.audit.findings import Finding, NotChecked, Place
from tongdui.audit.report.assembling import Judgement, Reporters, Settings, node_names, report_of
from tongdui.audit.report.collecting import mark_of
from tongdui.audit.report.document import Report, Scope
from tongdui.audit.report.files import csv_files, report_json
from tongdui.audit.report.page import pages_of
from tongdui.audit.rules.bank import Statement
from tongdui.audit.rules.lots import Lots
from tongdui.audit.tables import Tables
from tongdui.audit.watching import EntrySeen
from tongdui.bank import Columns, read_file
from tongdui.encoding import hex_of, keccak256

FINDINGS = (
    Finding(
        "order.unknown_signer",
        "order 41 of merchant 2 (星河影院)",
        "a signature of a key of merchant 2 that is valid at the block's time",
        "it was made with 0x9e2f0a7e1c4d5b6a7f8091a2b3c4d5e6f7081920, which nobody has registered",
        Place(913, hex_of(keccak256(b"transaction 913")), 131, 4),
    ),
    Finding(
        "storage.balance",
        f"balance of {address('member 3')} in program 1 (FUEL)",
        "12,300 points, as the entries add up",
        "12,900 points in the contract's storage",
        Place(block=2520),
    ),
    Finding(
        "bank.amount",
        "deposit of merchant 1 (长河石油)",
        "1,500,000.00 CNY, as the bank's statement has for reference 20260410-0093",
        "1,500.00 CNY",
        Place(1540, hex_of(keccak256(b"transaction 1540"))),
    ),
)
STATEMENTS = (
    Statement(
        "statement-2026.csv",
        read_file(
            b"date,reference,amount\n2025-10-01,A1,8000.00\n2026-08-28,A2,-800.00\n2026-08-28,A3,-0.5\n",
            Columns(day="date", reference="reference", amount="amount"),
            "CNY",
        ),
    ),
)
NOT_CHECKED = (
    NotChecked("Lines of the bank before 2025-10-01", "the files given begin on that day"),
    NotChecked("The second node's state", "it keeps no state of past blocks (it is no archive node)"),
)


def report(
    story: Story | None = None, *, findings: tuple[Finding, ...] = (), settings: Settings | None = None
) -> Report:
    """The report of a story. With findings there is something of everything else, too."""
    story = story or year()
    tables = Tables()
    reporters = Reporters.of(tables, Lots(tables))
    for seen in story.told:
        for watcher in reporters.watchers:  # the lots find that the story expires points early, which is not its point
            _ = watcher.on_entry(seen) if isinstance(seen, EntrySeen) else watcher.on_event(seen)
    first, last = story.told[0].block, story.block
    scope = Scope(
        31_337,
        address("contract"),
        None,
        mark_of(first),
        mark_of(first),
        mark_of(last),
        None,
        hex_of(keccak256(b"head")),
        UTC_OFFSET,
        "CNY",
        node_names(("http://127.0.0.1:8545", "https://me:secret@node.example/v3/0123456789abcdef")),
    )
    checked = {"blocks": last.number, "signatures": 988, "entries": 1_601}
    balances = ((account, points) for account, points in story.balances.items() if points)
    judgement = Judgement(checked, RULES, findings, NOT_CHECKED if findings else ())
    return report_of(scope, judgement, reporters, balances, (first, last), STATEMENTS if findings else (), settings)


@dataclass(frozen=True)
class Rendered:
    """A report as files."""

    json: bytes
    pages: dict[str, bytes]
    tables: dict[str, bytes]


def render(made: Report) -> Rendered:
    """All files of a report, as the command line makes them."""
    pages, tables = pages_of(made), csv_files(made)
    return Rendered(report_json(made, {**pages, **tables}), pages, tables)
