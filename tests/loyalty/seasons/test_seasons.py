"""Stations' days, counted again whenever something came, on each database; and what is suggested of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from loyalty.jobs.work import count_station_days
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.kit.ids import earlier, new_id
from loyalty.kit.settings import Settings
from loyalty.seasons.models import StationDay
from loyalty.seasons.repository import StationDayRepository
from tests.loyalty.clock import show
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import DAY, Shop, done, fuel, refused

PATH = "/v1/stations/S17/quiet-weeks"


@pytest.fixture
def shop(programme: Database, shifted: ShiftedClock) -> Shop:
    """A shop on the evening of its sales."""
    show(shifted, datetime(2026, 7, 7, 14, tzinfo=UTC))
    found = Shop(api_on(programme))
    found.open()
    return found


def count(shop: Shop) -> int:
    return count_station_days(Settings(database_url=shop.api.database.url))


def days(shop: Shop) -> Sequence[tuple[date, int, int, int]]:
    with shop.api.database.reading() as session:
        found = StationDayRepository(session).days("S17", date(2020, 1, 1), date(2030, 1, 1))
        return [(one.business_day, one.sales, one.spend_micros, one.points) for one in found]


def test_a_day_is_what_is_left_of_its_sales_however_often_it_is_counted(shop: Shop) -> None:
    customer = shop.customer()
    first = shop.sell(fuel(40), customer=customer)
    shop.sell(fuel(10))  # nobody's, and yet sold
    assert count(shop) == 1
    today = date.fromisoformat(DAY)
    ((day, sales, spend, points),) = days(shop)
    assert (day, sales, spend) == (today, 2, 50 * 8_000_000)
    assert points == sum(award["points"] for award in first["awards"])
    count(shop)
    assert days(shop) == [(day, sales, spend, points)]

    done(shop.give_back(first, (1, 40_000, 320_000_000)))
    late = shop.sale(fuel(5), business_day="2026-07-01", time="2026-07-01T12:00:00+08:00")
    done(shop.send(late))
    count(shop)
    assert days(shop) == [(date(2026, 7, 1), 1, 40_000_000, 0), (today, 1, 80_000_000, 0)]


def test_only_days_of_which_something_came_are_counted_again(shop: Shop) -> None:
    shop.sell(fuel(10))
    count(shop)
    with shop.api.database.session.begin() as session:
        repository = StationDayRepository(session)
        later = earlier(new_id("sal"), -7_200)  # as if two hours had passed
        repository.set_counted({"sales": later, "returns": later})
        repository.keep(StationDay(station_id="S17", business_day=date(2026, 7, 7), sales=9, spend_micros=9, points=9))
    assert count(shop) == 0
    assert [one[1:] for one in days(shop)] == [(9, 9, 9)]


def test_the_lowest_third_is_suggested_with_what_it_costs(shop: Shop) -> None:
    refused(shop.api.get(PATH), 409, "too_little_known")
    with shop.api.database.session.begin() as session:
        repository = StationDayRepository(session)
        for back in range(1, 366):
            day = date(2026, 7, 7) - timedelta(days=back)
            quiet = day.month in (1, 2, 3, 4)
            micros, points = (1_000_000, 100) if quiet else (3_000_000, 300)
            repository.keep(StationDay(station_id="S17", business_day=day, sales=1, spend_micros=micros, points=points))
    found: list[dict[str, Any]] = done(shop.api.get(PATH))["data"]
    assert sum(one["weeks"] for one in found) == 17
    assert all(one["first_day"] >= "2026-12-21" and one["last_day"] < "2027-05-10" for one in found)
    assert all(one["fund_points"] == one["points"] // 2 for one in found)
    assert [one["fund_points"] for one in done(shop.api.get(PATH, coefficient=20_000))["data"]] == [
        one["points"] for one in found
    ]
    refused(shop.api.get(PATH, coefficient=10_000), 422, "validation_failed")
    refused(shop.api.get("/v1/stations/S99/quiet-weeks"), 404, "unknown_station")


def test_what_sorts_before_an_id_is_told_by_its_time() -> None:
    known = new_id("sal")
    assert earlier(known, 1) < earlier(known, 0) <= known < earlier(known, -1)
