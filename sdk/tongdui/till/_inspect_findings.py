"""Says in sentences what an inspection has found, and what it leaves open."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from ._detect_articles import EVERYTHING_ELSE
from ._inspect_mapping import ZONE, Proposal

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_NAMED = 12
_SAME_CURRENCY = (
    ("¥", "元", "RMB", "CNY", "块"),
    ("€", "EUR"),
    ("$", "USD", "US$"),
    ("£", "GBP"),
    ("HK$", "HKD"),
    ("円", "JPY"),
)


def findings_of(proposal: Proposal) -> Iterator[str]:
    """What was found and what is left open, a sentence each.

    Args:
        proposal: What was found.

    Yields:
        The sentences.
    """
    yield from _of_layout(proposal)
    yield from _of_columns(proposal)
    yield from _of_times(proposal)
    yield from _of_numbers(proposal)
    yield from _of_rows(proposal)
    yield from _of_articles(proposal)


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural where that is right."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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
            yield f"Its first line names the delimiter: {'sep=' + layout.file.delimiter!r}."
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
        if ours in columns.theirs and names:
            yield f"{columns.theirs[ours]!r} is taken for {ours}; {_or(names)} would do as well."
    for name in columns.totals:
        used = columns.theirs.get("amount", "quantity x unit price")
        yield f"{name!r} repeats the total of a sale on each of its rows, so {used} is used for a row's amount."
    if not proposal.layout.rows:
        yield "No row of the file is whole, so the mapping follows from the names of the columns only."
    elif not any(proposal.layout.column(columns.theirs["customer"])):
        yield f"No row names a customer: {columns.theirs['customer']!r} is empty."


def _of_times(proposal: Proposal) -> Iterator[str]:
    columns = proposal.columns
    if columns.times is None:
        yield f"No time in {columns.theirs['time']!r} can be read."
    if columns.date is not None:
        yield f"Date and time are in two columns, {columns.theirs['date']!r} and {columns.theirs['time']!r}."
    for question in proposal.questions:
        yield (
            f"Open question: {question.example} is read as {question.chosen}, but {question.other} reads all of this file, too. "
            "Check it, or the points are given for another day."
        )
    if columns.times is not None and columns.times.kind == "date" and columns.date is None:
        yield f"{columns.theirs['time']!r} has dates only: every sale is taken to be at midnight."
    if proposal.times != ("rfc3339",):
        yield f"The file does not name its time zone; the mapping says {ZONE}. Check it."


def _of_numbers(proposal: Proposal) -> Iterator[str]:
    numbers = proposal.columns.numbers
    if numbers.question:
        yield f"Open question: {numbers.question}."
    if len(set(map(_currency, numbers.currency))) > 1:
        yield (
            f"Open question: amounts are in several currencies, {_or(numbers.currency)}. Points are for amounts in one; leave only "
            "its signs in the mapping, so that rows in others are malformed."
        )
    if numbers.decimal == ",":
        yield "Numbers have a decimal comma."
    if decimals := proposal.amount_decimals:
        yield f"Amounts have up to {decimals} decimals."


def _currency(sign: str) -> str:
    """One name for the signs of a currency."""
    plain = unicodedata.normalize("NFKC", sign).upper()
    return next((signs[0] for signs in _SAME_CURRENCY if plain in signs), plain)


def _of_rows(proposal: Proposal) -> Iterator[str]:
    for status in proposal.statuses:
        if status.setting == "only":
            without = _or(status.skipped) or "others"
            yield f"Only rows whose {status.name!r} is {_or(status.counted)} count, not {without}. Check it."
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
            what = count(len(category.seen), "article") + " of this file"
        points = "1 point" if category.rate == "1" else f"{category.rate} points"
        yield f"Category {category.name} is {what}, at {points} for a unit of currency. Check it."


def _or(texts: Sequence[str]) -> str:
    shown = [repr(text) for text in texts[:_NAMED]]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}" if shown else ""
