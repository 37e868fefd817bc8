"""When a row was written: forms of times, Excel's serial days, and hours that a clock change skips or repeats."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Generic, TypeVar

from tongdui._canonical import canonical

from ._cells import BadCellError, Cells, some_of
from ._mapping import EXCEL, RFC3339, TillMapping

R = TypeVar("R")

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)
"""What a date cell of a workbook is read as, whatever the mapping's forms are."""
_MIDNIGHT = "T00:00:00"
_MIDNIGHT_CLOCK = datetime.min.time()
_SERIAL = re.compile(r"(\d{5})(?:[.,](\d{1,15}))?", re.ASCII)
_SERIAL_DAY_AND_TIME = re.compile(r"(\d{5})(?:[.,]0*)? 0?[.,](\d{1,15})", re.ASCII)
_SECONDS_A_DAY = 86_400

_DATE_CODES = frozenset("YymdBbjaAUWxGuV")
_CLOCK_CODES = frozenset("HIMSfpX")
_COMPACT = {"%Y%m%d%H%M%S": 14, "%Y%m%d%H%M": 12, "%Y%m%d %H%M%S": 15, "%Y%m%d %H%M": 13}
"""Forms whose numbers touch, with their length: a shorter text could be read in two ways."""
_YEARS = range(1970, 9999)

_LEAST_STEP_BACK = timedelta(minutes=10)
"""Rows that are written a little out of order do not show that the clocks went back."""


@dataclass(frozen=True, slots=True)
class TwoTimes:
    """A time on the till's clock that exists twice, because the clocks went back."""

    local: datetime
    first: datetime
    second: datetime


class _Parsed(dict[str, "datetime | None"]):
    """Remembers what texts mean in one strptime form; None for those that are not in the form."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def __missing__(self, text: str) -> datetime | None:
        if len(self) > _SECONDS_A_DAY:
            self.clear()
        try:
            value = datetime.strptime(text, self._form)  # noqa: DTZ007 - without a zone of its own it is in the till's
        except ValueError:
            value = None
        self[text] = value
        return value


class _Form:
    """One strptime form, split into day and clock where that is possible: a file has few days, and each is read once."""

    def __init__(self, form: str) -> None:
        self._length = _COMPACT.get(form)
        words = form.split() if self._length is None else [form[:6], form[6:].strip()]
        clock = next((n for n, word in enumerate(words) if _codes(word) & _CLOCK_CODES), len(words))
        day_form, clock_form = " ".join(words[:clock]), " ".join(words[clock:])
        self._is_split = _codes(day_form) <= _DATE_CODES and _codes(clock_form) <= _CLOCK_CODES
        self._words, self._day_words = len(words), clock
        self._days, self._clocks, self._whole = _Parsed(day_form), _Parsed(clock_form), _Parsed(form)

    def read(self, text: str) -> datetime | None:
        """The time that a text names in this form, on the till's clock unless the form has a zone of its own."""
        if not self._is_split:
            return self._whole[text]
        if self._length is not None:
            day, clock = text[:8], text[8:].strip() if len(text) == self._length else "?"
        else:
            words = text.split()
            if len(words) != self._words:
                return None
            day, clock = " ".join(words[: self._day_words]), " ".join(words[self._day_words :])
        on, at = self._days[day], self._clocks[clock]
        return None if on is None or at is None else datetime.combine(on, at.time())


def _codes(form: str) -> set[str]:
    """The letters of a form's directives."""
    return set(re.findall(r"%(.)", form)) - {"%"}


class TimeReader:
    """Reads times of one file as a mapping says that they are written.

    A cell is a text, or a pair of texts where date and time stand in two columns.
    """

    def __init__(self, mapping: TillMapping, serial_epoch: date) -> None:
        self._serial_epoch = datetime.combine(serial_epoch, _MIDNIGHT_CLOCK)
        self._zone = mapping.zone
        self._forms = {form: _Form(form) for form in mapping.times if form not in {RFC3339, EXCEL}}
        self._names = mapping.times
        self._even_days: Cells[date, datetime | None] = Cells(self._even_day)

    def read(self, cell: str | tuple[str, str]) -> datetime | TwoTimes:
        """The moment that a cell names, in UTC.

        Args:
            cell: The cell, or those of date and time.

        Returns:
            The moment; both moments if the clocks went back and the time exists twice.

        Raises:
            BadCellError: The cell names no time, or one that does not exist.
        """
        for text in _texts(cell):
            if (found := self._named(text)) is not None:
                return self._moment(found)
        if not isinstance(cell, str) and cell[1].strip() and not cell[0].strip():
            raise BadCellError("is missing", column="date")
        text = cell if isinstance(cell, str) else " ".join(cell) if cell[1].strip() else ""
        expected = some_of([_EXPECTED.get(form, form) for form in self._names])
        raise BadCellError(f"is not a time in the form {expected}" if text.strip() else "is missing", text.strip())

    def _named(self, text: str) -> datetime | None:
        """The time that a text names: on the till's clock, unless the text names a zone."""
        for form in ("", *self._names):
            found = self._in_form(text, form)
            if found is not None:
                return found if found.year in _YEARS else None
        return None

    def _in_form(self, text: str, form: str) -> datetime | None:
        """The time that a text names in one form; the form without a name is that of a workbook's date cells."""
        if not form:
            return _iso(text) if _LOCAL.fullmatch(text) else None
        if form == RFC3339:
            return _iso(text.upper()) if _RFC3339.fullmatch(text) else None
        return self._serial(text) if form == EXCEL else self._forms[form].read(text)

    def _serial(self, text: str) -> datetime | None:
        """The time of a serial day, such as 46127.33449, exactly to the second."""
        found = _SERIAL.fullmatch(text) or _SERIAL_DAY_AND_TIME.fullmatch(text)
        if not found:
            return None
        digits = found[2] or "0"
        scale = 10 ** len(digits)
        seconds = (2 * int(digits) * _SECONDS_A_DAY + scale) // (2 * scale)  # rounded to the nearest
        return self._serial_epoch + timedelta(days=int(found[1]), seconds=seconds)

    def _moment(self, found: datetime) -> datetime | TwoTimes:
        if found.tzinfo is not None:
            return found.astimezone(UTC)
        midnight = self._even_days[found.date()]
        if isinstance(midnight, datetime):
            return midnight + (found - datetime.combine(found, _MIDNIGHT_CLOCK))
        return self._on_uneven_day(found)

    def _even_day(self, day: date) -> datetime | None:
        """Midnight of a day whose clocks do not change, in UTC, or None."""
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - gets its zone here
        ends = [midnight, midnight + timedelta(days=1)]
        offsets = {end.replace(tzinfo=self._zone, fold=fold).utcoffset() for end in ends for fold in (0, 1)}
        return midnight.replace(tzinfo=self._zone).astimezone(UTC) if len(offsets) == 1 else None

    def _on_uneven_day(self, local: datetime) -> datetime | TwoTimes:
        first, second = (local.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first.astimezone(self._zone).replace(tzinfo=None, fold=0) != local:
            reason = f"does not exist in {self._zone.key}: the clocks were put forward over it"
            raise BadCellError(reason, str(local), local)
        return first if first == second else TwoTimes(local, first, second)


_EXPECTED = {RFC3339: "RFC 3339", EXCEL: "of Excel's serial days"}


def _texts(cell: str | tuple[str, str]) -> Iterable[str]:
    """The texts in which a cell may name a time, the most likely first."""
    if isinstance(cell, str):
        return (canonical(cell),)
    day, clock = canonical(cell[0]), canonical(cell[1])
    if day.endswith(_MIDNIGHT):  # a date cell of a workbook
        day = day.removesuffix(_MIDNIGHT)
        return (f"{day}T{clock}", f"{day} {clock}", clock)
    return (f"{day} {clock}", clock) if day and clock else (day or clock,)


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@dataclass(slots=True)
class _Group(Generic[R]):
    """Rows of one till that follow each other in the file and whose times exist twice."""

    before: datetime | None
    rows: list[tuple[R, TwoTimes]] = field(default_factory=list)


class FileOrder(Generic[R]):
    """Tells which of two equal hours rows belong to, from the order in which their till wrote them.

    A till writes its rows one after another. Where its clock goes back in between, the rows before are of the first hour and
    the rows after of the second. Where it does not, or more than once, or where the rows around them are not in order of
    time, the order decides nothing.
    """

    def __init__(self) -> None:
        self._last: dict[str, datetime] = {}
        self._open: dict[str, _Group[R]] = {}

    def is_undecided(self, tills: Iterable[str]) -> bool:
        """Whether rows of one of these tills wait for the next row."""
        return bool(self._open) and not self._open.keys().isdisjoint(tills)

    def pass_by(self, tills: Iterable[str], times: Iterable[datetime]) -> None:
        """Take note of rows whose times are sure."""
        self._last.update(zip(tills, times, strict=False))

    def wait(self, till: str, row: R, times: TwoTimes) -> None:
        """Keep a row whose time exists twice."""
        self._open.setdefault(till, _Group(self._last.get(till))).rows.append((row, times))

    def decide(self, till: str, after: datetime | None) -> list[tuple[R, TwoTimes, datetime | None]]:
        """Decide about the rows of a till that wait.

        Args:
            till: The till.
            after: The time of its next row; None at the end of the file.

        Returns:
            The rows with the time of each, or with None if the file's order does not decide.
        """
        group = self._open.pop(till, None)
        if group is None:
            return []
        back = _step_back(group, after)
        return [
            (row, times, None if back is None else times.first if place < back else times.second)
            for place, (row, times) in enumerate(group.rows)
        ]

    def rest(self) -> list[tuple[R, TwoTimes, datetime | None]]:
        """Decide about all rows that wait at the end of the file."""
        return [found for till in list(self._open) for found in self.decide(till, None)]


def _step_back(group: _Group[R], after: datetime | None) -> int | None:
    """The place of the first row after the clocks went back, or None if the rows do not show it."""
    times = [times for _, times in group.rows]
    steps = [later.local - earlier.local for earlier, later in pairwise(times)]
    back = [place for place, step in enumerate(steps, start=1) if step < timedelta(0)]
    if len(back) != 1 or -steps[back[0] - 1] < _LEAST_STEP_BACK or max(steps) > _LONGEST_HOUR:
        return None
    if (group.before and group.before > times[0].first) or (after and after < times[-1].second):
        return None
    return back[0]


_LONGEST_HOUR = timedelta(hours=3)
"""No clock change repeats more than that."""
