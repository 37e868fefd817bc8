"""What the report adds up, over a made-up year: against plain sums, and the same from a file as from memory."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from tests.audit.report.story import AGREEMENTS, FIRST_DAY, MERCHANTS, Story, address, year
from tongdui.audit.days import day_text
from tongdui.audit.findings import Finding
from tongdui.audit.report import document
from tongdui.audit.report.collecting import collect, rules_of
from tongdui.audit.report.figures import Figures, text_of
from tongdui.audit.rules.lots import Age
from tongdui.audit.tables import Tables
from tongdui.audit.watching import EntrySeen
from tongdui.orders import Kind


@pytest.fixture(scope="module")
def story() -> Story:
    return year(days=120)


@pytest.fixture(scope="module")
def figures(story: Story) -> document.Figures:
    return collected(story, Tables())


def collected(story: Story, tables: Tables, first_day: int = 0) -> document.Figures:
    watcher = Figures(tables)
    story.show(watcher)
    balances = ((account, points) for account, points in story.balances.items() if points)
    return collect(watcher, balances, {Age(1, "2025-09", ""): 5}, first_day)


def entries_of(story: Story) -> list[EntrySeen]:
    return [seen for seen in story.told if isinstance(seen, EntrySeen)]


def test_totals_lead_to_the_balances(figures: document.Figures) -> None:
    for row in figures.programs:
        made = row.issued + row.exchanged_in + row.restored
        gone = row.redeemed + row.spent + row.exchanged_out + row.expired + row.revoked
        assert made - gone == row.outstanding > 0
        assert row.revoked + row.restored > 0


def test_days_are_plain_sums(story: Story, figures: document.Figures) -> None:
    issued: Counter[tuple[str, int]] = Counter()
    count: Counter[tuple[str, int]] = Counter()
    for seen in entries_of(story):
        if seen.entry.kind == Kind.ISSUE:
            issued[day_text(seen.block.day), seen.entry.program] += seen.entry.points
            count[day_text(seen.block.day), seen.entry.program] += 1
    rows = {(row.day, row.program): row for row in figures.days if row.issued_entries}
    assert {key: row.issued for key, row in rows.items()} == dict(issued)
    assert {key: row.issued_entries for key, row in rows.items()} == dict(count)
    assert [(row.program, row.day) for row in figures.days] == sorted((row.program, row.day) for row in figures.days)


def test_positions_are_plain_sums_and_add_up_to_the_money_in_the_bank(story: Story, figures: document.Figures) -> None:
    positions: defaultdict[int, int] = defaultdict(int)
    lowest: defaultdict[int, int] = defaultdict(int)
    for seen in story.told:
        if isinstance(seen, EntrySeen):
            if seen.terms is None:
                continue
            entry, source, target = seen.entry, seen.terms.source_merchant, seen.terms.target_merchant
            sign = -1 if entry.kind == Kind.REVERSE else 1
            positions[source] -= sign * entry.settled + entry.fee * (sign > 0)
            positions[target] += sign * entry.settled
            positions[0] += entry.fee * (sign > 0)
        elif seen.name in ("Deposited", "Withdrawn"):
            positions[seen.values[0]] += seen.values[1] * (1 if seen.name == "Deposited" else -1)
        for merchant, micros in positions.items():
            lowest[merchant] = min(lowest[merchant], micros)
    assert {row.merchant: row.position_micros for row in figures.merchants} == dict(positions)
    assert {row.merchant: -row.most_used_micros for row in figures.merchants} == dict(lowest)
    assert any(lowest.values())
    funds = sum(row.deposited_micros - row.withdrawn_micros for row in figures.merchants)
    assert sum(row.position_micros for row in figures.merchants) == funds
    assert (
        sum(row.net_micros for row in figures.pairs if row.payer == 1)
        - sum(row.net_micros for row in figures.pairs if row.payee == 1)
        == sum(row.deposited_micros for row in figures.merchants if row.merchant == 1) - positions[1]
    )


def test_the_use_of_a_limit_is_its_largest_share(figures: document.Figures) -> None:
    used = next(row for row in figures.merchants if row.most_used_micros)
    assert used.most_used_of_micros == MERCHANTS[used.merchant][0] * 1_000_000
    assert used.most_used_bps == round(used.most_used_micros * 10_000 / used.most_used_of_micros)
    assert used.most_used_on is not None


def test_orders_are_counted_once(story: Story, figures: document.Figures) -> None:
    counts = {row.what: row.count for row in figures.counts}
    entries = entries_of(story)
    assert counts["entries"] == len(entries)
    assert counts["orders.with_entries"] == len(
        {(seen.entry.batch, seen.entry.merchant, seen.entry.nonce) for seen in entries}
    )
    assert counts["batches"] == story.batch
    assert counts["instructions.refused"] == counts["instructions.refused.over_daily_cap"] > 0
    assert sum(count for what, count in counts.items() if what.startswith("entries.")) == counts["entries"]


def test_a_period_has_its_days_only(story: Story, figures: document.Figures) -> None:
    first = FIRST_DAY + 60
    part = collected(story, Tables(), first)
    assert part.days == tuple(row for row in figures.days if row.day >= day_text(first))
    assert part.positions == tuple(row for row in figures.positions if row.day >= day_text(first))
    assert part.programs == figures.programs
    settled = sum(
        seen.entry.settled for seen in entries_of(story) if seen.block.day >= first and seen.entry.kind != Kind.REVERSE
    )
    there = sum(row.settled_micros + row.fee_micros + row.returned_micros for row in part.pairs)
    fees = sum(seen.entry.fee for seen in entries_of(story) if seen.block.day >= first)
    back = sum(
        seen.entry.settled for seen in entries_of(story) if seen.block.day >= first and seen.entry.kind == Kind.REVERSE
    )
    assert there == settled + fees + back


def test_the_largest_holders_are_named(story: Story, figures: document.Figures) -> None:
    for program in (1, 2, 3):
        wanted = sorted(
            ((-points, member) for (member, number), points in story.balances.items() if number == program and points)
        )
        rows = [row for row in figures.holders if row.program == program]
        assert [(-row.points, row.member) for row in rows] == wanted[:10]
        share = next(row for row in figures.concentration if row.code == rows[0].code)
        whole = -sum(points for points, _ in wanted)
        assert share.how_many == len(wanted)
        assert share.largest_1_bps == rows[0].share_bps
        assert share.largest_10_bps == round(sum(row.points for row in rows) * 10_000 / whole)
        assert share.largest_100_bps == 10_000


def test_keys_have_a_history(figures: document.Figures) -> None:
    assert [row.change for row in figures.keys[:6]] == ["owner", *["role_given"] * 4, "key"]
    first, last = figures.keys[5], figures.keys[-1]
    assert (first.account, first.merchant_name, first.by) == (address("key 1"), "长河石油", "operator")
    assert (first.valid_from, first.valid_until) == (None, None)
    assert (last.by, last.valid_from) == ("merchant", last.time)


def test_agreements_are_listed(figures: document.Figures) -> None:
    assert [row.kind for row in figures.agreements] == [
        "exchange" if one.kind == 1 else "acceptance" for one in AGREEMENTS
    ]
    assert figures.agreements[0].rate == "9/10"


def test_a_file_gives_the_same_figures(story: Story, figures: document.Figures) -> None:
    tables = Tables(most_in_memory=0)
    watcher = Figures(tables)
    for seen in story.told:
        story.show_one(seen, watcher)
        tables.make_space()
    balances = ((account, points) for account, points in story.balances.items() if points)
    assert collect(watcher, balances, {Age(1, "2025-09", ""): 5}) == figures
    tables.close()


def test_rules_have_their_findings() -> None:
    findings = [Finding("b", "", "", ""), Finding("b", "", "", ""), Finding("c", "", "", "")]
    rows = rules_of({"a": "never", "b": "always"}, findings)
    assert [(row.rule, row.says, row.findings) for row in rows] == [("a", "never", 0), ("b", "always", 2), ("c", "", 1)]


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"FUEL" + bytes(28), "FUEL"), (b"\xff" * 4, "0xffffffff"), (b"a\nb", "0x610a62"), (bytes(32), "")],
)
def test_a_name_that_is_no_text_is_shown_as_hex(raw: bytes, text: str) -> None:
    assert text_of(raw) == text
