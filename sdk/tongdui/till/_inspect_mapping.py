"""Writes what an inspection has found as the text of a mapping."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ._detect_articles import Category
from ._detect_columns import Columns
from ._detect_layout import Layout
from ._detect_rows import Status
from ._detect_times import Question

_ORDER = ("time", "date", "till", "sale", "original", "customer", "article", "quantity", "unit", "amount", "unit_price")
_NAMED = 12
"""Articles that a comment names."""
ZONE = "Asia/Shanghai"
_LONGEST = 30
"""The most characters of an example."""
_COMMON = ("rfc3339", "%Y-%m-%d %H:%M:%S")
"""The forms of a time where the file has none that can be read."""
_OFTEN = 0.1
"""The part of the amounts that must have more decimals before a mapping allows them."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Everything that an inspection has found."""

    path: Path
    layout: Layout
    columns: Columns
    categories: Sequence[Category]
    statuses: Sequence[Status]
    footers: Sequence[str]
    no_customer: Sequence[str]
    common_customer: str
    return_prefix: str
    scientific: dict[str, int]

    @property
    def times(self) -> tuple[str, ...]:
        """The forms of a time. Of a date and a time in two columns, the mapping reads `date time`."""
        columns = self.columns
        clock = columns.times.forms if columns.times else _COMMON
        if columns.date is None:
            return clock
        return tuple(f"{date} {time}" if date != time else date for date in columns.date.forms for time in clock)

    @property
    def questions(self) -> list[Question]:
        """The orders of day and month that the file does not decide."""
        return [question for forms in (self.columns.date, self.columns.times) if forms for question in forms.questions]

    @property
    def amount_decimals(self) -> int:
        """More decimals than two, if amounts have them often; or 0."""
        if "amount" not in self.columns.theirs:
            return 0
        values = [value for value in self.layout.column(self.columns.theirs["amount"]) if value]
        decimals = Counter(self.columns.numbers.decimals_of(value) for value in values)
        often = [count for count, rows in decimals.items() if count > 2 and rows >= _OFTEN * len(values)]
        return min(max(often), 6) if often else 0


def toml_of(proposal: Proposal) -> str:
    """The text of the mapping.

    Args:
        proposal: What was found.

    Returns:
        TOML, with a comment wherever a person must check something.
    """
    sections = (
        _till(proposal), _file(proposal), _numbers(proposal), _columns(proposal), _rows(proposal), _customers(proposal),
        _returns(proposal), _points(proposal), _articles(proposal), _units(proposal),
    )  # fmt: skip
    name = _comment(proposal.path.name)
    title = [
        f"# How to read {name}, proposed by `tongdui till inspect`.",
        "# Look at every line that says CHECK before you import.",
    ]
    return "\n\n".join("\n".join(lines) for lines in (title, *sections) if lines) + "\n"


# ---------------------------------------------------------------- TOML


def quoted(text: str) -> str:
    """A text as TOML writes it, with what cannot be printed escaped."""
    plain = json.dumps(text, ensure_ascii=False)
    return "".join(mark if mark.isprintable() else f"\\U{ord(mark):08X}" for mark in plain)


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(quoted, texts))}]"


def _comment(text: str) -> str:
    return "".join(mark if mark.isprintable() else "?" for mark in text)


def _because(setting: str, reason: str) -> str:
    """A line of the mapping with its reason."""
    return f"{setting}  # {_comment(reason)}" if reason else setting


def _example(proposal: Proposal, theirs: str) -> str:
    """The first value of a column, for a comment."""
    first = next((value for value in proposal.layout.column(theirs) if value), "")
    return f"such as {first[:_LONGEST]}{'…' if len(first) > _LONGEST else ''}" if first else "empty in this file"


def _till(proposal: Proposal) -> list[str]:
    lines = ["[till]", f"name = {quoted(_comment(proposal.path.stem))}"]
    if proposal.times == ("rfc3339",):
        lines.append(_because(f"zone = {quoted(ZONE)}", "of the business day; the times name their own zone"))
    else:
        lines.append(_because(f"zone = {quoted(ZONE)}", "CHECK: the file does not name its time zone"))
    lines.append(f"times = {_list(proposal.times)}")
    lines += [
        f"# CHECK: {question.example} could also be read as {question.other}; then write that instead."
        for question in proposal.questions
    ]
    if decimals := proposal.amount_decimals:
        lines.append(_because(f"amount_decimals = {decimals}", "many amounts have more than two"))
    return lines


def _file(proposal: Proposal) -> list[str]:
    layout = proposal.layout
    lines = []
    if layout.encoding is not None and layout.encoding.codec:
        lines.append(_because(f"encoding = {quoted(layout.encoding.codec)}", "the whole file was decoded to find this"))
    if layout.encoding is not None and layout.file.delimiter != ",":
        lines.append(f"delimiter = {quoted(layout.file.delimiter)}")
    if len(layout.sheets) > 1:
        others = ", ".join(sheet for sheet in layout.sheets if sheet != layout.file.sheet)
        lines.append(_because(f"sheet = {quoted(layout.file.sheet or '')}", f"and not {others}"))
    if layout.header > 1 + layout.names_delimiter:
        lines.append(
            f"# The columns are named in line {layout.header}. It is found by these names; `header` would fix the line."
        )
    if proposal.footers:
        lines.append(_because(f"footer = {_list(proposal.footers)}", "rows that begin so are no sales"))
    return ["[file]", *lines] if lines else []


def _numbers(proposal: Proposal) -> list[str]:
    numbers = proposal.columns.numbers
    negative = dict.fromkeys(("leading", *numbers.negative))
    settings = {
        "decimal": quoted(numbers.decimal) if numbers.decimal != "." else "",
        "thousands": quoted(numbers.thousands) if numbers.thousands else "",
        "currency": _list(signs) if (signs := (*numbers.currency, *proposal.columns.affixes)) else "",
        "negative": _list(negative) if len(negative) > 1 else "",
        "bare_fraction": "true" if numbers.bare_fraction else "",
    }
    lines = [f"# CHECK: {_comment(numbers.question)}."] if numbers.question else []
    for setting, value in settings.items():
        if value:
            example = numbers.examples.get(setting, "")
            lines.append(_because(f"{setting} = {value}", f"such as {example}" if example else ""))
    return ["[numbers]", *lines] if lines else []


def _columns(proposal: Proposal) -> list[str]:
    lines, columns = ["[columns]"], proposal.columns
    for ours in _ORDER:
        if ours in columns.theirs:
            theirs = columns.theirs[ours]
            check = "CHECK: found by what it contains, " if ours in columns.by_content else ""
            lines.append(_because(f"{ours} = {quoted(theirs)}", check + _example(proposal, theirs)))
    return lines


def _rows(proposal: Proposal) -> list[str]:
    """Columns of one setting stand together, because TOML has each section once."""
    lines = [line for status in proposal.statuses for line in _asked(status)]
    for setting in ("only", "skip"):
        if chosen := [status for status in proposal.statuses if status.setting == setting]:
            lines.append(f"[rows.{setting}]")
            lines += [
                f"{quoted(status.name)} = {_list(status.counted if setting == 'only' else status.skipped)}"
                for status in chosen
            ]
    return lines


def _asked(status: Status) -> list[str]:
    """What a person must know about a status; and the settings to choose from where only a person can."""
    told = ", ".join(f"{value or 'empty'} ({rows:,})" for value, rows in status.rows.most_common(_NAMED))
    lines = [f"# CHECK: {_comment(status.name)} says which rows count. Its values here, with rows: {_comment(told)}."]
    if status.setting:
        return lines
    unsure = _comment(", ".join(value or "an empty field" for value in status.unsure[:_NAMED]))
    name = quoted(status.name)
    return [
        *lines,
        f"# Nobody but you knows whether rows with {unsure} count. The import refuses the file until one of these is written:",
        "# [rows.only]",
        f"# {name} = {_list([*status.counted, *status.unsure])}",
        "# [rows.skip]",
        f"# {name} = {_list([*status.skipped, *status.unsure])}",
        "# [rows]",
        f"# ignore = [{name}]",
    ]


def _customers(proposal: Proposal) -> list[str]:
    none = _because(f"none = {_list(proposal.no_customer)}", "what stands where there was no customer")
    lines = [none] if proposal.no_customer else []
    if customer := _comment(proposal.common_customer):
        lines.append(
            f"# CHECK: {customer} is on very many rows. If it is the till's card for everybody, add it to `none`."
        )
    return ["[customers]", *lines] if lines else []


def _returns(proposal: Proposal) -> list[str]:
    if not proposal.return_prefix:
        return []
    return [
        "[returns]",
        _because(f"prefix = {quoted(proposal.return_prefix)}", "numbers of returns begin so, and no other"),
    ]


def _points(proposal: Proposal) -> list[str]:
    lines = [
        '# CHECK: points for one unit of currency, by category: whole, or a fraction such as "1/2".',
        '# { amount = "1", quantity = "2" } gives points for each litre or piece, too.',
        "[points]",
    ]
    return [*lines, *(f"{category.name} = {quoted(category.rate)}" for category in proposal.categories)]


def _articles(proposal: Proposal) -> list[str]:
    lines = ['# CHECK: which articles are in which category; "*" is everything else.', "[articles]"]
    for category in proposal.categories:
        lines.append(f"# {category.name} in this file: {_seen(category)}")
        lines.append(f"{category.name} = {_list(category.listed)}")
    return lines


def _seen(category: Category) -> str:
    told = []
    for article in category.seen[:_NAMED]:
        units = "/".join(unit for unit in article.units if unit)
        told.append(f"{article.name} ({f'{units}, ' if units else ''}{article.rows:,})")
    more = f", and {len(category.seen) - _NAMED:,} more" if len(category.seen) > _NAMED else ""
    return _comment(", ".join(told) + more or "none")


def _units(proposal: Proposal) -> list[str]:
    if "unit" not in proposal.columns.theirs:
        return []
    lines = [f"{category.name} = {_list(category.units)}" for category in proposal.categories if category.units]
    return ["# A row with another unit is malformed.", "[units]", *lines] if lines else []
