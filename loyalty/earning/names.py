"""The typed names that a condition may use. A new name is one line in `NAMES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from cel_expr_python import cel

from loyalty.earning.snapshot import Snapshot
from loyalty.sales.types import Line, Sale

FEN = 10_000
"""One fen in micros."""

_TEXTS = cel.Type.List(cel.Type.STRING)


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions and effects see of one sale. What is worked out once a sale is kept here."""

    sale: Sale
    customer: Snapshot
    local_time: datetime
    amount_micros: int

    @classmethod
    def of(cls, sale: Sale, customer: Snapshot) -> Facts:
        """The facts of a sale to this customer."""
        return cls(sale, customer, sale.local_time, sale.amount_micros)


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the sale, its station, its customer or the weather.

    Attributes:
        type: The type that CEL checks.
        says: What it is, for people who write rules.
        of: How it is read from the facts.
    """

    type: Any
    says: str
    of: Callable[[Facts], object]


@dataclass(frozen=True, slots=True)
class LineName:
    """A name of a line. A condition that uses one is asked for each line.

    Attributes:
        type: The type that CEL checks.
        says: What it is, for people who write rules.
        of: How it is read from the line.
    """

    type: Any
    says: str
    of: Callable[[Line], object]


def _categories(facts: Facts) -> tuple[str, ...]:
    return tuple(sorted({line.category for line in facts.sale.lines}))


def _articles(facts: Facts) -> tuple[str, ...]:
    return tuple(sorted({line.article for line in facts.sale.lines}))


_TEXT, _WHOLE, _FLAG = cel.Type.STRING, cel.Type.INT, cel.Type.BOOL

NAMES: dict[str, Name] = {
    "sale.amount_fen": Name(_WHOLE, "what was paid, in whole fen", lambda f: f.amount_micros // FEN),
    "sale.articles": Name(_TEXTS, "the articles of all lines", _articles),
    "sale.categories": Name(_TEXTS, "the categories of all lines", _categories),
    "sale.till": Name(_TEXT, "the till, or ''", lambda f: f.sale.till),
    "sale.business_day": Name(_TEXT, "the business day: '2026-11-27'", lambda f: f.sale.business_day.isoformat()),
    "sale.weekday": Name(_WHOLE, "1 is Monday, 7 is Sunday", lambda f: f.local_time.isoweekday()),
    "sale.local_date.year": Name(_WHOLE, "the year at the station", lambda f: f.local_time.year),
    "sale.local_date.month": Name(_WHOLE, "the month at the station, 1 to 12", lambda f: f.local_time.month),
    "sale.local_date.day": Name(_WHOLE, "the day of the month at the station", lambda f: f.local_time.day),
    "sale.local_time.hour": Name(_WHOLE, "the hour at the station, 0 to 23", lambda f: f.local_time.hour),
    "sale.local_time.minute": Name(_WHOLE, "the minute at the station, 0 to 59", lambda f: f.local_time.minute),
    "station.id": Name(_TEXT, "the station's number", lambda f: f.sale.station.id),
    "station.region": Name(_TEXT, "the station's region, or ''", lambda f: f.sale.station.region),
    "customer.tier": Name(_TEXT, "the customer's tier, or ''", lambda f: f.customer.tier),
    "customer.birthday_month": Name(_WHOLE, "1 to 12, or 0 if not known", lambda f: f.customer.birthday_month),
    "customer.first_purchase": Name(_FLAG, "nothing was bought before", lambda f: f.customer.first_purchase),
    "customer.sales_this_month": Name(_WHOLE, "sales of this month before", lambda f: f.customer.sales_this_month),
    "weather.rain": Name(_FLAG, "it rained", lambda f: f.sale.weather.rain),
    "weather.snow": Name(_FLAG, "it snowed", lambda f: f.sale.weather.snow),
    "weather.heat": Name(_FLAG, "it was hot", lambda f: f.sale.weather.heat),
    "weather.frost": Name(_FLAG, "it froze", lambda f: f.sale.weather.frost),
}

LINE_NAMES: dict[str, LineName] = {
    "line.article": LineName(_TEXT, "the article's code", attrgetter("article")),
    "line.category": LineName(_TEXT, "the article's category, or ''", attrgetter("category")),
    "line.unit": LineName(_TEXT, "'l', 'kg', 'kwh' or 'piece'", attrgetter("unit")),
    "line.quantity_milli": LineName(_WHOLE, "40 litres are 40000", attrgetter("quantity_milli")),
    "line.amount_fen": LineName(_WHOLE, "what was paid, in whole fen", lambda line: line.amount_micros // FEN),
}
