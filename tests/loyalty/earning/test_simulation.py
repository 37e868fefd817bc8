"""Rule sets that are tried on recorded sales: real ones of a supermarket, and small ones that a person can add up."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest

from loyalty.earning.evaluation import evaluate
from loyalty.earning.rule_sets import RuleSet
from loyalty.earning.simulation import Change, Totals, simulate
from loyalty.earning.snapshot import Remainder, Snapshot
from loyalty.sales.types import Sale
from scripts.bench.supermarket import recorded_sales
from tests.loyalty.earning.programmes import SHANGHAI, SUMMER, customer, fuel, line, rule, rule_set, sale
from tests.loyalty.earning.recorded import TWENTY

YUAN = {"kind": "per_yuan", "points": 1}
LIVE = rule_set(rule("yuan", YUAN))
FUEL = rule_set(
    rule("litre", {"kind": "per_litre", "points": 5}), rule("snacks", YUAN, condition="line.category == 'snack'")
)

VISITS = [
    (sale(fuel("40", "300"), customer="chen"), customer("chen")),
    (sale(line(1, "snack", "20"), customer="wang"), customer("wang")),
    (sale(line(1, "oil", "150"), customer="wang"), customer("wang")),
    (sale(fuel("10", "20"), customer="zhou"), customer("zhou")),
]


def test_live_and_candidate_are_compared_on_the_same_sales() -> None:
    result = simulate(VISITS, LIVE, FUEL, micros_per_point=8_000)
    assert (result.sales, result.customers) == (4, 3)
    assert result.live == Totals(490, 490 * 8_000, 4, (("yuan", 490),))
    assert result.candidate == Totals(270, 270 * 8_000, 3, (("litre", 250), ("snacks", 20)))


def test_gainers_and_losers_are_named() -> None:
    result = simulate(VISITS, LIVE, FUEL, micros_per_point=8_000)
    assert (result.gaining, result.losing) == (1, 2)
    assert result.gainers == (Change("zhou", 20, 50),)
    assert result.losers == (Change("wang", 170, 20), Change("chen", 300, 200))
    assert simulate(VISITS, LIVE, FUEL, micros_per_point=1, shown=1).losers == (Change("wang", 170, 20),)


def test_a_set_beside_itself_changes_nothing() -> None:
    result = simulate(VISITS, LIVE, LIVE, micros_per_point=8_000)
    assert result.live == result.candidate
    assert (result.gaining, result.losing, result.gainers, result.losers) == (0, 0, (), ())


def test_nothing_recorded_earns_nothing() -> None:
    assert simulate([], LIVE, FUEL, micros_per_point=8_000).candidate == Totals(0, 0, 0, ())


def test_each_set_carries_its_own_remainders() -> None:
    carrying = rule_set(rule("yuan", YUAN, carry=True))
    visits = [(sale(line(1, "snack", "0.40"), customer=name), customer(name)) for name in ["chen", "wang"] * 5]
    result = simulate(visits, LIVE, carrying, micros_per_point=1)
    assert (result.live.points, result.candidate.points) == (0, 4)


@pytest.mark.parametrize(("when_spent", "points"), [("pay_part", 100), ("refuse", 80), ("stop", 60)])
def test_a_budget_ends_during_a_simulation(when_spent: str, points: int) -> None:
    candidate = rule_set(rule("yuan", YUAN, budget={"points_per_month": 100, "when_spent": when_spent}))
    visits = [(sale(line(1, "snack", yuan)), customer()) for yuan in ["30", "30", "50", "20", "30"]]
    assert simulate(visits, LIVE, candidate, micros_per_point=1).candidate.points == points


def test_what_budgets_had_paid_when_the_sale_was_recorded_does_not_matter() -> None:
    from_a_snapshot = replace(customer(), remainders=(Remainder("yuan", Fraction(9, 10)),))
    candidate = rule_set(rule("yuan", YUAN, carry=True))
    visits = [(sale(line(1, "snack", "0.50")), from_a_snapshot)]
    assert simulate(visits, LIVE, candidate, micros_per_point=1).candidate.points == 0


def test_a_set_that_is_not_in_force_yet_is_tried_all_the_same() -> None:
    later = rule_set(rule("yuan", YUAN), effective={"from": "2027-01-01"})
    assert simulate(VISITS, LIVE, later, micros_per_point=1).candidate.points == 490


def test_next_months_campaign_is_tried_whenever_it_is_valid() -> None:
    campaign = rule_set(rule("yuan", YUAN, period={"from": "2026-12-20"}))
    assert simulate(VISITS, LIVE, campaign, micros_per_point=1).candidate.points == 0
    assert simulate(VISITS, LIVE, campaign, micros_per_point=1, whenever=True).candidate.points == 490


def many(visits: int) -> Iterator[tuple[Sale, Snapshot]]:
    """Sales of as many customers, made when they are asked for."""
    for number in range(visits):
        name = f"customer-{number}"
        time = SUMMER.astimezone(SHANGHAI) + timedelta(seconds=number)
        yield sale(line(1, "snack", "0.50"), customer=name, time=time), customer(name)


def test_memory_does_not_grow_with_the_sales() -> None:
    carrying = rule_set(rule("yuan", YUAN, carry=True))

    def peak(visits: Iterable[tuple[Sale, Snapshot]]) -> int:
        tracemalloc.start()
        try:
            simulate(visits, LIVE, carrying, micros_per_point=1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few = peak(many(100)) + 200_000  # what is remembered of conditions, dates and zones
    assert peak(many(1_000)) < few
    tracemalloc.start()
    kept = list(many(1_000))
    assert tracemalloc.get_traced_memory()[0] > few, "the sales themselves would not be noticed"
    tracemalloc.stop()
    assert kept


# --- real sales -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def supermarket() -> list[tuple[Sale, Snapshot]]:
    """All baskets of two days."""
    return list(recorded_sales(date(2017, 7, 1), date(2017, 7, 2)))


def test_real_sales_are_read_whole(supermarket: list[tuple[Sale, Snapshot]]) -> None:
    assert len(supermarket) > 500
    assert sum(len(bought.lines) for bought, _ in supermarket) > 5_000
    assert {bought.local_time.date() for bought, _ in supermarket} == {date(2017, 7, 1), date(2017, 7, 2)}


def test_twenty_rules_award_points_for_real_sales(supermarket: list[tuple[Sale, Snapshot]]) -> None:
    assert len(TWENTY.rules) == 20
    awarded = {award.rule for bought, who in supermarket for award in evaluate(bought, who, TWENTY) if award.points}
    assert awarded == {rule.id for rule in TWENTY.earning}


def test_a_programme_is_simulated_on_real_sales(supermarket: list[tuple[Sale, Snapshot]]) -> None:
    plain = rule_set(rule("yuan", YUAN, carry=True), time_zone="America/New_York")
    result = simulate(supermarket, plain, TWENTY, micros_per_point=10_000)
    spent = sum(bought.amount_micros for bought, _ in supermarket)
    assert spent - result.customers * 1_000_000 < result.live.points * 1_000_000 <= spent
    assert result.candidate.points > result.live.points
    assert result.candidate.cost_micros == result.candidate.points * 10_000
    assert result.gaining > result.losing == 0
    assert dict(result.candidate.by_rule)["sunday"] <= 5_000


def test_a_simulation_awards_what_evaluation_does(supermarket: list[tuple[Sale, Snapshot]]) -> None:
    rules = RuleSet.model_validate_json(LIVE.model_dump_json())
    visits = supermarket[:100]
    alone = sum(award.points for bought, who in visits for award in evaluate(bought, who, replaced(rules)))
    assert simulate(visits, rules, rules, micros_per_point=1).live.points == alone


def replaced(rules: RuleSet) -> RuleSet:
    """The same rules, in force in 2017."""
    return rules.model_copy(update={"effective": TWENTY.effective})
