"""Conditions that name many values mean the same on each database."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from loyalty.activity.models import CustomerDay
from loyalty.customers.models import Identifier, IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.kit.database import Database
from loyalty.kit.named import are_one_of, is_one_of
from loyalty.sales.models import RecordedReturn
from loyalty.stations.models import Station
from loyalty.stations.service import StationService


@pytest.fixture
def database(programme: Database) -> Database:
    with programme.session.begin() as session:
        for station in ("S" * 20, "S2"):
            StationService(session).keep(station, name=station, region="", time_zone="Asia/Shanghai", actor="test")
        for number in range(3):
            shown = Shown(IdentifierKind.CARD, f"CARD{number}"), Shown(IdentifierKind.PLATE, f"沪A1234{number}")
            customer = CustomerService(session).add(shown, None, actor="test")
            day = date(2026, 7, 1 + number)
            session.add(CustomerDay(customer_id=customer.id, business_day=day))
    return programme


def test_a_column_has_one_of_many_values(database: Database) -> None:
    with database.reading() as session:

        def found(*values: str) -> set[str]:
            return {*session.scalars(select(Station.id).where(is_one_of(session, Station.id, values)))}

        assert found("S2", "S" * 20, "nowhere") == {"S2", "S" * 20}
        assert found(*(f"S{number}" for number in range(2_000))) == {"S2"}
        assert found("S2', 'S", "{S2}", 'S2"', "") == set()
        assert found() == set()


def test_a_value_that_is_too_long_for_the_column_is_not_its_beginning(database: Database) -> None:
    with database.reading() as session:
        assert Station.id.type.length == 20
        assert session.scalars(select(Station).where(is_one_of(session, Station.id, ["S" * 21]))).all() == []
        long = [("S" * 21, date(2026, 7, 1), "1", "1")]
        row = RecordedReturn
        columns = row.station_id, row.business_day, row.till, row.number
        assert session.scalars(select(row).where(are_one_of(session, columns, long))).all() == []


def test_columns_together_have_the_values_of_one_of_many_rows(database: Database) -> None:
    with database.reading() as session:
        rows = [(IdentifierKind.CARD, "CARD0"), (IdentifierKind.PLATE, "沪A12341"), (IdentifierKind.PLATE, "CARD2")]
        named = are_one_of(session, (Identifier.kind, Identifier.value), rows)
        assert {*session.scalars(select(Identifier.value).where(named))} == {"CARD0", "沪A12341"}
        days = session.execute(select(CustomerDay.customer_id, CustomerDay.business_day)).all()
        crossed = [(days[0][0], days[1][1]), (days[1][0], days[1][1])]
        named = are_one_of(session, (CustomerDay.customer_id, CustomerDay.business_day), crossed)
        assert (
            session.execute(select(CustomerDay.customer_id, CustomerDay.business_day).where(named)).all() == days[1:2]
        )
