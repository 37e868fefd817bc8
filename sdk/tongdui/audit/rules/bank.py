"""Deposits and withdrawals beside what the settlement bank says, by the bank's reference: on the chain stands its keccak256."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ...bank import BankFile, BankFileError, BankLine, Columns, Kind, Problem, is_statement, place_in_words, read_file
from ...encoding import hex_of, keccak256
from ..days import day_number, day_text
from ..findings import CannotCheck, Finding, NotChecked, Place
from ..tables import Tables
from ..watching import BlockSeen, EventSeen, Watcher

RULES = {
    "bank.not_on_chain": "all money that came to the settlement account, or left it, is booked on the chain",
    "bank.not_in_statement": "all money that is booked on the chain stands in the bank's statement of that day",
    "bank.amount": "what is booked is as much as the bank says",
    "bank.direction": "what is booked as a deposit came in, and what is booked as a withdrawal went out",
    "bank.day": "money is booked within a few days, and not before the bank has it",
    "bank.twice": "one movement of money at the bank is one booking on the chain",
    "bank.taken_back": "what the bank has taken back, or has not booked, is not booked on the chain",
    "bank.statement": "the lines of a statement lead from its opening balance to its closing one",
}

DAYS_APART = 3
"""How many days the chain may be behind the bank."""
_MOST_NAMED = 5
_KINDS: Mapping[str, Kind] = {"Deposited": "deposit", "Withdrawn": "withdrawal"}
_NO_COLUMNS = Columns(day="", reference="")
_USUAL = (
    (Columns(day="date", reference="reference", amount="amount"), "currency"),
    (Columns(day="Date", reference="Bank reference", incoming="Credit", outgoing="Debit"), "Currency"),
    (Columns(day="交易日期", reference="交易流水号", incoming="贷方发生额", outgoing="借方发生额"), "币种"),
)
"""The plainest table, and those of most English and Chinese banks; and what they call the currency, if they name it."""
USUAL_COLUMNS = tuple(one for columns, currency in _USUAL for one in (replace(columns, currency=currency), columns))
"""Tables that are read without saying what their columns mean. What names its currency is read with it."""
_COLUMN_WORDS = (
    "day, reference, amount (or incoming and outgoing), currency, decimal_sign (. or ,), day_order (ymd, dmy or mdy)"
)


class _Booking(NamedTuple):
    """A deposit or withdrawal on the chain."""

    kind: Kind
    merchant: int
    micros: int
    day: int
    block: int
    transaction: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A file of the bank, with what it is called."""

    name: str
    file: BankFile


_Explained = dict[bytes, tuple[Statement, BankLine]]
"""bankRef -> the first line that gives a booking its reference."""


def columns_of(told: Iterable[str]) -> Columns | None:
    """What the columns of a table mean, from words such as `day=Buchungstag`; None if nothing is said. Raises CannotCheck."""
    words = dict(one.partition("=")[::2] for one in told)
    if not words:
        return None
    known = set(Columns.__dataclass_fields__)
    strange = next((name for name, column in words.items() if name not in known or not column), None)
    if strange is not None:
        raise CannotCheck(
            f"{strange!r} says nothing about a column: write WHAT=NAME, where WHAT is one of {_COLUMN_WORDS}."
        )
    if not {"day", "reference"} <= words.keys() or not words.keys() & {"amount", "incoming", "outgoing"}:
        raise CannotCheck(
            f"A table needs a day, a reference and an amount: say which columns have them ({_COLUMN_WORDS})."
        )
    if "amount" in words and words.keys() & {"incoming", "outgoing"}:
        raise CannotCheck(
            "Name either one column with signs (amount), or those of both directions (incoming, outgoing)."
        )
    choices = {"decimal_sign": (".", ","), "day_order": ("ymd", "dmy", "mdy")}
    for name, possible in choices.items():
        if words.get(name, possible[0]) not in possible:
            raise CannotCheck(f"{name} is one of {' '.join(possible)}, not {words[name]!r}.")
    return Columns(**words)


def read_statement(path: Path, currency: str, columns: Columns | None = None) -> Statement:
    """A file of the bank, with lines in the network's currency. Raises CannotCheck, with what to do."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CannotCheck(f"The bank's file {path} cannot be read: {error.strerror}.") from error
    if not content.strip():
        raise CannotCheck(f"The bank's file {path} is empty: ask the bank for the statement again.")
    file = _file(path, content, currency, columns)
    if not file.lines and file.days is None:
        raise CannotCheck(f"The bank's file {path} has no lines: ask for a statement of the days that are audited.")
    strange = {one.currency for one in file.lines if one.problem == Problem.OTHER_CURRENCY}
    if strange and all(one.problem == Problem.OTHER_CURRENCY for one in file.lines):
        raise CannotCheck(
            f"The bank's file {path} is in {', '.join(sorted(strange))}, and the network settles in {currency}: "
            "hand in the statement of the settlement account, or say which currency the network has."
        )
    return Statement(path.name, file)


def _file(path: Path, content: bytes, currency: str, columns: Columns | None) -> BankFile:
    tried = (_NO_COLUMNS,) if is_statement(content) else USUAL_COLUMNS if columns is None else (columns,)
    for one in tried:
        try:
            return read_file(content, one, currency)
        except BankFileError as error:
            refused = error
            if "missing" not in error.arguments:
                break
    more = f" Say what its columns mean, as WHAT=NAME: {_COLUMN_WORDS}." if "missing" in refused.arguments else ""
    raise CannotCheck(f"The bank's file {path} cannot be read: {refused}{more}") from refused


class Bank(Watcher):
    """Keeps what is booked on the chain, and compares it with the bank's statements at the end."""

    def __init__(self, tables: Tables, statements: Sequence[Statement] = (), *, days_apart: int = DAYS_APART) -> None:
        self._statements = statements
        self._days_apart = days_apart
        self._bookings = tables.table("rule.bank")
        """bankRef -> a `_Booking`."""
        self._open: list[str] = []
        """Lines for which nothing is booked, and may still be."""

    def on_event(self, seen: EventSeen) -> Sequence[Finding]:
        """Takes in deposits and withdrawals."""
        if seen.name in _KINDS:
            merchant, micros, reference = seen.values
            block = seen.block
            row = _Booking(_KINDS[seen.name], merchant, micros, block.day, block.number, seen.transaction)
            self._bookings[reference] = tuple(row)
        return ()

    def at_end(self, block: BlockSeen) -> Sequence[Finding]:
        """Compares the chain with the statements, line by line."""
        explained: _Explained = {}
        found = []
        self._open = []
        for statement in self._statements:
            if not statement.file.adds_up:
                found.append(_wrong_sum(statement))
            for line in statement.file.lines:
                if line.problem != Problem.OTHER_CURRENCY:
                    found += self._compared(statement, line, explained, block.day)
        return [*found, *self._unexplained(explained)]

    def not_checked(self) -> list[NotChecked]:
        """What the statements say nothing about, and what of them is left out."""
        if not self._statements:
            return [NotChecked("deposits and withdrawals", "no statement of the settlement bank was handed in")]
        first, last = self._days()
        beyond = sum(not first <= _Booking(*row).day <= last for _, row in self._bookings.stored())
        strange = [one for _, one in self._lines() if one.problem == Problem.OTHER_CURRENCY]
        found = []
        if beyond:
            days = f"the statements cover {day_text(first)} to {day_text(last)}"
            found.append(NotChecked(f"{beyond} deposits and withdrawals on other days", days))
        if strange:
            found.append(NotChecked(f"{len(strange)} lines of the bank", "they are in another currency"))
        if self._open:
            named = ", ".join(self._open[:_MOST_NAMED]) + (", ..." if len(self._open) > _MOST_NAMED else "")
            what = f"{len(self._open)} lines of the bank that are not booked: {named}"
            why = f"they are later than the audit, or of its last {self._days_apart} days, and may still be booked"
            found.append(NotChecked(what, why))
        return found

    def _lines(self) -> Iterator[tuple[Statement, BankLine]]:
        return ((statement, line) for statement in self._statements for line in statement.file.lines)

    def _days(self) -> tuple[int, int]:
        """The first and the last day of the statements."""
        days = [day_number(line.day) for _, line in self._lines()]
        days += [day_number(day) for one in self._statements if one.file.days is not None for day in one.file.days]
        return min(days), max(days)

    # ---------------------------------------------------------------- one line

    def _compared(self, statement: Statement, line: BankLine, explained: _Explained, end: int) -> Iterator[Finding]:
        """What is wrong about a line; notes the booking that it explains."""
        where = _where(statement, line)
        known = {keccak256(reference.encode()): reference for reference in line.references}
        booked = [reference for reference in known if reference in self._bookings]
        if line.problem in {Problem.NOT_BOOKED_YET, Problem.REVERSAL}:
            yield from self._undone(line, where, booked)
            return
        if not booked and line.micros:
            if day_number(line.day) + self._days_apart >= end:
                self._open.append(f"{line.reference or where} ({_money(line.kind, line.micros, line.currency)})")
            else:
                yield _not_on_chain(line, where)
        for number, reference in enumerate(booked):
            row = _Booking(*self._bookings[reference])
            before = explained.setdefault(reference, (statement, line))
            if before[1] is not line:
                yield from _told_again(row, line, where, before, is_other=before[0] is not statement)
            elif number:
                found = f"{where} is booked as {known[booked[0]]} and again as {known[reference]}"
                yield _finding("bank.twice", row, "a line of the bank is booked once", found)
            else:
                yield from self._differences(line, where, row)

    def _undone(self, line: BankLine, where: str, booked: Sequence[bytes]) -> Iterator[Finding]:
        state = "has taken something back" if line.problem == Problem.REVERSAL else "has not booked it yet"
        for reference in booked:
            row = _Booking(*self._bookings[reference])
            money = _money(line.kind, line.micros, line.currency)
            expected = "the chain has only what the bank has booked for good"
            yield _finding(
                "bank.taken_back", row, expected, f"of {line.reference} ({money}) {where} says that the bank {state}"
            )

    def _differences(self, line: BankLine, where: str, row: _Booking) -> Iterator[Finding]:
        """How a booking differs from its line."""
        said = f"{line.reference}, {where}"
        if row.kind != line.kind:
            yield _finding("bank.direction", row, f"{_direction(line.kind)} ({said})", f"booked as a {row.kind}")
        if row.micros != line.micros:
            expected = f"{_amount(line.micros)} {line.currency} ({said})"
            yield _finding("bank.amount", row, expected, f"booked: {_amount(row.micros)} {line.currency}")
        day = day_number(line.day)
        # A deposit is confirmed when the money is there. A payment may be booked first and made then.
        earliest = day if row.kind == "deposit" else day - self._days_apart
        if not earliest <= row.day <= day + self._days_apart:
            expected = f"booked between {day_text(earliest)} and {day_text(day + self._days_apart)} ({said})"
            yield _finding("bank.day", row, expected, f"booked on {day_text(row.day)}")

    def _unexplained(self, explained: _Explained) -> Iterator[Finding]:
        """What is booked on the statements' days without a line."""
        if not self._statements:
            return
        first, last = self._days()
        names = ", ".join(one.name for one in self._statements)
        rows = ((reference, _Booking(*row)) for reference, row in self._bookings.stored() if reference not in explained)
        for reference, row in sorted(rows, key=lambda one: (one[1].block, one[0])):
            if first <= row.day <= last:
                yield _finding(
                    "bank.not_in_statement",
                    row,
                    f"a line of {_amount(row.micros)} with a reference that hashes to {hex_of(reference)}",
                    f"{names} has none, and covers {day_text(first)} to {day_text(last)}; "
                    f"if the bank booked it before, hand in that statement, too",
                )


def _amount(micros: int) -> str:
    """Micros as a decimal number with at least two decimals."""
    whole, rest = divmod(micros, 1_000_000)
    return f"{whole}.{f'{rest:06}'[:2]}{f'{rest:06}'[2:].rstrip('0')}"


def _direction(kind: Kind) -> str:
    return "money that came in" if kind == "deposit" else "money that went out"


def _money(kind: Kind, micros: int, currency: str) -> str:
    return f"{_amount(micros)} {currency} {'in' if kind == 'deposit' else 'out'}"


def _wrong_sum(statement: Statement) -> Finding:
    return Finding(
        "bank.statement",
        statement.name,
        "opening balance and lines make the closing balance",
        "they do not: lines are missing, or were changed; ask the bank for the statement again",
    )


def _told_again(
    row: _Booking, line: BankLine, where: str, before: tuple[Statement, BankLine], *, is_other: bool
) -> Iterator[Finding]:
    """What is wrong about a reference that stands in two lines: nothing, if two statements cover the same day."""
    first = before[1]
    same = (first.day, first.kind, first.micros, first.references) == (
        line.day,
        line.kind,
        line.micros,
        line.references,
    )
    if not (is_other and same):
        money = _money(line.kind, line.micros, line.currency)
        found = f"{line.reference} ({money}) stands at {where} and at {_where(*before)}, and is booked once"
        yield _finding("bank.twice", row, "the bank gives each movement of money a reference of its own", found)


def _where(statement: Statement, line: BankLine) -> str:
    return f"{place_in_words(line.place)} of {statement.name}"


def _not_on_chain(line: BankLine, where: str) -> Finding:
    named = f"with the reference {line.reference}" if line.references else "without a reference"
    return Finding(
        "bank.not_on_chain",
        where,
        f"a {line.kind} of {_amount(line.micros)} {line.currency} is booked {named}",
        f"nothing is booked for it ({line.day.isoformat()}{', ' + line.name if line.name else ''})",
    )


def _finding(rule: str, row: _Booking, expected: str, found: str) -> Finding:
    return Finding(rule, f"{row.kind} of merchant {row.merchant}", expected, found, Place(row.block, row.transaction))
