"""What amounts and quantities are worth: exact fractions, one rounding down a sale."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongdui.till import PointsRule

DECIMALS = st.decimals(min_value=-(10**9), max_value=10**9, places=3)


def test_rates_are_fractions() -> None:
    rule = PointsRule({"fuel": Fraction(1, 3)}, default="fuel")
    assert [rule.points({"fuel": Decimal(n)}) for n in ("2.99", "3", "-0.01")] == [0, 1, -1]
    with pytest.raises(TypeError, match="Fraction"):
        PointsRule({"fuel": 0.5})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="Fraction"):
        PointsRule({"fuel": Fraction(1)}, per_quantity={"fuel": 0.5})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="below zero"):
        PointsRule({}, per_quantity={"fuel": Fraction(-1)})
    with pytest.raises(ValueError, match="has no rate"):
        PointsRule({"fuel": Fraction(1)}, {"92#": "petrol"})


def test_a_litre_may_be_worth_points() -> None:
    rule = PointsRule({"shop": Fraction(2)}, {"95#": "fuel"}, "shop", per_quantity={"fuel": Fraction(3, 2)})
    assert rule.points({"fuel": Decimal("262.26")}, {"fuel": Decimal("32.10")}) == 48  # 48.15


def test_points_for_litres_and_for_yuan_add_up_before_they_are_rounded() -> None:
    """0.6 for the litres and 0.6 for the yuan are 1, not 0."""
    rule = PointsRule({"fuel": Fraction(1)}, default="fuel", per_quantity={"fuel": Fraction(2)})
    assert rule.points({"fuel": Decimal("0.6")}, {"fuel": Decimal("0.3")}) == 1


def test_a_quantity_is_worth_nothing_where_only_amounts_are() -> None:
    rule = PointsRule({"fuel": Fraction(1)}, default="fuel")
    assert rule.points({"fuel": Decimal(5)}, {"fuel": Decimal(100)}) == 5


@given(DECIMALS, DECIMALS, DECIMALS)
def test_whole_points_are_the_exact_ones_rounded_down(fuel: Decimal, shop: Decimal, litres: Decimal) -> None:
    rule = PointsRule(
        {"fuel": Fraction(1, 3), "shop": Fraction(2)}, default="fuel", per_quantity={"fuel": Fraction(5, 7)}
    )
    exact = Fraction(fuel) / 3 + Fraction(shop) * 2 + Fraction(litres) * Fraction(5, 7)
    amounts, quantities = {"fuel": fuel, "shop": shop}, {"fuel": litres}
    assert rule.exact(amounts, quantities) == exact
    assert rule.points(amounts, quantities) == exact.__floor__()
