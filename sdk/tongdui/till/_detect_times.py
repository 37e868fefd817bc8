"""Finds the forms in which a column writes times: dates, clocks, or both; and asks where day and month could be either."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["moment", "date", "clock"]

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_SERIAL = re.compile(r"(\d{5})(\.\d+)?", re.ASCII)
_DAY_PART = re.compile(r"0?\.\d{3,}|0|1\.0+", re.ASCII)
_SERIAL_DAYS = range(25_569, 73_051)
"""Serial days of Excel from 1970 to 2099."""

_DATE = re.compile(
    r"(?P<ymd>(?P<y1>\d{4})(?P<s1>[-/.])(?P<m1>\d{1,2})(?P=s1)(?P<d1>\d{1,2}))"
    r"|(?P<chinese>(?P<y2>\d{4})年(?P<m2>\d{1,2})月(?P<d2>\d{1,2})日)"
    r"|(?P<month>(?P<d4>\d{1,2})(?P<s4>[- /])(?P<name>[A-Za-z]{3,9})(?P=s4)(?P<y4>\d{4}|\d{2}))"
    r"|(?P<open>(?P<a>\d{1,2})(?P<s3>[-/.])(?P<b>\d{1,2})(?P=s3)(?P<c>\d{4}|\d{2}))"
    r"|(?P<packed>(?P<y5>(?:19|20)\d\d)(?P<m5>\d\d)(?P<d5>\d\d))",
    re.ASCII,
)
_CLOCKS = (
    (re.compile(r"(\d{1,2}):(\d\d):(\d\d)", re.ASCII), "%H:%M:%S"),
    (re.compile(r"(\d{1,2}):(\d\d)", re.ASCII), "%H:%M"),
    (re.compile(r"(\d{1,2}):(\d\d):(\d\d)\.\d{1,6}", re.ASCII), "%H:%M:%S.%f"),
    (re.compile(r"(\d{1,2}):(\d\d):(\d\d) [AaPp][Mm]", re.ASCII), "%I:%M:%S %p"),
    (re.compile(r"(\d{1,2}):(\d\d) [AaPp][Mm]", re.ASCII), "%I:%M %p"),
    (re.compile(r"(\d{1,2}):(\d\d):(\d\d)[AaPp][Mm]", re.ASCII), "%I:%M:%S%p"),
    (re.compile(r"(\d{1,2}):(\d\d)[AaPp][Mm]", re.ASCII), "%I:%M%p"),
    (re.compile(r"(\d{1,2})时(\d{1,2})分(\d{1,2})秒", re.ASCII), "%H时%M分%S秒"),
    (re.compile(r"(\d{1,2})时(\d{1,2})分", re.ASCII), "%H时%M分"),
    (re.compile(r"(\d{1,2})\.(\d\d)\.(\d\d)", re.ASCII), "%H.%M.%S"),
    (re.compile(r"(\d\d)(\d\d)(\d\d)", re.ASCII), "%H%M%S"),
    (re.compile(r"(\d\d)(\d\d)", re.ASCII), "%H%M"),
)
_MIDNIGHT = re.compile(r"0{1,2}:00(?::00)?", re.ASCII)
_MARKED = re.compile(r"[-/:.年时]")
_NO_DAY = ("1899-12-30", "1899-12-31", "1900-01-00", "1900-01-01", "1900/1/0", "1900/1/1", "1899/12/30", "1904-01-01")
"""The days that spreadsheets put before a time of day."""

_WHOLE = "whole"
"""What follows the date in a form that cannot be taken apart."""
_FEW, _SEVERAL = 0.001, 0.2
"""Which part of the values of the most frequent form another form needs."""


@dataclass(frozen=True, slots=True)
class Question:
    """Two forms that read every value: `chosen` is proposed, and a person must say whether it is right."""

    chosen: str
    other: str
    example: str


@dataclass(frozen=True, slots=True)
class TimeForms:
    """How a column writes times.

    Attributes:
        kind: Whether its values are moments, dates, or times of day.
        forms: The forms, the most frequent first, as [till] times has them.
        questions: Orders of day and month that the values do not decide.
    """

    kind: Kind
    forms: tuple[str, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One value taken apart: the dates it could be in, one form each, and the form of what follows."""

    dates: tuple[str, ...]
    """The forms of this shape, whether they read this value or not."""
    valid: tuple[tuple[str, int], ...]
    """The forms that read it, each with the day it means, as a number that grows."""
    rest: str
    padded: bool
    midnight: str = ""
    """What follows the date as it is, if that is midnight."""

    @property
    def kind(self) -> Kind:
        if not self.dates:
            return "clock"
        return "date" if not self.rest else "moment"


def detect_times(values: Iterable[str], *, named: bool = False) -> TimeForms | None:
    """Find the forms of a column's times.

    Args:
        values: The column's values, in the file's order. Empty ones are not counted.
        named: Whether the column's name says that it holds times. Only then are bare digits read as Excel's serial days, or as
            dates and clocks without separators: a sale number looks the same.

    Returns:
        The forms, or None when most values are no times.
    """
    texts = [text for text in values if text]
    seen = [
        (text, part)
        for text, times in Counter(texts).items()
        if (part := _taken_apart(text, named))
        for _ in range(times)
    ]
    if not texts or len(seen) * 2 < len(texts):
        return None
    kind = Counter(part.kind for _, part in seen).most_common(1)[0][0]
    seen = [(text, part) for text, part in seen if part.kind == kind]
    at_midnight = kind == "moment" and all(part.midnight for _, part in seen)
    if at_midnight:  # a spreadsheet writes a date as the moment at which it begins
        kind = "date"
    chosen, questions = _orders(seen)
    forms: Counter[str] = Counter()
    for _, part in seen:
        date = chosen.get(part.dates, "")
        if not part.dates or any(form == date for form, _ in part.valid):
            rest = "" if part.rest == _WHOLE else _literal(part.midnight) if at_midnight else part.rest
            forms[date + rest] += 1
    kept = [form for form, times in forms.most_common() if times >= _least(form, forms)]
    return TimeForms(kind, tuple(kept), questions)


def _least(form: str, forms: Counter[str]) -> float:
    """On how many values a form must be to be one, and no mistake. Where day and month may be confused, many."""
    is_sure = form.startswith(("%Y", "rfc3339", "excel")) or not form.startswith("%")
    return (_FEW if is_sure else _SEVERAL) * max(forms.values())


# ---------------------------------------------------------------- one value


def _taken_apart(text: str, named: bool) -> _Seen | None:
    if _RFC3339.fullmatch(text):
        return _Seen(("rfc3339",), (("rfc3339", 0),), _WHOLE, True)
    if not named and not _MARKED.search(text):
        return None
    if named and (found := _as_serial(text)):
        return found
    for day in _NO_DAY:
        if text.startswith(day) and (clock := _clock(text[len(day) :].strip())):
            return _Seen((), (), f"{day} {clock}", True)
    found_date = _DATE.match(text)
    if found_date is None:
        clock = _clock(text)
        return _Seen((), (), clock, True) if clock else None
    return _with_date(found_date, text[found_date.end() :])


def _as_serial(text: str) -> _Seen | None:
    if _DAY_PART.fullmatch(text):
        return _Seen((), (), "excel", True)
    found = _SERIAL.fullmatch(text)
    if found is None or int(found[1]) not in _SERIAL_DAYS:
        return None
    return _Seen(("excel",), (("excel", int(found[1])),), _WHOLE if found[2] else "", True)


def _with_date(found: re.Match[str], tail: str) -> _Seen | None:
    dates = _dates(found)
    stripped = tail.lstrip()
    if not stripped:
        rest = ""
    else:
        joiner = " " if tail[0].isspace() else tail[0] if tail[0] in "Tt_-" else ""
        clock = _clock(stripped if joiner in {" ", ""} else tail[1:])
        if clock is None:
            return None
        rest = joiner + clock
    valid = tuple((form, day) for form, day in dates if day)
    padded = not any(len(group) == 1 for group in (found["a"], found["b"]) if group)
    midnight = tail if _MIDNIGHT.fullmatch(tail[1:].strip()) else ""
    return _Seen(tuple(form for form, _ in dates), valid, rest, padded, midnight) if valid else None


def _literal(midnight: str) -> str:
    """Midnight as a part of a form. The reader takes the one that a workbook's date cells have away."""
    return "" if midnight.startswith("T") else f" {midnight.strip()}"


def _dates(found: re.Match[str]) -> list[tuple[str, int]]:
    """The forms that a date could be in, each with the day that it then means, or 0 where there is no such day."""
    if found["ymd"]:
        separator = found["s1"]
        return [(f"%Y{separator}%m{separator}%d", _day(found["y1"], found["m1"], found["d1"]))]
    if found["chinese"]:
        return [("%Y年%m月%d日", _day(found["y2"], found["m2"], found["d2"]))]
    if found["packed"]:
        return [("%Y%m%d", _day(found["y5"], found["m5"], found["d5"]))]
    if found["month"]:
        separator, name = found["s4"], "%b" if len(found["name"]) == 3 else "%B"
        months = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
        month = found["name"][:3].casefold()
        day = _day(found["y4"], str(months.index(month) + 1), found["d4"]) if month in months else 0
        return [(f"%d{separator}{name}{separator}{_year(found['y4'])}", day)]
    a, b, c, separator = found["a"], found["b"], found["c"], found["s3"]
    forms = [
        (f"%d{separator}%m{separator}{_year(c)}", _day(c, b, a)),
        (f"%m{separator}%d{separator}{_year(c)}", _day(c, a, b)),
    ]
    if len(c) == 2 and len(a) == 2:
        forms.append((f"%y{separator}%m{separator}%d", _day(a, b, c)))
    return forms


def _year(digits: str) -> str:
    return "%Y" if len(digits) == 4 else "%y"


def _day(year: str, month: str, day: str) -> int:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return 0
    full = int(year) if len(year) == 4 else 2000 + int(year)
    return (full * 12 + int(month)) * 31 + int(day)


def _clock(text: str) -> str | None:
    for shape, form in _CLOCKS:
        if (found := shape.fullmatch(text)) is not None:
            hour, minute = int(found[1]), int(found[2])
            second = int(found[3]) if shape.groups > 2 else 0
            top = 12 if "%I" in form else 23
            return form if hour <= top and minute < 60 and second < 60 else None
    return None


# ---------------------------------------------------------------- the order of day and month


def _orders(seen: Sequence[tuple[str, _Seen]]) -> tuple[dict[tuple[str, ...], str], tuple[Question, ...]]:
    """The form of the date for each shape: the one that reads the most values. Several that do are a question."""
    chosen: dict[tuple[str, ...], str] = {}
    questions: list[Question] = []
    shapes: dict[tuple[str, ...], list[tuple[str, _Seen]]] = {}
    for text, part in seen:
        shapes.setdefault(part.dates, []).append((text, part))
    for shape, values in shapes.items():
        if not shape:
            continue
        counts = Counter(form for _, part in values for form, _ in part.valid)
        most = max(counts.values())
        best = [form for form in shape if counts[form] == most]
        form = best[0] if len(best) == 1 else _likeliest(best, values)
        chosen[shape] = form
        if len(best) > 1:
            clock = Counter(part.rest for _, part in values).most_common(1)[0][0]
            questions.extend(Question(form + clock, other + clock, values[0][0]) for other in best if other != form)
    return chosen, tuple(questions)


def _likeliest(forms: Sequence[str], values: Sequence[tuple[str, _Seen]]) -> str:
    """Of forms that all read every value, the one in which the days lie closest together.

    Where that says nothing: American tills write 4/5/2026 and others 04/05/2026, so the month is first without zeros; and
    only a year is likely to come first before a hyphen.
    """
    spans = {}
    for form in forms:
        days = [day for _, part in values for found, day in part.valid if found == form]
        spans[form] = max(days) - min(days)
    closest = [form for form in forms if spans[form] == min(spans.values())]
    unpadded = any(not part.padded for _, part in values)
    separator = closest[0][2]
    first = "%y" if separator == "-" else "%m" if unpadded and separator == "/" else "%d"
    return next((form for form in closest if form.startswith(first)), closest[0])
