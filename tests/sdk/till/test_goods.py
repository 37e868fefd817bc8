"""What was really sold: discounts and coupons are taken off the goods that they belong to, and nothing is lost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sdk.till.test_returns import NOON, row
from tongdui.till import Goods, Row, Sale, goods_of, read_till
from tongdui.till._returns import Return, lines_of


def sale(*rows: Row) -> Sale:
    amount = sum((row.amount for row in rows), Decimal(0))
    return Sale("S", "1", NOON.date(), "FC-1", NOON, rows, amount, 0, "till:S")


def shown(goods: tuple[Goods, ...]) -> list[tuple[str, str, str]]:
    return [(one.article, str(one.quantity), str(one.amount)) for one in goods]


def test_rows_of_an_article_are_added_up_and_cancelled_ones_taken_off() -> None:
    sold = sale(
        row("95#", "38.2", "305.60"), row("Tea", "2", "6.00"), row("Tea", "1", "3.00"), row("Tea", "-1", "-3.00")
    )
    assert shown(goods_of(sold)) == [("95#", "38.2", "305.60"), ("Tea", "2", "6.00")]
    assert [one.line for one in goods_of(sold)] == [sold.rows[0].line, sold.rows[1].line]


@pytest.mark.parametrize(
    ("coupon", "paid"),
    [
        (("Tea", "-1.00"), {"95#": "300.00", "Tea": "5.00", "Milk": "3.00"}),
        (("Nuts", "-3.00"), {"95#": "300.00", "Tea": "4.00", "Milk": "2.00"}),
        (("Tea", "-7.00"), {"95#": "300.00", "Tea": "1.33", "Milk": "0.67"}),
        (("Nuts", "-30.90"), {"95#": "270.00", "Tea": "5.40", "Milk": "2.70"}),
    ],
    ids=["its article", "its category", "more than its article", "all goods"],
)
def test_a_coupon_is_taken_from_what_it_belongs_to(coupon: tuple[str, str], paid: dict[str, str]) -> None:
    sold = sale(
        row("95#", "40", "300.00"), row("Tea", "2", "6.00"), row("Milk", "1", "3.00"), row(coupon[0], "0", coupon[1])
    )
    found = {one.article: one.amount for one in goods_of(sold)}
    assert sum(found.values()) == sold.amount
    for article, amount in paid.items():
        assert abs(found[article] - Decimal(amount)) <= Decimal("0.01"), article


def test_goods_have_their_unit_unless_rows_differ() -> None:
    sold = sale(
        row("95#", "1", "8")._replace(unit="L"), row("Nuts", "1", "9"), row("Nuts", "0.5", "7")._replace(unit="kg")
    )
    assert {one.article: one.unit for one in goods_of(sold)} == {"95#": "L", "Nuts": ""}


@pytest.mark.parametrize("signs", [("-1", "-9.00", "1.00"), ("1", "9.00", "-1.00")])
def test_a_return_gives_back_what_was_paid(signs: tuple[str, str, str]) -> None:
    """The coupon is charged again, so that less comes back than the article costs."""
    quantity, amount, coupon = signs
    rows = (row("Tea", quantity, amount), row("Tea", "0", coupon))
    back = Return("R", "1", NOON.date(), "FC-1", NOON, rows, Decimal("-8.00"), "till:R")
    assert shown(goods_of(back)) == [("Tea", "1", "8.00")]


def test_only_coupons_came_back() -> None:
    back = Return("R", "1", NOON.date(), "FC-1", NOON, (row("Tea", "0", "1.00"),), Decimal("-1.00"), "till:R")
    assert goods_of(back) == ()


ARTICLES = st.sampled_from(["95#", "Tea", "Milk", "Bag"])
CENTS = st.integers(0, 100_000).map(lambda cents: Decimal(cents).scaleb(-2))
SOLD = st.lists(st.builds(row, ARTICLES, st.sampled_from(["1", "2", "0.5"]), CENTS.map(str)), min_size=1, max_size=6)
COUPONS = st.lists(st.tuples(ARTICLES, st.integers(1, 100_000)), max_size=4)


@given(SOLD, COUPONS)
def test_nothing_is_lost_and_nothing_costs_less_than_nothing(rows: list[Row], coupons: list[tuple[str, int]]) -> None:
    left = sum((one.amount for one in rows), Decimal(0))
    for article, cents in coupons:
        off = min(Decimal(cents).scaleb(-2), left)
        left -= off
        if off:
            rows = [*rows, row(article, "0", str(-off))]
    found = goods_of(sale(*rows))
    assert sum((one.amount for one in found), Decimal(0)) == left
    assert all(one.amount >= 0 for one in found)
    assert [one.quantity for one in found if one.quantity <= 0] == []
    assert {one.article for one in found} == {line.article for line in lines_of(rows) if line.is_goods}


def test_a_file_of_a_day(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text(
        "time,sale number,customer,article,quantity,unit,amount\n"
        "2026-04-15 12:00:00,1,FC-1,95#,40,L,320.00\n"
        "2026-04-15 12:00:00,1,FC-1,95#,0,,-20.00\n"
        "2026-04-15 12:00:00,1,FC-1,Tea,2,瓶,6.00\n"
    )
    with read_till(path) as sheet:
        (sold,) = sheet.sales
        assert [(one.line, one.unit, str(one.amount)) for one in goods_of(sold)] == [
            (2, "L", "300.00"),
            (4, "瓶", "6.00"),
        ]
