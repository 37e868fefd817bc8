"""Which sale a return takes back, how many points, and how discounts and coupons are shared. No file, no gateway."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongdui.till import PointsRule, Return, Row
from tongdui.till._returns import Line, Original, lines_of, match_returns

RULE = PointsRule(
    {"fuel": Fraction(1), "shop": Fraction(2), "gift": Fraction(0)}, {"95#": "fuel", "Bag": "gift"}, "shop"
)
NOON = datetime(2026, 4, 15, 4, 0, tzinfo=UTC)
DAY = date(2026, 4, 15)
_lines = count(2)


def row(article: str, quantity: str, amount: str, original: str = "", later: int = 0) -> Row:
    return Row(
        line=next(_lines),
        till="1",
        sale="S",
        time=NOON + timedelta(minutes=later),
        customer="FC-1",
        article=article,
        category=RULE.category_of(article) or "",
        quantity=Decimal(quantity),
        amount=Decimal(amount),
        unit="pcs",
        original=original,
    )


def sold(
    *rows: Row,
    number: str = "P1",
    customer: str = "FC-1",
    till: str = "1",
    day: date = DAY,
    later: int = 0,
    points: int = -1,
) -> Original:
    lines = lines_of(rows)
    worth = sum((RULE.rates[line.category] * Fraction(line.amount) for line in lines), Fraction(0)).__floor__()
    given_points = worth if points < 0 else points
    time = NOON + timedelta(minutes=later)
    return Original(f"till:{number}", number, till, day, customer, time, lines, given_points)


def back(
    *rows: Row, number: str = "R1", customer: str = "FC-1", till: str = "1", day: date = DAY, later: int = 60
) -> Return:
    rows = tuple(r._replace(time=NOON + timedelta(minutes=later)) for r in rows)
    amount = sum((r.amount for r in rows), Decimal(0))
    time = NOON + timedelta(minutes=later)
    return Return(number, till, day, customer, time, rows, amount, f"till:{number}", unmatched=rows)


def taken(*returned: Return, of: list[Original]) -> list[list[tuple[str, int]]]:
    return [[(r.sale, r.points) for r in found.reversals] for found in match_returns(returned, of, RULE)]


# --- lines


def test_rows_are_added_up_by_article() -> None:
    assert lines_of([row("Tea", "1", "5.00"), row("95#", "10", "80.00"), row("Tea", "2", "10.00")]) == (
        Line("Tea", "shop", Decimal(3), Decimal("15.00")),
        Line("95#", "fuel", Decimal(10), Decimal("80.00")),
    )


def test_a_row_at_the_price_of_the_goods_cancels_them() -> None:
    assert lines_of([row("Tea", "3", "15.00"), row("Tea", "-1", "-5.00")]) == (
        Line("Tea", "shop", Decimal(2), Decimal("10.00")),
    )
    assert lines_of([row("95#", "36", "200.00"), row("95#", "-36", "-200.00")]) == ()
    litres = [row("95#", "32.10", "262.26"), row("95#", "-10", "-81.70")]
    assert lines_of(litres) == (Line("95#", "fuel", Decimal("22.10"), Decimal("180.56")),)


def test_a_discount_on_an_article_does_not_take_of_its_quantity() -> None:
    assert lines_of([row("95#", "32.10", "262.26"), row("95#", "-1", "-10.00")]) == (
        Line("95#", "fuel", Decimal("32.10"), Decimal("262.26")),
        Line("95#", "fuel", Decimal(-1), Decimal("-10.00")),
    )


# --- how many points


def test_a_return_takes_back_what_the_sale_loses() -> None:
    """10.60 of tea gave 21 points. Without the returned 5.30 it would have given 10, so 11 go back, not 10.6."""
    tea = sold(row("Tea", "2", "10.60"))
    assert taken(back(row("Tea", "-1", "-5.30")), of=[tea]) == [[("P1", 11)]]


def test_nothing_is_taken_back_twice() -> None:
    tea = sold(row("Tea", "2", "10.60"))
    returned = [back(row("Tea", "-1", "-5.30"), number=f"R{n}", later=60 + n) for n in range(3)]
    assert taken(*returned, of=[tea]) == [[("P1", 11)], [("P1", 10)], []]


def test_what_an_earlier_run_took_is_not_there_any_more() -> None:
    tea = sold(row("Tea", "2", "10.60"))
    (first,) = match_returns([back(row("Tea", "-1", "-5.30"))], [tea], RULE)
    rest = Original(**{**{n: getattr(tea, n) for n in tea.__slots__}, "taken": first.reversals[0].taken})
    assert taken(back(row("Tea", "-1", "-5.30")), of=[rest]) == [[("P1", 10)]]
    assert taken(back(row("Tea", "-2", "-10.60")), of=[rest]) == [[]]


def test_a_refund_that_cancels_a_coupon_takes_back_all() -> None:
    """Case 7: the tea for 20 yuan with a coupon of 5 gave 30 points."""
    tea = sold(row("Tea", "2", "20.00"), row("Coupon", "-1", "-5.00"))
    whole = back(row("Tea", "-2", "-20.00"), row("Coupon", "1", "5.00"))
    assert taken(whole, of=[tea]) == [[("P1", 30)]]
    (found,) = match_returns([whole], [tea], RULE)
    assert found.unmatched == ()
    assert found.reversals[0].lines == tuple(r.line for r in whole.rows)


def test_half_of_the_goods_take_half_of_the_coupon() -> None:
    tea = sold(row("Tea", "2", "20.00"), row("Coupon", "-1", "-5.00"))
    assert taken(back(row("Tea", "-1", "-10.00")), of=[tea]) == [[("P1", 15)]]
    assert taken(back(row("Tea", "-1", "-10.00"), row("Coupon", "1", "2.50")), of=[tea]) == [[("P1", 15)]]


def test_a_coupon_cannot_be_given_back_twice() -> None:
    tea = sold(row("Tea", "2", "20.00"), row("Coupon", "-1", "-5.00"))
    parts = [back(row("Tea", "-1", "-10.00"), row("Coupon", "1", "5.00"), number=f"R{n}", later=60 + n) for n in (1, 2)]
    assert taken(*parts, of=[tea]) == [[("P1", 15)], []]


def test_a_return_that_sells_something_else_matches_not_at_all() -> None:
    tea = sold(row("Tea", "2", "20.00"))
    exchange = back(row("Tea", "-2", "-20.00"), row("Gum", "1", "5.00"))
    (found,) = match_returns([exchange], [tea], RULE)
    assert (found.reversals, found.unmatched) == ((), exchange.rows)
    assert taken(exchange, back(row("Tea", "-2", "-20.00"), later=90), of=[tea]) == [[], [("P1", 40)]]


def test_a_discount_belongs_to_its_article_then_to_its_category_then_to_all() -> None:
    fuel, tea, gum = row("95#", "10", "80.00"), row("Tea", "1", "10.00"), row("Gum", "1", "10.00")
    on_fuel = sold(fuel, tea, row("95#", "-1", "-9.00"))
    assert taken(back(row("95#", "-10", "-80.00")), of=[on_fuel]) == [[("P1", 71)]]
    on_shop = sold(fuel, tea, gum, row("Coupon", "-1", "-5.00"))  # 5 off 20 of tea and gum: each is worth 15 points
    assert taken(back(row("Tea", "-1", "-10.00")), of=[on_shop]) == [[("P1", 15)]]
    no_shop = sold(fuel, row("Coupon", "-1", "-5.00"))  # 80 - 10 points, all of them for fuel
    assert taken(back(row("95#", "-5", "-40.00")), of=[no_shop]) == [[("P1", 35)]]


def test_a_discount_above_what_its_category_is_worth_is_shared_by_all() -> None:
    """A coupon of 15 yuan cannot be borne by tea for 10: then a returned tea would be worth less than nothing."""
    sale = sold(row("95#", "10", "80.00"), row("Tea", "1", "10.00"), row("Coupon", "-1", "-15.00"))
    assert sale.points == 70
    assert taken(back(row("Tea", "-1", "-10.00")), of=[sale]) == [[("P1", 17)]]  # 20 less 30 * 10/90, of 70
    assert taken(back(row("95#", "-10", "-80.00")), of=[sale]) == [[("P1", 54)]]


def test_goods_that_are_worth_no_point_take_back_none() -> None:
    sale = sold(row("Bag", "1", "10.00"), row("Tea", "1", "10.00"), row("Coupon", "-1", "-9.00"))
    assert taken(back(row("Bag", "-1", "-10.00")), back(row("Tea", "-1", "-10.00"), later=90), of=[sale]) == [
        [("P1", 0)],
        [("P1", 2)],
    ]


def test_litres_that_gave_points_take_them_back() -> None:
    rule = PointsRule({"shop": Fraction(2)}, {"95#": "fuel"}, "shop", per_quantity={"fuel": Fraction(2)})
    line = Line("95#", "fuel", Decimal("32.10"), Decimal("262.26"))
    sale = Original("till:P1", "P1", "1", DAY, "FC-1", NOON, (line,), 64)
    (found,) = match_returns([back(row("95#", "-10.05", "-82.11"))], [sale], rule)
    assert [r.points for r in found.reversals] == [20]  # 64.2 - 20.1 = 44.1
    (rest,) = match_returns([back(row("95#", "-32.10", "-262.26"))], [sale], rule)
    assert [r.points for r in rest.reversals] == [64]


def test_what_was_given_goes_back_even_if_the_rule_has_changed() -> None:
    tea = sold(row("Tea", "2", "10.00"), points=50)
    halves = [back(row("Tea", "-1", "-5.00"), number=f"R{n}", later=60 + n) for n in (1, 2)]
    assert taken(*halves, of=[tea]) == [[("P1", 25)], [("P1", 25)]]


def test_a_category_that_the_rule_forgot_goes_back_by_amount() -> None:
    line = Line("Car wash", "service", Decimal(2), Decimal("60.00"))
    sale = Original("till:P1", "P1", "1", DAY, "FC-1", NOON, (line,), 90)
    assert taken(back(row("Car wash", "-1", "-30.00")), of=[sale]) == [[("P1", 45)]]


def test_a_sale_without_customer_gives_nothing_back() -> None:
    sale = sold(row("Tea", "1", "10.00"), customer="", points=0)
    assert taken(back(row("Tea", "-1", "-10.00", original="P1"), customer=""), of=[sale]) == [[("P1", 0)]]


AMOUNTS = st.integers(1, 100_000).map(lambda cents: Decimal(cents) / 100)


@given(
    st.lists(
        st.tuples(st.sampled_from(["95#", "Tea", "Gum", "Bag"]), st.integers(1, 9), AMOUNTS), min_size=1, max_size=6
    ),
    st.integers(0, 100),
    st.randoms(),
)
def test_returning_everything_takes_back_exactly_what_was_given(
    goods: list[tuple[str, int, Decimal]], percent: int, random: object
) -> None:
    """In any order, piece by piece, with a coupon of any size."""
    rows = [row(article, str(quantity), str(amount)) for article, quantity, amount in goods]
    total = sum((r.amount for r in rows), Decimal(0))
    rows.append(row("Coupon", "-1", str((-total * percent / 100).quantize(Decimal("0.01")))))
    sale = sold(*rows)
    if sale.points < 0:
        return
    pieces = [
        back(row(line.article, "-1", "0"), number=f"R{n}-{line.article}", later=60)
        for line in sale.lines
        if line.is_goods
        for n in range(int(line.quantity))
    ]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    pieces = [back(*p.rows, number=p.number, later=60 + n) for n, p in enumerate(pieces)]
    points = [points for found in taken(*pieces, of=[sale]) for _, points in found]
    assert len(points) == len(pieces)
    assert all(p >= 0 for p in points)
    assert sum(points) == sale.points


# --- which sale


def test_the_latest_earlier_sale_of_the_customer_is_taken() -> None:
    sales = [sold(row("Tea", "1", "5.00"), number=f"P{n}", later=n) for n in range(3)]
    later = sold(row("Tea", "1", "5.00"), number="P9", later=90)
    assert taken(back(row("Tea", "-1", "-5.00")), of=[*sales, later]) == [[("P2", 10)]]


@pytest.mark.parametrize(
    "returned",
    [
        back(row("Tea", "-1", "-5.00"), customer="FC-2"),
        back(row("Tea", "-1", "-5.00"), customer=""),
        back(row("Tea", "-1", "-5.00"), later=-60),
        back(row("Tea", "-2", "-5.00")),
        back(row("Tea", "-1", "-5.01")),
        back(row("Milk", "-1", "-5.00")),
        back(row("Tea", "-1", "-5.00", original="P8")),
        back(row("Tea", "-1", "-5.00", original="P1"), customer="FC-2"),
    ],
    ids=["customer", "no customer", "before", "pieces", "money", "article", "other original", "original of another"],
)
def test_a_return_that_does_not_fit_is_unmatched(returned: Return) -> None:
    (found,) = match_returns([returned], [sold(row("Tea", "1", "5.00"))], RULE)
    assert (found.reversals, found.unmatched) == ((), returned.rows)


def test_a_row_names_its_original() -> None:
    sales = [sold(row("Tea", "1", "5.00"), number=f"P{n}", later=n) for n in range(3)]
    assert taken(back(row("Tea", "-1", "-5.00", original="P1")), of=sales) == [[("P1", 10)]]
    assert taken(back(row("Tea", "-1", "-5.00", original="P1"), customer=""), of=sales) == [[("P1", 10)]]


def test_without_customer_a_number_that_names_two_sales_is_no_answer() -> None:
    yesterday = sold(row("Tea", "1", "5.00"), day=date(2026, 4, 14), later=-1440)
    today = sold(row("Tea", "1", "5.00"), customer="FC-2")
    nameless = back(row("Tea", "-1", "-5.00", original="P1"), customer="")
    assert taken(nameless, of=[yesterday, today]) == [[]]
    other_till = sold(row("Tea", "1", "5.00"), till="2", customer="FC-2")
    assert taken(nameless, of=[yesterday, other_till]) == [[("P1", 10)]]


def test_the_sale_of_the_same_number_comes_first() -> None:
    same = sold(row("Tea", "1", "5.00"), number="R1")
    later = sold(row("Tea", "1", "5.00"), number="P2", later=5)
    assert taken(back(row("Tea", "-1", "-5.00")), of=[same, later]) == [[("R1", 10)]]
    assert taken(back(row("Tea", "-1", "-5.00"), customer=""), of=[same, later]) == [[("R1", 10)]]


def test_a_return_of_two_sales_reverses_both() -> None:
    sales = [sold(row("Tea", "1", "5.00"), number="P1"), sold(row("Gum", "1", "2.00"), number="P2", later=1)]
    assert taken(back(row("Tea", "-1", "-5.00"), row("Gum", "-1", "-2.00")), of=sales) == [[("P1", 10), ("P2", 4)]]


def test_what_is_unmatched_in_one_place_is_matched_in_the_next() -> None:
    returned = back(row("Tea", "-1", "-5.00"), row("Gum", "-1", "-2.00"))
    here, there = sold(row("Tea", "1", "5.00")), sold(row("Gum", "1", "2.00"), number="P0", later=-600)
    (found,) = match_returns([returned], [here], RULE)
    assert [r.line for r in found.unmatched] == [returned.rows[1].line]
    (found,) = match_returns([found], [there], RULE)
    assert [(r.sale, r.points) for r in found.reversals] == [("P1", 10), ("P0", 4)]
    assert found.unmatched == ()


def test_a_till_may_write_returns_without_minus() -> None:
    tea = sold(row("Tea", "2", "20.00"), row("Coupon", "-1", "-5.00"))
    assert taken(back(row("Tea", "2", "20.00"), row("Coupon", "-1", "-5.00")), of=[tea]) == [[("P1", 30)]]


def test_a_till_may_write_the_minus_before_the_amount_only() -> None:
    tea = sold(row("Tea", "2", "20.00"), row("Coupon", "1", "-5.00"))
    assert taken(back(row("Tea", "2", "-20.00"), row("Coupon", "1", "5.00")), of=[tea]) == [[("P1", 30)]]
