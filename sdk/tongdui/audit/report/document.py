"""The report as data: what was audited, what was found, and the figures, each list of rows a table.

What is in here says nothing of when, where and how the report was made, so the same chain gives the same report. Days are written
as `2026-11-26`, months as `2026-11`, moments as `2026-11-26T03:59:00Z`; money is in micros, points are whole, shares in basis
points.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..findings import Finding, NotChecked

FORMAT = "tongdui-audit-report/1"


@dataclass(frozen=True, slots=True)
class BlockMark:
    """A block that the report names."""

    number: int
    hash: str
    time: str
    day: str
    """In the network's time zone."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What was audited."""

    chain_id: int
    contract: str
    build: str | None
    """The published build that the contract's code is; None if it is none, or was not compared."""
    created: BlockMark
    """Where the contract begins. Everything from here on was replayed."""
    first: BlockMark
    """Where the reported period begins,"""
    last: BlockMark
    """and where the audit ends."""
    as_of: str | None
    """The day for whose end the figures were asked for, if they were asked for a day."""
    head: str
    """The journal's head after the last block: it commits to every entry."""
    utc_offset: int
    """Of the network's days, in seconds."""
    currency: str
    nodes: tuple[str, ...]
    """Which nodes were asked, without what follows their host."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Something that was compared, and how often."""

    what: str
    count: int


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule that was checked, what it says, and how many findings break it."""

    rule: str
    says: str
    findings: int


@dataclass(frozen=True, slots=True)
class MerchantRow:
    """A merchant at the end."""

    merchant: int
    name: str
    status: str
    position_micros: int
    credit_limit_micros: int
    used_micros: int
    used_bps: int
    most_used_micros: int
    most_used_of_micros: int
    most_used_bps: int
    most_used_on: str | None
    deposits: int
    deposited_micros: int
    withdrawals: int
    withdrawn_micros: int


@dataclass(frozen=True, slots=True)
class ProgramRow:
    """A program at the end, with what its points did over its whole life. `outstanding` is what members have."""

    program: int
    code: str
    name: str
    merchant: int
    merchant_name: str
    is_paused: bool
    issued: int
    redeemed: int
    spent: int
    exchanged_out: int
    exchanged_in: int
    expired: int
    revoked: int
    restored: int
    outstanding: int
    holders: int


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """An agreement and its present end."""

    agreement: int
    kind: str
    source_merchant: int
    target_merchant: int
    source_program: int
    target_program: int | None
    rate: str
    unit_price_micros: int
    fee_bps: int
    max_points: int
    daily_cap: int
    valid_from: str
    valid_until: str
    superseded_by: int | None


@dataclass(frozen=True, slots=True)
class DayRow:
    """What points of a program did on a network day, in entries and points."""

    day: str
    program: int
    code: str
    issued_entries: int
    issued: int
    redeemed_entries: int
    redeemed: int
    spent_entries: int
    spent: int
    exchanged_out_entries: int
    exchanged_out: int
    exchanged_in_entries: int
    exchanged_in: int
    expired_entries: int
    expired: int
    transferred_entries: int
    transferred: int
    revoked_entries: int
    revoked: int
    restored_entries: int
    restored: int


@dataclass(frozen=True, slots=True)
class PairRow:
    """What one merchant paid another over the whole time, and what came back; `net` is the first less the second."""

    payer: int
    payer_name: str
    payee: int
    payee_name: str
    entries: int
    settled_micros: int
    fee_micros: int
    returned_micros: int
    net_micros: int


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A merchant's position on a day on which it or its limit changed."""

    day: str
    merchant: int
    name: str
    closing_micros: int
    lowest_micros: int
    credit_limit_micros: int


@dataclass(frozen=True, slots=True)
class HolderRow:
    """One of the members who have most of a program's points."""

    program: int
    code: str
    rank: int
    member: str
    points: int
    share_bps: int


@dataclass(frozen=True, slots=True)
class ConcentrationRow:
    """What share of a whole the largest ones have."""

    of: str
    """`holders` of a program's points; `issued`: programs by points issued; `settled`: merchants by what they paid and received."""
    code: str | None
    how_many: int
    largest_1_bps: int
    largest_5_bps: int
    largest_10_bps: int
    largest_100_bps: int


@dataclass(frozen=True, slots=True)
class AgeRow:
    """Open points of a program by the months in which they were made and will be over."""

    program: int
    code: str
    made: str
    expires: str | None
    """None: never."""
    points: int


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A change of a signer key, of a role, or of the owner."""

    block: int
    time: str
    transaction: str
    change: str
    account: str
    merchant: int | None
    merchant_name: str | None
    role: str | None
    valid_from: str | None
    """None: from the beginning."""
    valid_until: str | None
    """None: without end."""
    by: str
    """Who changed it: `merchant` with its own signature, `operator` or owner without it, `owner`."""


@dataclass(frozen=True, slots=True)
class CountRow:
    """Something that was counted on the chain."""

    what: str
    count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was added up."""

    counts: tuple[CountRow, ...]
    merchants: tuple[MerchantRow, ...]
    programs: tuple[ProgramRow, ...]
    agreements: tuple[AgreementRow, ...]
    days: tuple[DayRow, ...]
    pairs: tuple[PairRow, ...]
    positions: tuple[PositionRow, ...]
    concentration: tuple[ConcentrationRow, ...]
    holders: tuple[HolderRow, ...]
    ages: tuple[AgeRow, ...]
    keys: tuple[KeyRow, ...]


@dataclass(frozen=True, slots=True)
class BankFileRow:
    """A file of the settlement account that was compared with the chain. Sums are of lines that the bank has booked."""

    file: str
    first_day: str
    last_day: str
    lines: int
    currency: str
    deposited_micros: int
    withdrawn_micros: int


@dataclass(frozen=True, slots=True)
class RollForwardRow:
    """A program's points and its contract liability from the opening to the closing date (docs/liability.md).

    Money is None where the settings do not say what a point is worth. opening + additions - recognised + remeasurement = closing.
    In points, closing is opening, issued, exchanged in and restored, less redeemed, spent, exchanged out, expired and revoked.
    """

    program: int
    code: str
    merchant: int
    merchant_name: str
    opening_points: int
    issued: int
    exchanged_in: int
    redeemed: int
    spent: int
    exchanged_out: int
    expired: int
    revoked: int
    restored: int
    closing_points: int
    expected_bps: int
    """Of the closing points, those that are expected to be redeemed."""
    breakage_points: int
    """Of the closing points, those that are not."""
    opening_micros: int | None
    additions_micros: int | None
    recognised_micros: int | None
    remeasurement_micros: int | None
    closing_micros: int | None


@dataclass(frozen=True, slots=True)
class CohortRow:
    """Points that a program made in one month, at the closing date."""

    program: int
    code: str
    month: str
    made: int
    redeemed: int
    expired: int
    open: int
    expected: int
    """All redemptions that are expected in the end, rounded to points."""
    deferred_micros: int | None
    recognised_micros: int | None
    balance_micros: int | None


@dataclass(frozen=True, slots=True)
class Liability:
    """What issuers owe, in the terms of IFRS 15."""

    opening_day: str
    """The balance at the end of this day opens,"""
    closing_day: str
    """and at the end of this day closes the roll-forward."""
    settings_sha256: str | None
    roll_forward: tuple[RollForwardRow, ...]
    cohorts: tuple[CohortRow, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything."""

    scope: Scope
    checked: tuple[Checked, ...]
    rules: tuple[RuleRow, ...]
    findings: tuple[Finding, ...]
    not_checked: tuple[NotChecked, ...]
    figures: Figures
    bank_files: tuple[BankFileRow, ...]
    liability: Liability | None

    @property
    def entries(self) -> int:
        """How many entries were checked."""
        return next((row.count for row in self.figures.counts if row.what == "entries"), 0)
