"""The classic programme of a gas station, to the point and to the word."""

from __future__ import annotations

from datetime import datetime

import pytest

from loyalty.earning.evaluation import evaluate
from loyalty.earning.snapshot import Snapshot
from loyalty.sales.types import Sale
from tests.loyalty.earning.programmes import CLASSIC, SHANGHAI, SUMMER, customer, fuel, line, sale

WINTER = datetime(2026, 12, 8, 9, 0, tzinfo=SHANGHAI)

BRONZE = customer(tier="bronze")
SILVER = customer(tier="silver")
GOLD = customer(tier="gold", birthday_month=7)


@pytest.mark.parametrize(
    ("bought", "who", "awards"),
    [
        pytest.param(sale(line(1, "snack", "12.80")), BRONZE, {"yuan": 12}, id="a point a yuan, rounded down"),
        pytest.param(sale(fuel("40", "300")), BRONZE, {"litre": 200}, id="five points a litre"),
        pytest.param(sale(fuel("38.52", "289")), BRONZE, {"litre": 192}, id="192.6 points are 192"),
        pytest.param(
            sale(fuel("20", "150"), line(2, "snack", "30")), SILVER, {"yuan": 60, "litre": 200}, id="silver twice"
        ),
        pytest.param(sale(fuel("40", "300")), SILVER, {"litre": 300}, id="capped at 300"),
        pytest.param(sale(fuel("20", "150")), GOLD, {"litre": 200}, id="gold double in the birthday month"),
        pytest.param(
            sale(fuel("20", "150"), time=WINTER), GOLD, {"litre": 150}, id="gold in the off-season, no birthday"
        ),
        pytest.param(
            sale(fuel("20", "150")), customer(tier="bronze", birthday_month=7), {"litre": 100}, id="birthday of bronze"
        ),
        pytest.param(sale(fuel("10", "75"), time=WINTER), BRONZE, {"litre": 75}, id="off-season"),
        pytest.param(sale(fuel("10", "75"), time=WINTER), SILVER, {"litre": 150}, id="silver in the off-season"),
        pytest.param(
            sale(line(1, "oil", "200"), line(2, "filter", "50"), line(3, "snack", "10")),
            BRONZE,
            {"yuan": 510},
            id="pair",
        ),
        pytest.param(
            sale(line(1, "oil", "200"), line(3, "snack", "10")), BRONZE, {"yuan": 210}, id="oil without filter"
        ),
        pytest.param(sale(line(1, "air", "0")), BRONZE, {}, id="what costs nothing earns nothing"),
    ],
)
def test_the_classic_programme_awards(bought: Sale, who: Snapshot, awards: dict[str, int]) -> None:
    assert {award.rule: award.points for award in evaluate(bought, who, CLASSIC)} == awards


@pytest.mark.parametrize(
    ("bought", "who", "english", "chinese"),
    [
        (
            sale(fuel("40", "300")),
            SILVER,
            "300 L-points: 40.0 L x 5; x 2 silver; capped at 300",
            "油品积分 300：40.0 升 × 5；× 2 silver；上限 300",
        ),
        (
            sale(fuel("10.01", "75"), time=WINTER),
            SILVER,
            "150 L-points: 10.01 L x 5; x 2 silver; x 1.5 off-season; together x 3; rounded down",
            "油品积分 150：10.01 升 × 5；× 2 silver；× 1.5 淡季；合计 × 3；向下取整",
        ),
        (
            sale(line(1, "oil", "200"), line(2, "filter", "50"), line(3, "snack", "10")),
            BRONZE,
            "510 shop points: 260.00 yuan x 1; x 2 oil with filter (lines 1, 2)",
            "店内积分 510：260.00 元 × 1；× 2 机油配滤芯（第 1, 2 行）",
        ),
        (
            sale(line(1, "oil", "200"), line(2, "filter", "50"), line(3, "snack", "10")),
            SILVER,
            "1020 shop points: 260.00 yuan x 1; x 2 silver; x 2 oil with filter (lines 1, 2); together x 4 (lines 1, 2)",
            "店内积分 1020：260.00 元 × 1；× 2 silver；× 2 机油配滤芯（第 1, 2 行）；合计 × 4（第 1, 2 行）",
        ),
    ],
)
def test_an_award_is_explained_in_words(bought: Sale, who: Snapshot, english: str, chinese: str) -> None:
    (award,) = evaluate(bought, who, CLASSIC)
    assert award.explain("en") == english
    assert award.explain("zh") == chinese


def test_summer_is_no_off_season() -> None:
    (award,) = evaluate(sale(fuel("10", "75"), time=SUMMER), BRONZE, CLASSIC)
    assert award.explain() == "50 L-points: 10.0 L x 5"
