"""Rule sets and sales that the tests of earning share."""

from __future__ import annotations

import json
from datetime import date, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.earning.rule_sets import RuleSet, read_rule_set
from loyalty.earning.snapshot import Remainder, Snapshot
from loyalty.sales.types import Line, Sale, Station

SHANGHAI = ZoneInfo("Asia/Shanghai")
SUMMER = datetime(2026, 7, 7, 15, 30, tzinfo=SHANGHAI)
"""A Tuesday."""


def rule(key: str, effect: dict[str, Any], /, **more: Any) -> dict[str, Any]:
    """A rule as JSON."""
    return {"id": key, "name": {"en": key, "zh": key}, "effect": effect, **more}


def rule_set(*rules: dict[str, Any], **more: Any) -> RuleSet:
    """A rule set of these rules, in force since 2026."""
    plain = {
        "id": "club",
        "version": 1,
        "name": {"en": "Club", "zh": "会员"},
        "time_zone": "Asia/Shanghai",
        "effective": {"from": "2026-01-01"},
        "rules": rules,
        **more,
    }
    return read_rule_set(json.dumps(plain))


def line(
    number: int, category: str, yuan: str = "0", quantity: str = "1", unit: Any = "piece", article: str = ""
) -> Line:
    """A line, with amounts as people write them."""
    return Line(
        number=number,
        article=article or category,
        category=category,
        quantity_milli=int(Fraction(quantity) * 1_000),
        unit=unit,
        amount_micros=int(Fraction(yuan) * 1_000_000),
    )


def fuel(litres: str, yuan: str, number: int = 1) -> Line:
    """A line of petrol."""
    return line(number, "fuel", yuan, litres, "l", "95")


def sale(*lines: Line, time: datetime = SUMMER, customer: str = "chen", **more: Any) -> Sale:
    """A sale of these lines."""
    return Sale(
        station=more.pop("station", Station("17", "north")),
        number="4711",
        business_day=more.pop("business_day", date(time.year, time.month, time.day)),
        time=time,
        time_zone=SHANGHAI,
        lines=lines,
        customer=customer,
        **more,
    )


def customer(name: str = "chen", remainders: dict[str, Fraction] | None = None, **more: Any) -> Snapshot:
    """A customer's snapshot."""
    kept = tuple(Remainder(rule, value) for rule, value in (remainders or {}).items())
    return Snapshot(customer=name, remainders=kept, **more)


def named(en: str, zh: str) -> dict[str, str]:
    """A name in both languages."""
    return {"en": en, "zh": zh}


CLASSIC = rule_set(
    rule(
        "yuan",
        {"kind": "per_yuan", "points": 1},
        condition="line.category != 'fuel'",
        name=named("shop points", "店内积分"),
    ),
    rule(
        "litre",
        {"kind": "per_litre", "points": 5},
        condition="line.category == 'fuel'",
        cap=300,
        name=named("L-points", "油品积分"),
    ),
    rule("tier", {"kind": "tier", "coefficients": {"silver": 20_000}}, name=named("tier", "等级")),
    rule(
        "birthday",
        {"kind": "birthday_month", "coefficient": 20_000},
        condition="customer.tier == 'gold'",
        name=named("birthday month", "生日月"),
    ),
    rule(
        "off-season",
        {"kind": "season", "from": "11-01", "until": "02-28", "coefficient": 15_000},
        name=named("off-season", "淡季"),
    ),
    rule(
        "service",
        {"kind": "pair", "first": {"category": "oil"}, "second": {"category": "filter"}, "coefficient": 20_000},
        name=named("oil with filter", "机油配滤芯"),
    ),
)
"""1 point a yuan, 5 a litre, silver 2 times, gold double in the birthday month, off-season 1.5 times, oil with filter double."""
