"""Writes what an inspection has found as the text of a mapping, and as sentences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ._detect_articles import EVERYTHING_ELSE, Category
from ._detect_columns import Columns
from ._detect_layout import Layout
from ._detect_rows import Status
from ._detect_times import Question

_ORDER = ("time", "date", "till", "sale", "original", "customer", "article", "quantity", "unit", "amount", "unit_price")
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_NAMED = 12
"""Articles that a comment names."""
_ZONE = "Asia/Shanghai"
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
        clock = columns.times.forms if columns.times else ()
        if columns.date is None:
            return clock
        return tuple(f"{date} {time}" if date != time else date for date in columns.date.forms for time in clock)

    def findings(self) -> Iterator[str]:
        """What was found and what is left open, a sentence each."""
        yield from _of_layout(self)
        yield from _of_columns(self)
        yield from _of_times(self)
        yield from _of_numbers(self)
        yield from _of_rows(self)
        yield from _of_articles(self)


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
    title = [
        f"# How to read {_comment(proposal.path.name)}, proposed by `tongdui till inspect`. "
        "Look at every line that says CHECK before you import.",
    ]
    return "\n\n".join("\n".join(lines) for lines in (title, *sections) if lines) + "\n"


# ---------------------------------------------------------------- TOML


def quoted(text: str) -> str:
    """A text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(quoted, texts))}]"


def _comment(text: str) -> str:
    return "".join(mark if mark.isprintable() else "?" for mark in text)


def _till(proposal: Proposal) -> list[str]:
    lines = ["[till]", f"name = {quoted(_comment(proposal.path.stem))}"]
    zoned = proposal.times == ("rfc3339",)
    lines.append(f"zone = {quoted(_ZONE)}" + ("" if zoned else "  # CHECK: the file does not name its time zone"))
    lines.append(f"times = {_list(proposal.times)}")
    for question in _questions(proposal.columns):
        lines.append(f"# CHECK: {question.example} could also be read as {question.other}; then write that instead.")
    if decimals := _amount_decimals(proposal):
        lines.append(f"amount_decimals = {decimals}")
    return lines


def _questions(columns: Columns) -> list[Question]:
    return [question for forms in (columns.date, columns.times) if forms for question in forms.questions]


def _amount_decimals(proposal: Proposal) -> int:
    """More decimals than two, if amounts have them often."""
    if "amount" not in proposal.columns.theirs:
        return 0
    values = [value for value in proposal.layout.column(proposal.columns.theirs["amount"]) if value]
    decimals = Counter(proposal.columns.numbers.decimals_of(value) for value in values)
    often = [count for count, rows in decimals.items() if count > 2 and rows >= _OFTEN * len(values)]
    return min(max(often), 6) if often else 0


def _file(proposal: Proposal) -> list[str]:
    layout = proposal.layout
    lines = []
    if layout.encoding is not None and layout.encoding.codec:
        lines.append(f"encoding = {quoted(layout.encoding.codec)}")
    if layout.encoding is not None and layout.file.delimiter != ",":
        lines.append(f"delimiter = {quoted(layout.file.delimiter)}")
    if len(layout.sheets) > 1:
        lines.append(f"sheet = {quoted(layout.file.sheet or '')}")
    if layout.header > 1 + layout.names_delimiter:
        lines.append(f"# The columns are named in line {layout.header}. It is found by these names; `header` would fix the line.")
    if proposal.footers:
        lines.append(f"footer = {_list(proposal.footers)}")
    return ["[file]", *lines] if lines else []


def _numbers(proposal: Proposal) -> list[str]:
    numbers, lines = proposal.columns.numbers, []
    if numbers.question:
        lines.append(f"# CHECK: {_comment(numbers.question)}.")
    if numbers.decimal != ".":
        lines.append(f"decimal = {quoted(numbers.decimal)}")
    if numbers.thousands:
        lines.append(f"thousands = {quoted(numbers.thousands)}")
    if signs := (*numbers.currency, *proposal.columns.affixes):
        lines.append(f"currency = {_list(signs)}")
    if set(numbers.negative) - {"leading"}:
        lines.append(f"negative = {_list(dict.fromkeys(('leading', *numbers.negative)))}")
    if numbers.bare_fraction:
        lines.append("bare_fraction = true")
    return ["[numbers]", *lines] if lines else []


def _columns(proposal: Proposal) -> list[str]:
    lines, columns = ["[columns]"], proposal.columns
    for ours in _ORDER:
        if ours in columns.theirs:
            note = "  # CHECK: found by what it contains" if ours in columns.by_content else ""
            lines.append(f"{ours} = {quoted(columns.theirs[ours])}{note}")
    return lines


def _rows(proposal: Proposal) -> list[str]:
    """Columns of one setting stand together, because TOML has each section once."""
    lines = [line for status in proposal.statuses for line in _asked(status)]
    for setting in ("only", "skip"):
        if chosen := [status for status in proposal.statuses if status.setting == setting]:
            lines.append(f"[rows.{setting}]")
            lines += [f"{quoted(status.name)} = {_list(status.counted if setting == 'only' else status.skipped)}" for status in chosen]
    return lines


def _asked(status: Status) -> list[str]:
    """What a person must know about a status; and the settings to choose from where only a person can."""
    told = ", ".join(f"{value or 'empty'} ({rows:,})" for value, rows in status.rows.most_common(_NAMED))
    lines = [f"# CHECK: {_comment(status.name)} says which rows count. Its values here, with rows: {_comment(told)}."]
    if status.setting:
        return lines
    unsure = _comment(", ".join(value or "an empty field" for value in status.unsure))
    name = quoted(status.name)
    return [
        *lines,
        f"# Nobody but you knows whether rows with {unsure} count. The import refuses the file until one of these is written:",
        f"# rows.only.{name} = {_list([*status.counted, *status.unsure])}   # what counts",
        f"# rows.skip.{name} = {_list([*status.skipped, *status.unsure])}   # what does not",
    ]


def _customers(proposal: Proposal) -> list[str]:
    lines = [f"none = {_list(proposal.no_customer)}"] if proposal.no_customer else []
    if customer := _comment(proposal.common_customer):
        lines.append(f"# CHECK: {customer} is on very many rows. If it is the till's card for everybody, add it to `none`.")
    return ["[customers]", *lines] if lines else []


def _returns(proposal: Proposal) -> list[str]:
    return ["[returns]", f"prefix = {quoted(proposal.return_prefix)}"] if proposal.return_prefix else []


def _points(proposal: Proposal) -> list[str]:
    lines = [
        "# CHECK: points for one unit of currency, by category: whole, or a fraction such as \"1/2\".",
        '# { amount = "1", quantity = "2" } gives points for each litre or piece, too.',
        "[points]",
    ]
    return [*lines, *(f"{category.name} = {quoted(category.rate)}" for category in proposal.categories)]


def _articles(proposal: Proposal) -> list[str]:
    lines = ["# CHECK: which articles are in which category; \"*\" is everything else.", "[articles]"]
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


# ---------------------------------------------------------------- sentences


def _of_layout(proposal: Proposal) -> Iterator[str]:
    layout = proposal.layout
    if layout.encoding is None:
        yield f"The file is a workbook; its sales are in the sheet {layout.file.sheet!r}."
    else:
        fields = _DELIMITERS.get(layout.file.delimiter, repr(layout.file.delimiter))
        yield f"The file is text in {layout.encoding.label}, with {fields} between its fields."
        if layout.encoding.bad_lines:
            yield (
                f"{layout.encoding.bad_lines:,} of its lines are not text in {layout.encoding.label}, "
                f"the first is line {layout.encoding.bad_line}; their rows are malformed."
            )
        if layout.names_delimiter:
            yield f"Its first line names the delimiter: sep={layout.file.delimiter}"
    if layout.header > 1 + layout.names_delimiter:
        yield f"Line {layout.header} names the columns; what stands before it is no row."
    if not layout.is_whole:
        yield (
            f"The file has {layout.lines:,} lines. All of them were read for statuses; for everything else the first 20,000 rows "
            "were looked at, and a part of the rest, spread over the file."
        )
    if proposal.footers:
        yield f"Rows that begin with {_or(proposal.footers)} are no sales and are skipped."


def _of_columns(proposal: Proposal) -> Iterator[str]:
    columns = proposal.columns
    for ours in columns.by_content:
        yield f"No name tells which column is {ours}; by what it contains it is {columns.theirs[ours]!r}. Check it."
    for ours, names in columns.others.items():
        if ours in columns.theirs and names and not (ours == "unit_price" and columns.repeats_total):
            yield f"{columns.theirs[ours]!r} is taken for {ours}; {_or(names)} would do as well."
    if columns.repeats_total:
        yield "The amounts repeat the total of the sale on each of its rows, so quantity x unit price is used."
    if "customer" in columns.theirs and not any(proposal.layout.column(columns.theirs["customer"])):
        yield f"No row names a customer: {columns.theirs['customer']!r} is empty."


def _of_times(proposal: Proposal) -> Iterator[str]:
    columns = proposal.columns
    if columns.date is not None:
        yield f"Date and time are in two columns, {columns.theirs['date']!r} and {columns.theirs['time']!r}."
    for question in _questions(columns):
        yield (
            f"Open question: {question.example} is read as {question.chosen}, but {question.other} reads all of this file, too. "
            "Check it, or the points are given for another day."
        )
    if columns.times is not None and columns.times.kind == "date" and columns.date is None:
        yield f"{columns.theirs['time']!r} has dates only: every sale is taken to be at midnight."
    for forms in (columns.date, columns.times):
        if forms is not None and forms.read < forms.values:
            yield f"{forms.values - forms.read:,} of {forms.values:,} times are in none of these forms: {', '.join(forms.forms)}."
    if proposal.times != ("rfc3339",):
        yield f"The file does not name its time zone; the mapping says {_ZONE}. Check it."


def _of_numbers(proposal: Proposal) -> Iterator[str]:
    numbers = proposal.columns.numbers
    if numbers.question:
        yield f"Open question: {numbers.question}."
    if numbers.decimal == ",":
        yield "Numbers have a decimal comma."
    if decimals := _amount_decimals(proposal):
        yield f"Amounts have up to {decimals} decimals."


def _of_rows(proposal: Proposal) -> Iterator[str]:
    for status in proposal.statuses:
        if status.setting == "only":
            yield f"Only rows whose {status.name!r} is {_or(status.counted)} count, not {_or(status.skipped) or 'others'}. Check it."
        elif status.setting == "skip":
            yield f"Rows whose {status.name!r} is {_or(status.skipped)} do not count. Check it."
        else:
            yield (
                f"Open question: does a row count whose {status.name!r} is {_or([value or 'empty' for value in status.unsure])}? "
                "Until the mapping says so, the import refuses the file."
            )
    if proposal.no_customer:
        yield f"{_or(proposal.no_customer)} in {proposal.columns.theirs['customer']!r} means that there was no customer."
    if proposal.common_customer:
        yield f"Customer {proposal.common_customer!r} is on very many rows; is it the till's card for everybody?"
    if proposal.return_prefix:
        yield f"Numbers of returns begin with {proposal.return_prefix!r}."
    for name, rows in proposal.scientific.items():
        yield (
            f"{rows:,} rows have numbers such as 6.22848E+15 in {name!r}: a spreadsheet has destroyed them. "
            "Format that column as text and export the file again."
        )


def _of_articles(proposal: Proposal) -> Iterator[str]:
    for category in proposal.categories:
        if category.listed == [EVERYTHING_ELSE]:
            what = "every other article" if len(proposal.categories) > 1 else "every article"
        else:
            what = f"{len(category.seen):,} article{'s' if len(category.seen) != 1 else ''} of this file"
        yield f"Category {category.name} is {what}, at {category.rate} point{'s' if category.rate != '1' else ''} for a unit of currency. Check it."


def _or(texts: Sequence[str]) -> str:
    shown = [repr(text) for text in texts[:_NAMED]]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}" if shown else ""
