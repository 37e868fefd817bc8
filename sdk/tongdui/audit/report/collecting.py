"""Makes the rows of the report of what its watchers added up."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from hashlib import sha256

from ...orders import AgreementTerms
from ..days import day_text
from ..effects import EXCHANGED_IN, EXCHANGED_OUT, EXPIRED, ISSUED, MOVEMENTS, REDEEMED, RESTORED, REVOKED, SPENT
from ..findings import Finding
from ..liability.cohorts import ProgramLiability, month_text
from ..liability.deferral import whole_micros
from ..model.records import Role, Status
from ..rules.lots import Age
from ..watching import BlockSeen
from . import figures as seen
from .document import (
    AgeRow,
    AgreementRow,
    BlockMark,
    CohortRow,
    ConcentrationRow,
    CountRow,
    DayRow,
    Figures,
    HolderRow,
    KeyRow,
    Liability,
    MerchantRow,
    PairRow,
    PositionRow,
    ProgramRow,
    RollForwardRow,
    RuleRow,
)

BPS = 10_000
MOST_HOLDERS = 10
"""So many of a program's largest members are named."""
_LARGEST = 100
_FOREVER = 2**40 - 1
_MADE = (ISSUED, EXCHANGED_IN, RESTORED)
_GONE = (REDEEMED, SPENT, EXCHANGED_OUT, EXPIRED, REVOKED)
_CHANGES = {"SignerChanged": "key", "OwnershipTransferred": "owner"}
_KINDS = {1: "exchange", 2: "acceptance"}

Balances = Iterable[tuple[tuple[str, int], int]]
"""Points by member and program."""
OpenPoints = Mapping[Age, int]


def mark_of(block: BlockSeen) -> BlockMark:
    """A block as the report names it."""
    return BlockMark(block.number, block.hash, moment_text(block.time), day_text(block.day))


def moment_text(seconds: int) -> str:
    """Unix seconds as `2026-11-26T03:59:00Z`; what no calendar has, as a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def collect(added: seen.Figures, balances: Balances, open_points: OpenPoints, first_day: int = 0) -> Figures:
    """Makes all figures of the report.

    Args:
        added: The watcher, at the end of the audit.
        balances: All balances, from the model.
        open_points: What the rules on lots know of open points.
        first_day: Where the reported period begins. Days, positions and what merchants paid each other are of the period; all other
            figures are of the whole life of the contract.
    """
    holders = _Holders(balances)
    totals = _totals(added)
    names = _Names(added)
    pairs = tuple(_pairs(added, names, first_day))
    return Figures(
        counts=tuple(CountRow(what, count) for what, count in sorted(added.counts.stored())),
        merchants=tuple(_merchants(added)),
        programs=tuple(_programs(added, totals, holders, names)),
        agreements=tuple(_agreements(added)),
        days=tuple(
            DayRow(day_text(day), program, names.code(program), *sums)
            for program, day, sums in added.days()
            if day >= first_day
        ),
        pairs=pairs,
        positions=tuple(
            PositionRow(day_text(day), merchant, names.merchant(merchant), *position)
            for (day, merchant), position in sorted(((d, m), p) for (m, d), p in added.positions.stored())
            if day >= first_day
        ),
        concentration=tuple(_concentration(totals, holders, pairs, names)),
        holders=tuple(_largest_holders(holders, names)),
        ages=tuple(
            AgeRow(age.program, names.code(age.program), age.made, age.expires or None, points)
            for age, points in sorted(open_points.items())
        ),
        keys=tuple(_key(change, names) for _, change in sorted(added.keys.stored())),
    )


def rules_of(says: Mapping[str, str], findings: Iterable[Finding]) -> tuple[RuleRow, ...]:
    """The rules that were checked, by code, with their findings. A finding of a rule that says nothing has its row too."""
    broken = Counter(finding.rule for finding in findings)
    return tuple(RuleRow(rule, says.get(rule, ""), broken[rule]) for rule in sorted({*says, *broken}))


def collect_liability(
    found: Iterable[ProgramLiability], added: seen.Figures, opening: int, closing: int, settings: bytes | None
) -> Liability:
    """Makes the rows of the liability.

    Args:
        found: What the cohorts say of each program between the two days.
        added: The watcher, at the end of the audit.
        opening: The day at whose end the roll-forward begins.
        closing: The day at whose end it ends.
        settings: The settings file's content, if there was one.
    """
    names = _Names(added)
    moved: dict[int, list[int]] = {}
    for program, day, sums in added.days():
        if opening < day <= closing:
            known = moved.setdefault(program, [0] * len(MOVEMENTS))
            for movement in range(len(MOVEMENTS)):
                known[movement] += sums[2 * movement + 1]
    found = list(found)
    return Liability(
        day_text(opening),
        day_text(closing),
        None if settings is None else sha256(settings).hexdigest(),
        tuple(_roll_forward(one, moved.get(one.program, [0] * len(MOVEMENTS)), names) for one in found),
        tuple(row for one in found for row in _cohorts(one, names)),
    )


def _roll_forward(one: ProgramLiability, moved: list[int], names: _Names) -> RollForwardRow:
    expected = round(one.expected_points)
    return RollForwardRow(
        one.program,
        names.code(one.program),
        names.issuer(one.program),
        names.merchant(names.issuer(one.program)),
        one.opening_points,
        moved[ISSUED],
        moved[EXCHANGED_IN],
        moved[REDEEMED],
        moved[SPENT],
        moved[EXCHANGED_OUT],
        moved[EXPIRED],
        moved[REVOKED],
        moved[RESTORED],
        one.closing_points,
        _bps(expected, one.closing_points),
        one.closing_points - expected,
        *_rounded(one),
    )


def _rounded(one: ProgramLiability) -> tuple[int | None, ...]:
    """The roll-forward in whole micros. Each amount is rounded, and recognised takes up what the sum then lacks: a micro or two."""
    if not one.has_value:
        return (None,) * 5
    roll = one.roll_forward
    opening, additions, remeasurement, closing = (
        whole_micros(amount) for amount in (roll.opening, roll.additions, roll.remeasurement, roll.closing)
    )
    return opening, additions, opening + additions + remeasurement - closing, remeasurement, closing


def _cohorts(one: ProgramLiability, names: _Names) -> Iterator[CohortRow]:
    for cohort in one.cohorts:
        flow, standing = cohort.flow, cohort.standing
        amounts = (standing.deferred, standing.recognised, standing.balance)
        yield CohortRow(
            one.program,
            names.code(one.program),
            month_text(cohort.month),
            flow.made - flow.revoked,
            flow.used,
            flow.expired,
            flow.open,
            round(standing.expected_in_the_end),
            *((whole_micros(amount) for amount in amounts) if one.has_value else (None,) * 3),
        )


class _Names:
    """Merchants' names and programs' codes by number. What the chain never named has its number."""

    def __init__(self, added: seen.Figures) -> None:
        self._merchants = {number: one.name for number, one in added.merchants.stored()}
        self._programs = dict(added.programs.stored())

    def merchant(self, number: int) -> str:
        return self._merchants.get(number) or f"merchant {number}"

    def issuer(self, program: int) -> int:
        return self._programs[program].merchant if program in self._programs else 0

    def code(self, number: int) -> str:
        found = self._programs.get(number)
        return found.code if found and found.code else f"program {number}"


class _Holders:
    """Who has how many points of each program: the largest, all points, and how many members have some."""

    def __init__(self, balances: Balances) -> None:
        self.points: Counter[int] = Counter()
        self.members: Counter[int] = Counter()
        self._largest: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        for (member, program), points in balances:
            self.points[program] += points
            self.members[program] += 1
            largest = self._largest[program]
            heapq.heappush(largest, (points, member))
            if len(largest) > _LARGEST:
                heapq.heappop(largest)

    def largest(self, program: int) -> list[tuple[int, str]]:
        """Points and member, the most first; equals by address."""
        return sorted(self._largest[program], key=lambda one: (-one[0], one[1]))


def _bps(part: int, whole: int) -> int:
    """A share in basis points, rounded half up; nothing of nothing."""
    return (2 * part * BPS + whole) // (2 * whole) if whole else 0


def _totals(added: seen.Figures) -> dict[int, list[int]]:
    """Points of each program by movement, over its whole life."""
    totals: dict[int, list[int]] = {program: [0] * len(MOVEMENTS) for program, _ in added.programs.stored()}
    for program, _, sums in added.days():
        known = totals.setdefault(program, [0] * len(MOVEMENTS))
        for movement in range(len(MOVEMENTS)):
            known[movement] += sums[2 * movement + 1]
    return totals


def _merchants(added: seen.Figures) -> Iterator[MerchantRow]:
    for number, one in sorted(added.merchants.stored()):
        used = max(-one.position, 0)
        deposits, deposited = added.money[number, "Deposited"]
        withdrawals, withdrawn = added.money[number, "Withdrawn"]
        yield MerchantRow(
            number,
            one.name,
            _label(Status, one.status),
            one.position,
            one.credit_limit,
            used,
            _bps(used, one.credit_limit),
            one.most_used,
            one.most_used_of,
            _bps(one.most_used, one.most_used_of),
            day_text(one.most_used_on) if one.most_used else None,
            deposits,
            deposited,
            withdrawals,
            withdrawn,
        )


def _programs(
    added: seen.Figures, totals: Mapping[int, list[int]], holders: _Holders, names: _Names
) -> Iterator[ProgramRow]:
    for number, one in sorted(added.programs.stored()):
        sums = totals[number]
        yield ProgramRow(
            number,
            one.code,
            one.name,
            one.merchant,
            names.merchant(one.merchant),
            one.is_paused,
            sums[ISSUED],
            sums[REDEEMED],
            sums[SPENT],
            sums[EXCHANGED_OUT],
            sums[EXCHANGED_IN],
            sums[EXPIRED],
            sums[REVOKED],
            sums[RESTORED],
            holders.points[number],
            holders.members[number],
        )


def _agreements(added: seen.Figures) -> Iterator[AgreementRow]:
    for number, (values, valid_until, successor) in sorted(added.agreements.stored()):
        terms = AgreementTerms(*values)
        yield AgreementRow(
            number,
            _KINDS.get(terms.kind, str(terms.kind)),
            terms.source_merchant,
            terms.target_merchant,
            terms.source_program,
            terms.target_program or None,
            f"{terms.rate_num}/{terms.rate_den}",
            terms.unit_price_micros,
            terms.fee_bps,
            terms.max_points,
            terms.daily_cap,
            moment_text(terms.valid_from),
            moment_text(valid_until),
            successor or None,
        )


def _pairs(added: seen.Figures, names: _Names, first_day: int) -> Iterator[PairRow]:
    """Each two merchants once, who paid more on the whole first; the largest net first. What a merchant pays itself is nothing."""
    sums: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (payer, payee, day), amounts in added.owed.stored():
        if day >= first_day and payer != payee:
            sums[payer, payee] = [old + new for old, new in zip(sums[payer, payee], amounts, strict=True)]
    rows = []
    for one, other in {(min(sides), max(sides)) for sides in sums}:
        payer, payee = (one, other) if sum(sums[one, other][1:]) >= sum(sums[other, one][1:]) else (other, one)
        entries, settled, fee = sums[payer, payee]
        more, *back = sums[payee, payer]
        names_of = (payer, names.merchant(payer), payee, names.merchant(payee))
        rows.append(PairRow(*names_of, entries + more, settled, fee, sum(back), settled + fee - sum(back)))
    yield from sorted(rows, key=lambda row: (-row.net_micros, row.payer, row.payee))


def _concentration(
    totals: Mapping[int, list[int]], holders: _Holders, pairs: Iterable[PairRow], names: _Names
) -> Iterator[ConcentrationRow]:
    """Of each program's points by holders, of programs by points issued, and of merchants by what they paid."""
    for program in sorted(totals):
        if holders.members[program]:
            points = [points for points, _ in holders.largest(program)]
            yield _largest("holders", names.code(program), holders.members[program], points, holders.points[program])
    issued = sorted((sums[ISSUED] for sums in totals.values() if sums[ISSUED]), reverse=True)
    if issued:
        yield _largest("issued", None, len(issued), issued, sum(issued))
    paid: Counter[int] = Counter()
    for pair in pairs:
        paid[pair.payer] += pair.settled_micros + pair.fee_micros
    settled = sorted((micros for micros in paid.values() if micros), reverse=True)
    if settled:
        yield _largest("settled", None, len(settled), settled, sum(settled))


def _largest(of: str, code: str | None, how_many: int, parts: list[int], whole: int) -> ConcentrationRow:
    return ConcentrationRow(of, code, how_many, *(_bps(sum(parts[:most]), whole) for most in (1, 5, 10, _LARGEST)))


def _largest_holders(holders: _Holders, names: _Names) -> Iterator[HolderRow]:
    for program in sorted(holders.points):
        for rank, (points, member) in enumerate(holders.largest(program)[:MOST_HOLDERS], start=1):
            share = _bps(points, holders.points[program])
            yield HolderRow(program, names.code(program), rank, member, points, share)


def _key(change: seen.KeyChange, names: _Names) -> KeyRow:
    by = {None: "owner", True: "merchant", False: "operator"}[change.by_merchant]
    return KeyRow(
        change.block,
        moment_text(change.time),
        change.transaction,
        _change_of(change),
        change.account,
        change.whose,
        None if change.whose is None else names.merchant(change.whose),
        None if change.role is None else _label(Role, change.role),
        moment_text(change.valid_from) if change.valid_from else None,
        None if change.valid_until in (None, _FOREVER) else moment_text(change.valid_until),
        by,
    )


def _change_of(change: seen.KeyChange) -> str:
    if change.event == "RoleChanged":
        return "role_given" if change.held else "role_taken"
    return _CHANGES[change.event]


def _label(names: type[IntEnum], number: int) -> str:
    """The name of a number of the contract; the number, where it has none."""
    return names(number).name.lower() if number in set(names) else str(number)
