"""Sales and returns: what can't be is refused with the name of its field."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from loyalty.sales.types import InvalidField, Line, Return, ReturnedLine, Sale, Station, Weather
from tests.loyalty.earning.programmes import SHANGHAI, fuel, line, sale

SALE = sale(fuel("40", "300", 2), line(1, "snack", "3"))
RETURN = Return(Station("17"), "4711", "R1", date(2026, 7, 8), (ReturnedLine(1, 1_000, 3_000_000),))


def test_lines_stand_in_the_order_of_their_numbers() -> None:
    assert [line.number for line in SALE.lines] == [1, 2]
    assert replace(SALE, lines=tuple(reversed(SALE.lines))) == SALE


def test_a_sale_is_told_in_the_stations_time() -> None:
    night = replace(SALE, time=datetime(2026, 7, 7, 18, 30, tzinfo=UTC))
    assert night.local_time == datetime(2026, 7, 8, 2, 30, tzinfo=SHANGHAI)
    assert night.local_time.day == 8


def test_a_sale_adds_up_its_lines() -> None:
    assert SALE.amount_micros == 303_000_000


def test_a_sale_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        SALE.number = "4712"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("number", "", "number must not be empty"),
        ("number", 4711, "number must be a text, not 4711"),
        ("number", "4" * 201, "number must have at most 200 characters, not 201"),
        ("number", "47\n11", "number must have printable characters only"),
        ("till", None, "till must be a text"),
        ("customer", 5, "customer must be a text"),
        ("station", "17", "station must be a Station"),
        ("weather", "rain", "weather must be a Weather"),
        ("business_day", datetime(2026, 7, 7, tzinfo=UTC), "business_day must be a date"),
        ("time", "noon", "time must be a datetime"),
        ("time", datetime(2026, 7, 7), "time must have an offset from UTC"),  # noqa: DTZ001 (that is what is refused)
        ("time_zone", UTC, "time_zone must be a ZoneInfo"),
        ("lines", (), "lines must be from 1 to 1000, not 0"),
        ("lines", [fuel("1", "1")], "lines must be a tuple"),
        ("lines", ("fuel",), "lines must be a Line"),
        ("lines", (fuel("1", "1"), fuel("2", "2")), "lines must have different numbers: 1 is there twice"),
    ],
)
def test_a_wrong_field_of_a_sale_is_named(field: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidField, match=message) as refused:
        replace(SALE, **{field: value})
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("number", 0, "must be from 1 to"),
        ("number", True, "must be a whole number, not True"),
        ("article", "", "must not be empty"),
        ("category", None, "must be a text"),
        ("quantity_milli", 40.0, "must be a whole number, not 40.0"),
        ("quantity_milli", -1, "must be from 0 to"),
        ("quantity_milli", 10**12 + 1, "must be from 0 to"),
        ("unit", "gallon", "must be one of l, kg, kwh, piece, not 'gallon'"),
        ("amount_micros", 99.5, "must be a whole number, not 99.5"),
        ("amount_micros", -1, "must be from 0 to"),
    ],
)
def test_a_wrong_field_of_a_line_is_named(field: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidField, match=message) as refused:
        replace(fuel("40", "300"), **{field: value})
    assert refused.value.field == f"line.{field}"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Station(""), "station.id"),
        (lambda: Station("17", None), "station.region"),  # type: ignore[arg-type]
        (lambda: Weather(rain=1), "weather.rain"),  # type: ignore[arg-type]
        (lambda: replace(RETURN, sale=""), "sale"),
        (lambda: replace(RETURN, number=""), "number"),
        (lambda: replace(RETURN, station="17"), "station"),  # type: ignore[arg-type]
        (lambda: replace(RETURN, business_day="today"), "business_day"),  # type: ignore[arg-type]
        (lambda: replace(RETURN, lines=(fuel("1", "1"),)), "lines"),  # type: ignore[arg-type]
        (lambda: ReturnedLine(1, 1.5, 0), "line.quantity_milli"),  # type: ignore[arg-type]
        (lambda: ReturnedLine(1, 0, -1), "line.amount_micros"),
        (lambda: ReturnedLine(0, 0, 0), "line.number"),
    ],
)
def test_a_wrong_field_elsewhere_is_named(make: Any, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        make()
    assert refused.value.field == field


def test_types_are_values() -> None:
    assert hash(SALE) == hash(replace(SALE))
    assert isinstance(SALE, Sale)
    assert isinstance(SALE.lines[0], Line)
