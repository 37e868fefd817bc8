"""What Hypothesis draws: sales, customers, rules of every kind, and returns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from loyalty.earning.effects import EFFECTS, Earning
from loyalty.earning.rule_sets import RuleSet
from loyalty.earning.snapshot import Remainder, Snapshot
from loyalty.sales.types import Line, Return, ReturnedLine, Sale, Station, Weather
from tests.loyalty.earning.programmes import SHANGHAI, rule, rule_set, sale

CATEGORIES = ["fuel", "oil", "filter", "snack", ""]
KINDS = {effect.model_fields["kind"].default: effect for effect in EFFECTS}
EARNING = sorted(kind for kind, effect in KINDS.items() if issubclass(effect, Earning))
MULTIPLYING = sorted(KINDS.keys() - set(EARNING))

_RATE = {"points": st.integers(1, 20), "per": st.sampled_from([1, 3, 7, 10])}
_COEFFICIENT = {"coefficient": st.integers(0, 40_000)}

SHAPES: dict[str, dict[str, Any]] = {
    "per_yuan": _RATE,
    "per_litre": _RATE,
    "per_kwh": _RATE,
    "per_piece": _RATE,
    "fixed": {"points": st.integers(1, 100)},
    "by_article": {
        "articles": st.dictionaries(st.sampled_from(["95", "oil", "snack"]), st.integers(1, 50), min_size=1)
    },
    "by_category": {
        "categories": st.dictionaries(
            st.sampled_from(CATEGORIES[:4]), st.fixed_dictionaries(_RATE), min_size=1, max_size=3
        )
    },
    "multiplier": _COEFFICIENT,
    "tier": {"coefficients": st.dictionaries(st.sampled_from(["silver", "gold"]), st.integers(0, 40_000), min_size=1)},
    "value_class": {
        "bands": st.just([{"from_fen": 0, "coefficient": 11_000}, {"from_fen": 20_000, "coefficient": 13_000}])
    },
    "off_peak": _COEFFICIENT | {"from": st.just("22:00"), "until": st.just("06:30")},
    "season": _COEFFICIENT | {"from": st.just("10-01"), "until": st.just("03-31")},
    "weekday": _COEFFICIENT | {"days": st.lists(st.integers(1, 7), min_size=1, max_size=3)},
    "station": _COEFFICIENT | {"stations": st.just(["17"]), "regions": st.just(["south"])},
    "birthday_month": _COEFFICIENT,
    "first_purchase": _COEFFICIENT,
    "pair": _COEFFICIENT | {"first": st.just({"category": "oil"}), "second": st.just({"category": "filter"})},
    "weather": _COEFFICIENT | {"when": st.sampled_from(["rain", "snow", "heat", "frost"])},
}
"""The fields of each kind of effect. A test compares it with the registry."""


def lines() -> st.SearchStrategy[list[Line]]:
    """Lines of one sale."""
    one = st.builds(
        lambda category, quantity, unit, amount: (category, quantity, unit, amount),
        st.sampled_from(CATEGORIES),
        st.integers(0, 60_000),
        st.sampled_from(["l", "kg", "kwh", "piece"]),
        st.integers(0, 500_000_000),
    )
    return st.lists(one, min_size=1, max_size=5).map(
        lambda drawn: [
            Line(number, "95" if category == "fuel" else category or "bag", category, quantity, unit, amount)
            for number, (category, quantity, unit, amount) in enumerate(drawn, 1)
        ]
    )


@st.composite
def sales(draw: st.DrawFn) -> Sale:
    """A sale to Chen, whenever and wherever."""
    time = datetime(2026, 1, 1, tzinfo=SHANGHAI) + timedelta(minutes=draw(st.integers(0, 365 * 24 * 60 - 1)))
    return sale(
        *draw(lines()),
        time=time,
        station=Station(draw(st.sampled_from(["17", "18"])), draw(st.sampled_from(["north", "south", ""]))),
        weather=Weather(draw(st.booleans()), draw(st.booleans()), draw(st.booleans()), draw(st.booleans())),
    )


def customers() -> st.SearchStrategy[Snapshot]:
    """Chen, as anybody may be."""
    return st.builds(
        Snapshot,
        customer=st.just("chen"),
        tier=st.sampled_from(["", "silver", "gold"]),
        tier_coefficient=st.sampled_from([10_000, 15_000]),
        birthday_month=st.integers(0, 12),
        first_purchase=st.booleans(),
        sales_this_month=st.integers(0, 30),
        remainders=st.just(()) | st.fractions(0, Fraction(99, 100)).map(lambda value: (Remainder("rule-0", value),)),
    )


@st.composite
def effects(draw: st.DrawFn, kinds: Sequence[str]) -> dict[str, Any]:
    """An effect of one of these kinds, as JSON."""
    kind = draw(st.sampled_from(kinds))
    return {"kind": kind, **{field: draw(values) for field, values in SHAPES[kind].items()}}


_CONDITIONS = st.sampled_from(
    [
        "true",
        "line.category == 'fuel'",
        "line.amount_fen >= 1000",
        "customer.tier == 'gold'",
        "sale.weekday < 6",
        "weather.rain",
    ]
)
_BUDGETS = st.fixed_dictionaries(
    {"points_per_month": st.integers(1, 500), "when_spent": st.sampled_from(["pay_part", "refuse", "stop"])},
    optional={"points_in_all": st.integers(1, 900)},
)


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    """A rule set of some rules of every kind."""
    earning = draw(st.lists(effects(EARNING), min_size=1, max_size=3))
    multiplying = draw(st.lists(effects(MULTIPLYING), max_size=4))
    rules = []
    for effect in earning:
        more: dict[str, Any] = {"carry": effect["kind"] != "fixed" and draw(st.booleans())}
        if draw(st.booleans()):
            more["cap"] = draw(st.integers(1, 400))
        if draw(st.booleans()):
            more["budget"] = draw(_BUDGETS)
        rules.append(rule(f"rule-{len(rules)}", effect, condition=draw(_CONDITIONS), **more))
    rules += [
        rule(f"rule-{at}", effect, condition=draw(_CONDITIONS)) for at, effect in enumerate(multiplying, len(rules))
    ]
    stacking: dict[str, Any] = {"method": draw(st.sampled_from(["add", "multiply", "highest"]))}
    if draw(st.booleans()):
        stacking["ceiling"] = draw(st.integers(10_000, 50_000))
    return rule_set(*rules, stacking=stacking)


@st.composite
def returns_of(draw: st.DrawFn, bought: Sale) -> list[Return]:
    """Returns that bring the whole sale back, in some steps and some order."""
    steps: list[list[ReturnedLine]] = [[] for _ in range(draw(st.integers(1, 4)))]
    for line in bought.lines:
        cuts = sorted(draw(st.lists(st.integers(0, line.quantity_milli), max_size=len(steps) - 1)))
        ends = [*cuts, line.quantity_milli]
        for step, (start, end) in zip(steps, zip([0, *cuts], ends, strict=True), strict=False):
            part = line.amount_micros * (end - start) // (line.quantity_milli or 1) if end < line.quantity_milli else 0
            step.append(ReturnedLine(line.number, end - start, part))
        if not line.quantity_milli:
            steps[0][-1] = ReturnedLine(line.number, 0, line.amount_micros)
    order = draw(st.permutations([step for step in steps if step]))
    return [
        Return(bought.station, bought.number, f"R{number}", bought.business_day, tuple(step))
        for number, step in enumerate(order)
    ]
