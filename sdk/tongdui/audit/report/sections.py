"""What stands on the page, section by section, in the words of one language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from ..findings import Finding, Place
from . import charts
from .charts import Chart, Series
from .document import AgeRow, DayRow, Figures, ProgramRow, Report
from .layout import Cell, FindingView, Part, Section, code, grid, table
from .periods import Periods, periods_of
from .words import Words, grouped

_MOST_FINDINGS = 500
"""So many findings stand on the page; the files have all of them."""
_MOST_CHARTS = 8
"""So many programs have a chart of their own: those with the most points in circulation."""
_COLOURS = (1, 5, 2, 4, 6, 7, 3, 8)
_MOST_BARS = 15
_MOST_LINES = 6

_UP = (("issued", 1), ("exchanged_in", 2), ("restored", 3))
_DOWN = (("redeemed", 4), ("spent", 5), ("exchanged_out", 6), ("expired", 8), ("revoked", 7))
_SHARES = (("largest_1_bps", 1), ("largest_5_bps", 2), ("largest_10_bps", 3), ("largest_100_bps", 6))
_SHARE_NAMES = ("share_1", "share_5", "share_10", "share_100")


def sections_of(report: Report, words: Words) -> Iterator[Section]:
    """All sections, in order. What the report has nothing of has none."""
    yield _findings(report, words)
    yield _not_checked(report, words)
    yield _method(report, words)
    figures = report.figures
    periods = periods_of(report.scope.first.day, report.scope.last.day)
    yield _points(figures, periods, words)
    yield _owed(report, words)
    yield _exposure(report, periods, words)
    yield _concentration(figures, words)
    yield _ages(figures, words)
    if report.liability is not None:
        yield _liability(report, words)
    if report.bank_files:
        yield _bank(report, words)
    yield _parties(figures, words)
    yield _rules(report, words)


# -------------------------------------------------------------------- what was found, and what was looked at


def _findings(report: Report, words: Words) -> Section:
    shown = report.findings[:_MOST_FINDINGS]
    paragraphs = [words("no_findings")] if not shown else []
    if len(report.findings) > len(shown):
        left = grouped(len(report.findings) - len(shown))
        paragraphs.append(words("more_findings", count=left))
    says = {row.rule: words.rule(row.rule, row.says) for row in report.rules}
    views = tuple(_finding(one, number, says.get(one.rule, ""), words) for number, one in enumerate(shown, start=1))
    return Section("findings", words("findings"), tuple(paragraphs), findings=views)


def _finding(finding: Finding, number: int, says: str, words: Words) -> FindingView:
    facts: list[tuple[str, Cell]] = [
        (words("rule"), Markup('{} <span class="muted">{}</span>').format(says, code(finding.rule))),
        (words("expected"), finding.expected),
        (words("found"), finding.found),
    ]
    place = _place(finding.place, words)
    if place:
        facts.append((words("where"), place))
    return FindingView(f"{number}. {finding.subject}", tuple(facts))


def _place(place: Place, words: Words) -> str:
    known = (
        ("at_block", place.block),
        ("at_transaction", place.transaction),
        ("at_batch", place.batch),
        ("at_entry", place.index),
    )
    return ", ".join(words(sentence, number=value) for sentence, value in known if value is not None)


def _not_checked(report: Report, words: Words) -> Section:
    title = words("not_checked")
    if not report.not_checked:
        return Section("not-checked", title, (words("all_checked"),))
    listed = table(words, title, ("what", "why"), report.not_checked, is_titled=False)
    return Section("not-checked", title, parts=(Part(tables=(listed,)),))


def _method(report: Report, words: Words) -> Section:
    scope = report.scope
    hours, minutes = divmod(abs(scope.utc_offset) // 60, 60)
    zone = f"UTC{'+' if scope.utc_offset >= 0 else '−'}{hours:02d}:{minutes:02d}"
    facts: list[tuple[str, Cell]] = [
        (words("chain"), str(scope.chain_id)),
        (words("contract"), code(scope.contract)),
        (words("build"), code(scope.build) if scope.build else words("no_build")),
    ]
    for title, mark in (
        (words("created"), scope.created),
        (words("period_from"), scope.first),
        (words("period_to"), scope.last),
    ):
        facts.append((title, _mark(mark.number, mark.time, mark.hash, words)))
    facts.append((words("head"), code(scope.head)))
    if scope.as_of is not None:
        facts.append((words("as_of"), scope.as_of))
    facts.append((words("network_days"), zone))
    facts.append((words("currency"), scope.currency))
    facts.append((words("nodes"), ", ".join(scope.nodes)))
    checked = table(words, words("checked"), ("what", "count"), report.checked)
    method = tuple((words(f"method_{name}"), words(f"method_{name}_how")) for name in _METHOD)
    parts = (Part(words("checks"), tables=(checked,)), Part(words("method"), facts=method))
    return Section("scope", words("scope"), facts=tuple(facts), parts=parts, new_page=True)


_METHOD = ("blocks", "orders", "replay", "state", "beyond")


def _mark(number: int, time: str, block_hash: str, words: Words) -> Cell:
    return Markup("{}, {}<br>{}").format(
        words("at_block", number=grouped(number)), time.replace("T", " ").replace("Z", " UTC"), code(block_hash)
    )


# -------------------------------------------------------------------- points over time


@dataclass(frozen=True, slots=True)
class _PeriodSums:
    """What points of a program did in a period."""

    period: str
    issued: int
    exchanged_in: int
    restored: int
    redeemed: int
    spent: int
    exchanged_out: int
    expired: int
    revoked: int


def _points(figures: Figures, periods: Periods, words: Words) -> Section:
    columns = ("program", "code", "name", "merchant_name", *(name for name, _ in _UP + _DOWN), "outstanding", "holders")
    overview = table(words, words("points_overview"), columns, figures.programs)
    largest = sorted(figures.programs, key=lambda one: (-one.outstanding, one.program))[:_MOST_CHARTS]
    parts = [Part(tables=(overview,))]
    parts += [_program(one, figures.days, periods, words) for one in sorted(largest, key=lambda one: one.program)]
    about = words("points_about")
    paragraphs = [
        about,
        words("points_reversals"),
    ]
    if len(largest) < len(figures.programs):
        paragraphs.append(words("points_more"))
    return Section("points", words("points"), tuple(paragraphs), parts=tuple(parts), new_page=True)


def _program(program: ProgramRow, days: Sequence[DayRow], periods: Periods, words: Words) -> Part:
    names = [name for name, _ in _UP + _DOWN]
    sums = [dict.fromkeys(names, 0) for _ in periods.labels]
    for row in days:
        if row.program == program.program:
            known = sums[periods.place(row.day)]
            for name in names:
                known[name] += getattr(row, name)
    series = [Series(words.column(name), [one[name] for one in sums], colour) for name, colour in _UP]
    series += [Series(words.column(name), [-one[name] for one in sums], colour) for name, colour in _DOWN]
    title = words("points_by", code=program.code, unit=words.value(periods.unit))
    rows = [_PeriodSums(label, **one) for label, one in zip(periods.labels, sums, strict=True) if any(one.values())]
    shown = table(words, title, ("period", *names), rows, is_titled=False)
    chart = charts.stacked_bars(title, periods.labels, series)
    return Part(f"{program.code} · {program.name}", charts=(chart,), tables=(shown,))


# -------------------------------------------------------------------- who owes whom, and how much of a limit is used


def _owed(report: Report, words: Words) -> Section:
    pairs = report.figures.pairs
    columns = ("payer_name", "payee_name", "entries", "settled_micros", "fee_micros", "returned_micros", "net_micros")
    title = words("owed_table", currency=report.scope.currency)
    shown = table(words, title, columns, pairs, "pairs")
    paragraphs = (
        words("owed_net"),
        words("owed_moved"),
    )
    part = Part(charts=_pair_chart(report, words), tables=(shown,))
    return Section("owed", words("owed"), paragraphs, parts=(part,), new_page=True)


def _pair_chart(report: Report, words: Words) -> tuple[Chart, ...]:
    pairs = [pair for pair in report.figures.pairs if pair.net_micros > 0][:_MOST_BARS]
    if not pairs:
        return ()
    labels = [f"{pair.payer_name} → {pair.payee_name}" for pair in pairs]
    title = words("owed_chart", currency=report.scope.currency)
    return (charts.rows(title, labels, [Series(words.column("net_micros"), [_units(p.net_micros) for p in pairs], 1)]),)


def _units(micros: int) -> int:
    """Micros in whole units of the currency, for a chart."""
    return micros // 1_000_000


def _exposure(report: Report, periods: Periods, words: Words) -> Section:
    figures = report.figures
    columns = (
        "merchant",
        "name",
        "status",
        "position_micros",
        "credit_limit_micros",
        "used_bps",
        "most_used_micros",
        "most_used_bps",
        "most_used_on",
    )
    shown = table(words, words("exposure_table"), columns, figures.merchants, "merchants")
    about = words("exposure_about")
    drawn = (*_limit_chart(figures, words), *_position_chart(report, periods, words))
    return Section(
        "exposure",
        words("exposure"),
        (about,),
        parts=(Part(charts=drawn, tables=(shown,)),),
        new_page=True,
    )


def _limit_chart(figures: Figures, words: Words) -> tuple[Chart, ...]:
    limited = [one for one in figures.merchants if one.credit_limit_micros or one.most_used_of_micros]
    limited = sorted(limited, key=lambda one: (-one.most_used_bps, one.merchant))[:_MOST_BARS]
    if not limited:
        return ()
    series = [
        Series(words("at_end"), [one.used_bps / 100 for one in limited], 1),
        Series(words("at_most"), [one.most_used_bps / 100 for one in limited], 5),
    ]
    return (charts.rows(words("exposure_chart"), [one.name for one in limited], series, most=100),)


def _position_chart(report: Report, periods: Periods, words: Words) -> tuple[Chart, ...]:
    """The closing positions of the merchants that were farthest from zero."""
    figures = report.figures
    by_merchant: dict[int, dict[str, int]] = {}
    for row in figures.positions:
        by_merchant.setdefault(row.merchant, {})[periods.label_of(row.day)] = row.closing_micros
    widest = sorted(by_merchant, key=lambda number: (-max(map(abs, by_merchant[number].values())), number))[
        :_MOST_LINES
    ]
    names = {one.merchant: one.name for one in figures.merchants}
    series = []
    for colour, number in zip(_COLOURS, sorted(widest), strict=False):
        series.append(Series(names.get(number, str(number)), _carried(by_merchant[number], periods.labels), colour))
    if not series or len(periods.labels) < 2:
        return ()
    return (charts.lines(words("positions_chart", currency=report.scope.currency), periods.labels, series),)


def _carried(closing: dict[str, int], labels: Sequence[str]) -> list[int]:
    """A position for each period: where nothing changed it, the one before."""
    values, last = [], 0
    for label in labels:
        last = closing.get(label, last)
        values.append(_units(last))
    return values


# -------------------------------------------------------------------- concentration, age


def _concentration(figures: Figures, words: Words) -> Section:
    rows = figures.concentration
    labels = [
        words.value(row.of) if row.code is None else words("concentration_members", code=row.code) for row in rows
    ]
    series = []
    before = [0] * len(rows)
    for (name, colour), title in zip(_SHARES, _SHARE_NAMES, strict=True):
        shares = [getattr(row, name) for row in rows]
        parts = [(now - then) / 100 for now, then in zip(shares, before, strict=True)]
        series.append(Series(words(title), parts, colour))
        before = shares
    drawn = (charts.stacked_rows(words("concentration_chart"), labels, series, most=100),) if rows else ()
    of_largest = ("of", "code", "how_many", *(name for name, _ in _SHARES))
    largest = table(words, words("concentration_table"), of_largest, rows, "concentration")
    of_members = ("code", "rank", "member", "points", "share_bps")
    members = table(words, words("concentration_holders"), of_members, figures.holders, "holders")
    about = words("concentration_about")
    part = Part(charts=drawn, tables=(largest, members))
    return Section("concentration", words("concentration"), (about,), parts=(part,), new_page=True)


def _ages(figures: Figures, words: Words) -> Section:
    title = words("ages")
    if not figures.ages:
        return Section("ages", title, (words("no_open_points"),))
    by_expiry = [row for row in figures.ages if row.expires]
    parts = [_ages_by("made", figures.ages, figures, words("ages_made"), words)]
    if by_expiry:
        parts.append(_ages_by("expires", by_expiry, figures, words("ages_expire"), words))
    return Section("ages", title, (words("ages_about"),), parts=tuple(parts), new_page=True)


def _ages_by(attribute: str, rows: Sequence[AgeRow], figures: Figures, title: str, words: Words) -> Part:
    """Points by month and program, as a chart and a table. Of many programs, those with the most points have their own colour."""
    programs = sorted(figures.programs, key=lambda one: (-one.outstanding, one.program))
    place = {one.program: min(number, len(_COLOURS) - 1) for number, one in enumerate(programs)}
    names = [one.code for one in programs[: len(_COLOURS)]]
    if len(programs) > len(names):
        names[-1] = words("all_others")
    months: dict[str, list[int]] = {}
    for row in sorted(rows, key=lambda one: str(getattr(one, attribute))):
        months.setdefault(getattr(row, attribute), [0] * len(names))[place[row.program]] += row.points
    series = [
        Series(name, [points[number] for points in months.values()], colour)
        for number, (name, colour) in enumerate(zip(names, _COLOURS, strict=False))
    ]
    drawn = charts.stacked_bars(title, list(months), series)
    return Part(charts=(drawn,), tables=(grid(title, words.column(attribute), names, list(months.items())),))


# -------------------------------------------------------------------- liability, bank, parties


def _liability(report: Report, words: Words) -> Section:
    liability = report.liability
    assert liability is not None
    points = (
        "code",
        "merchant_name",
        "opening_points",
        "issued",
        "exchanged_in",
        "redeemed",
        "spent",
        "exchanged_out",
        "expired",
        "revoked",
        "restored",
        "closing_points",
        "expected_bps",
        "breakage_points",
    )
    amounts = (
        "code",
        "merchant_name",
        "opening_micros",
        "additions_micros",
        "recognised_micros",
        "remeasurement_micros",
        "closing_micros",
    )
    cohorts = (
        "code",
        "month",
        "made",
        "redeemed",
        "expired",
        "open",
        "expected",
        "deferred_micros",
        "recognised_micros",
        "balance_micros",
    )
    tables = (
        table(
            words,
            words("liability_amounts", currency=report.scope.currency),
            amounts,
            liability.roll_forward,
        ),
        table(words, words("liability_points"), points, liability.roll_forward),
        table(
            words,
            words("liability_cohorts"),
            cohorts,
            liability.cohorts,
            "cohorts",
        ),
    )
    about = [
        words(
            "liability_about",
            opening=liability.opening_day,
            closing=liability.closing_day,
        ),
        words("liability_sum"),
    ]
    if any(row.closing_micros is None for row in liability.roll_forward):
        about.append(words("liability_missing"))
    return Section("liability", words("liability"), tuple(about), parts=(Part(tables=tables),), new_page=True)


def _bank(report: Report, words: Words) -> Section:
    columns = ("file", "first_day", "last_day", "lines", "currency", "deposited_micros", "withdrawn_micros")
    files = table(words, words("bank_files"), columns, report.bank_files)
    return Section("bank", words("bank"), (words("bank_about"),), parts=(Part(tables=(files,)),))


def _parties(figures: Figures, words: Words) -> Section:
    money_columns = ("merchant", "name", "status", "deposits", "deposited_micros", "withdrawals", "withdrawn_micros")
    agreement_columns = (
        "agreement",
        "kind",
        "source_merchant",
        "target_merchant",
        "source_program",
        "target_program",
        "rate",
        "unit_price_micros",
        "fee_bps",
        "daily_cap",
        "superseded_by",
    )
    key_columns = ("block", "time", "change", "account", "merchant_name", "role", "valid_from", "valid_until", "by")
    tables = (
        table(
            words,
            words("parties_merchants"),
            money_columns,
            figures.merchants,
            "merchants",
        ),
        table(words, words("parties_agreements"), agreement_columns, figures.agreements, "agreements"),
        table(words, words("parties_keys"), key_columns, figures.keys, "keys"),
        table(words, words("parties_counts"), ("what", "count"), figures.counts),
    )
    return Section("parties", words("parties"), parts=(Part(tables=tables),), new_page=True)


def _rules(report: Report, words: Words) -> Section:
    said = [replace(row, says=words.rule(row.rule, row.says)) for row in report.rules]
    listed = table(words, words("rules"), ("rule", "says", "findings"), said, is_titled=False)
    about = words("rules_about", count=grouped(len(said)))
    return Section("rules", words("rules"), (about,), parts=(Part(tables=(listed,)),), new_page=True)
