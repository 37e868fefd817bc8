"""A sale and a return as values: frozen, exact, and checked when they are made. No database here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

LARGEST_AMOUNT_MICROS = 10**15
"""The most that a line may cost, in micros: a thousand million."""
LARGEST_QUANTITY_MILLI = 10**12
"""The most that a line may measure, in thousandths of its unit."""
NUMBER = r"^[^\s:~]+$"
"""Of a station and of a till's document: they are parts of the document number in the network."""
LONGEST_NUMBER = 32
"""The most characters of a document's number."""
LONGEST_TILL = 12
"""The most characters of a till."""
LONGEST_TEXT = 200
"""The most characters of a number, a code or a name."""
MOST_LINES = 1_000
"""The most lines of a sale."""

Unit = Literal["l", "kg", "kwh", "piece"]
"""What a line's quantity counts."""

_UNITS = get_args(Unit)


class InvalidField(ValueError):
    """A field has a value that it can't have. The message names both, and says what is right."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message


def check_text(field: str, value: object, *, empty: bool = False) -> None:
    """Refuse what is no printable text of a sensible length."""
    if not isinstance(value, str):
        raise InvalidField(field, f"must be a text, not {value!r}")
    if not value and not empty:
        raise InvalidField(field, "must not be empty")
    if len(value) > LONGEST_TEXT:
        raise InvalidField(field, f"must have at most {LONGEST_TEXT} characters, not {len(value)}")
    if not value.isprintable():
        raise InvalidField(field, f"must have printable characters only, not {value!r}")


def check_whole(field: str, value: object, smallest: int, largest: int) -> None:
    """Refuse what is no whole number within the limits. True is none, and neither is 5.0."""
    if type(value) is not int:
        raise InvalidField(field, f"must be a whole number, not {value!r}")
    if not smallest <= value <= largest:
        raise InvalidField(field, f"must be from {smallest} to {largest}, not {value}")


def check_flags(owner: object, name: str) -> None:
    """Refuse an object that has anything else than True and False in its fields."""
    for field in fields(owner):  # type: ignore[arg-type]
        if type(value := getattr(owner, field.name)) is not bool:
            raise InvalidField(f"{name}.{field.name}", f"must be true or false, not {value!r}")


@dataclass(frozen=True, slots=True)
class Station:
    """Where a sale was.

    Attributes:
        id: The station's own number.
        region: The region that it belongs to, or "".
    """

    id: str
    region: str = ""

    def __post_init__(self) -> None:
        check_text("station.id", self.id)
        check_text("station.region", self.region, empty=True)


@dataclass(frozen=True, slots=True)
class Weather:
    """What the weather was at the station. What nobody reported is False."""

    rain: bool = False
    snow: bool = False
    heat: bool = False
    frost: bool = False

    def __post_init__(self) -> None:
        check_flags(self, "weather")


@dataclass(frozen=True, slots=True)
class Line:
    """One article of a sale, with its discounts taken off.

    Attributes:
        number: The line's number on the receipt.
        article: The article's code.
        category: The article's category.
        quantity_milli: How much, in thousandths of the unit: 40 litres are 40000.
        unit: What the quantity counts.
        amount_micros: What was paid, in micros.
    """

    number: int
    article: str
    category: str
    quantity_milli: int
    unit: Unit
    amount_micros: int

    def __post_init__(self) -> None:
        check_whole("line.number", self.number, 1, 10**9)
        check_text("line.article", self.article)
        check_text("line.category", self.category, empty=True)
        check_whole("line.quantity_milli", self.quantity_milli, 0, LARGEST_QUANTITY_MILLI)
        if self.unit not in _UNITS:
            raise InvalidField("line.unit", f"must be one of {', '.join(_UNITS)}, not {self.unit!r}")
        check_whole("line.amount_micros", self.amount_micros, 0, LARGEST_AMOUNT_MICROS)


@dataclass(frozen=True, slots=True)
class Sale:
    """What a till or a device recorded.

    Attributes:
        station: Where it was.
        number: The number that the till gave it.
        business_day: The day that the station booked it on, which may begin before midnight.
        time: When it was, with an offset from UTC.
        time_zone: The station's time zone: hours, days and months of rules are told in it.
        lines: What was sold. They are kept in the order of their numbers.
        till: The till, or "".
        customer: The customer, or "" where nobody showed a card.
        weather: What the weather was.
    """

    station: Station
    number: str
    business_day: date
    time: datetime
    time_zone: ZoneInfo
    lines: tuple[Line, ...]
    till: str = ""
    customer: str = ""
    weather: Weather = Weather()

    def __post_init__(self) -> None:
        check_text("number", self.number)
        check_text("till", self.till, empty=True)
        check_text("customer", self.customer, empty=True)
        check_type("station", self.station, Station)
        check_type("weather", self.weather, Weather)
        check_type("time_zone", self.time_zone, ZoneInfo)
        check_day("business_day", self.business_day)
        check_type("time", self.time, datetime)
        if self.time.utcoffset() is None:
            raise InvalidField("time", f"must have an offset from UTC, such as +08:00: {self.time.isoformat()}")
        check_lines(self.lines, Line)
        object.__setattr__(self, "lines", tuple(sorted(self.lines, key=_number)))

    @property
    def local_time(self) -> datetime:
        """When the sale was, by the station's clocks."""
        return self.time.astimezone(self.time_zone)

    @property
    def amount_micros(self) -> int:
        """What was paid for all lines."""
        return sum(line.amount_micros for line in self.lines)


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """What came back of one line: a quantity, money, or both.

    Attributes:
        number: The number of the sale's line.
        quantity_milli: How much came back, in thousandths of the line's unit.
        amount_micros: What was paid back, in micros.
    """

    number: int
    quantity_milli: int
    amount_micros: int

    def __post_init__(self) -> None:
        check_whole("line.number", self.number, 1, 10**9)
        check_whole("line.quantity_milli", self.quantity_milli, 0, LARGEST_QUANTITY_MILLI)
        check_whole("line.amount_micros", self.amount_micros, 0, LARGEST_AMOUNT_MICROS)


@dataclass(frozen=True, slots=True)
class Return:
    """What came back of a sale, once. A sale may have several returns.

    Attributes:
        station: The sale's station.
        sale: The number of the sale.
        number: The number that the till gave the return.
        business_day: The day that the station booked the return on.
        lines: What came back, in the order of the lines' numbers.
    """

    station: Station
    sale: str
    number: str
    business_day: date
    lines: tuple[ReturnedLine, ...]

    def __post_init__(self) -> None:
        check_type("station", self.station, Station)
        check_text("sale", self.sale)
        check_text("number", self.number)
        check_day("business_day", self.business_day)
        check_lines(self.lines, ReturnedLine)
        object.__setattr__(self, "lines", tuple(sorted(self.lines, key=_number)))


def check_type(field: str, value: object, wanted: type) -> None:
    """Refuse an object of another type."""
    if not isinstance(value, wanted):
        raise InvalidField(field, f"must be a {wanted.__name__}, not {value!r}")


def check_day(field: str, value: object) -> None:
    """Refuse what is no date. A moment is one to Python, but not here."""
    if type(value) is not date:
        raise InvalidField(field, f"must be a date, not {value!r}")


def check_lines(lines: Iterable[Line | ReturnedLine], wanted: type) -> None:
    """Refuse lines that are none, too many, of another type, or two of one number."""
    if not isinstance(lines, tuple):
        raise InvalidField("lines", f"must be a tuple, not {lines!r}")
    if not 1 <= len(lines) <= MOST_LINES:
        raise InvalidField("lines", f"must be from 1 to {MOST_LINES}, not {len(lines)}")
    seen: set[int] = set()
    for line in lines:
        check_type("lines", line, wanted)
        if line.number in seen:
            raise InvalidField("lines", f"must have different numbers: {line.number} is there twice")
        seen.add(line.number)


def _number(line: Line | ReturnedLine) -> int:
    return line.number
