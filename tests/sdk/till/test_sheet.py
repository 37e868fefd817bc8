"""From rows to sales: what one sale is, whose it is, what it is worth, and what is held back because it is unsure."""

from __future__ import annotations

import csv
import gc
import json
import os
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import pytest

from scripts.bench.till_year import MAPPING as SUPERMARKET
from scripts.bench.till_year import generate_year
from tongdui import TillError
from tongdui.till import TillMapping, TillSheet, read_till

ROOT = Path(__file__).parents[3]
DATA = ROOT / "scripts" / "demo" / "data"
HEADER = "time,sale number,customer,article,quantity,unit,amount"
NOW = datetime(2026, 4, 20, tzinfo=UTC)

Write = Callable[..., TillSheet]


@pytest.fixture
def sheet_of(tmp_path: Path) -> Write:
    """Reads rows (strings) as a file in our own format."""

    def write(
        *rows: str, header: str = HEADER, mapping: TillMapping | str = "station", now: datetime = NOW
    ) -> TillSheet:
        path = tmp_path / "till.csv"
        path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
        return read_till(path, mapping, now=now)

    return write


def mapping_of(**settings: str) -> TillMapping:
    """Our own format with other settings of [till], and 2 points a litre of diesel."""
    columns = dict.fromkeys(("time", "customer", "article", "quantity", "unit", "amount"))
    return TillMapping.parse(
        {
            "till": settings,
            "columns": {**{name: name for name in columns}, "sale": "sale number"},
            "points": {"fuel": "1", "diesel": {"quantity": "2"}, "shop": "2"},
            "articles": {"fuel": ["95#"], "diesel": ["0#"], "shop": ["*"]},
        },
        "mine.toml",
    )


def fuel(
    sale: str, amount: str, customer: str = "FC-1", time: str = "2026-04-15 08:00:00", quantity: str = "10.5"
) -> str:
    return f"{time},{sale},{customer},95#,{quantity},L,{amount}"


def shop(sale: str, amount: str, customer: str = "FC-1", time: str = "2026-04-15 08:00:00", quantity: str = "1") -> str:
    return f"{time},{sale},{customer},Tea,{quantity},pcs,{amount}"


def reasons(sheet: TillSheet) -> list[str]:
    return [held.reason for held in sheet.held_back]


def points(sheet: TillSheet) -> dict[str, int]:
    return {sale.number: sale.points for sale in sheet.sales}


# --- points


def test_a_yuan_of_fuel_is_a_point_and_a_yuan_of_shop_goods_two(sheet_of: Write) -> None:
    assert points(sheet_of(fuel("1", "200.00"), shop("2", "10.00"))) == {"1": 200, "2": 20}


def test_a_sale_is_rounded_once_and_down(sheet_of: Write) -> None:
    """0.50 + 0.50 of fuel and 0.25 of tea are 1.5 points: 1, not 0 (rounding rows), and not 2."""
    rows = fuel("1", "0.50"), fuel("1", "0.50", quantity="10.4"), shop("1", "0.25")
    assert points(sheet_of(*rows)) == {"1": 1}


def test_many_small_amounts_add_up_exactly(sheet_of: Write) -> None:
    """Ten times 0.10 is 1 yuan; in binary floating point it is 0.9999999999999999."""
    assert points(sheet_of(*(fuel("1", "0.10", quantity=f"0.{n}") for n in range(10, 20)))) == {"1": 1}


def test_huge_amounts_stay_exact(sheet_of: Write) -> None:
    assert points(sheet_of(fuel("1", "999999999999999.99"), fuel("1", "0.01", quantity="1"))) == {"1": 10**15}


def test_a_sale_worth_nothing_is_listed_and_not_issued(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "0.00"), fuel("2", "0.99"))
    assert (len(sheet.sales), [s.number for s in sheet.worthless]) == (0, ["1", "2"])


def test_a_litre_is_worth_points_and_a_discount_takes_no_litre(sheet_of: Write) -> None:
    diesel = "2026-04-15 08:00:00,1,FC-1,0#,{},{},{}"
    sheet = sheet_of(diesel.format("32.10", "L", "262.26"), diesel.format("-1", "pcs", "-10.00"), mapping=mapping_of())
    assert points(sheet) == {"1": 64}  # 64.2
    void = sheet_of(diesel.format("32.10", "L", "262.26"), diesel.format("-10", "L", "-81.70"), mapping=mapping_of())
    assert points(void) == {"1": 44}  # 22.1 litres are 44.2


def test_a_discount_in_a_sale_lowers_its_points(sheet_of: Write) -> None:
    assert points(sheet_of(fuel("1", "200.00"), shop("1", "-5.00", quantity="-1"))) == {"1": 190}


def test_more_points_than_the_chain_holds_are_held_back(sheet_of: Write) -> None:
    sheet = sheet_of(*[shop("1", "999999999999999.00")] * 10_000)
    assert "more than the chain can hold" in reasons(sheet)[0]


# --- what one sale is


def test_the_same_number_at_two_tills_is_two_sales(sheet_of: Write) -> None:
    """Case 1: the nameless sale of 300 at till 2 is not the one of FC-1 at till 1."""
    sheet = sheet_of(
        "1,2026-04-15 08:01:00,0001,FC-1,95#,12.00,L,100.00",
        "2,2026-04-15 15:30:00,0001,,92#,40.00,L,300.00",
        "2,2026-04-15 08:01:00,0002,FC-1,95#,12.00,L,100.00",
        header=f"till,{HEADER}",
    )
    assert [(s.till, s.number, s.customer, s.points, s.reference) for s in sheet.sales] == [
        ("1", "0001", "FC-1", 100, "till:1:2026-04-15:0001"),
        ("2", "0002", "FC-1", 100, "till:2:2026-04-15:0002"),
    ]
    assert [(s.till, s.number) for s in sheet.no_customer] == [("2", "0001")]


def test_numbers_may_start_again_every_day(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "200.00"), fuel("1", "200.00", time="2026-04-16 08:00:00"))
    assert [(s.day, s.reference, s.points) for s in sheet.sales] == [
        (date(2026, 4, 15), "till:2026-04-15:1", 200),
        (date(2026, 4, 16), "till:2026-04-16:1", 200),
    ]


def test_a_business_day_may_start_later_than_midnight(sheet_of: Write) -> None:
    rows = fuel("1", "5.00", time="2026-04-16 03:59:59"), fuel("2", "5.00", time="2026-04-16 04:00:00")
    sheet = sheet_of(*rows, mapping=mapping_of(day_starts="04:00"))
    assert [s.day for s in sheet.sales] == [date(2026, 4, 15), date(2026, 4, 16)]


def test_a_sale_over_midnight_is_one_sale_of_the_day_it_began(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00", time="2026-04-15 23:59:30"), shop("1", "5.00", time="2026-04-16 00:01:00"))
    assert [(s.day, s.points, s.lines) for s in sheet.sales] == [(date(2026, 4, 15), 15, (2, 3))]


def test_a_number_used_again_on_the_same_day_is_held_back(sheet_of: Write) -> None:
    rows = [fuel("1", "5.00"), fuel("2", "5.00"), fuel("1", "7.00", time="2026-04-15 15:30:00"), fuel("3", "1.00")]
    for order in (rows, rows[::-1]):
        sheet = sheet_of(*order)
        assert len(sheet.held_back) == 2
        assert all("used again at 15:30, or is it one sale?" in reason for reason in reasons(sheet))
        assert sorted(points(sheet)) == ["2", "3"]


def test_three_sales_of_one_number_on_one_day_are_all_held_back(sheet_of: Write) -> None:
    sheet = sheet_of(*(fuel("1", "5.00", time=f"2026-04-15 {hour}:00:00") for hour in ("08", "11", "15")))
    assert (len(sheet.held_back), len(sheet.sales)) == (3, 0)


def test_a_till_may_say_how_long_a_sale_takes(sheet_of: Write) -> None:
    rows = fuel("1", "5.00"), shop("1", "5.00", time="2026-04-15 10:30:00")
    assert len(sheet_of(*rows, mapping=mapping_of()).held_back) == 2
    assert points(sheet_of(*rows, mapping=mapping_of(longest_sale="3h"))) == {"1": 15}
    assert len(sheet_of(fuel("1", "5.00"), shop("1", "5.00", time="2026-04-15 09:00:00")).sales) == 1
    assert len(sheet_of(fuel("1", "5.00"), shop("1", "5.00", time="2026-04-15 09:00:01")).held_back) == 2


def test_without_a_day_in_the_reference_a_number_is_used_once(sheet_of: Write) -> None:
    rows = fuel("1", "5.00"), fuel("1", "5.00", time="2026-04-16 09:00:00"), fuel("2", "5.00")
    sheet = sheet_of(*rows, mapping=mapping_of(reference="shop:{sale}"))
    assert [reason[:40] for reason in reasons(sheet)] == ["its number is used again on 2026-04-16, "] * 2
    assert [s.reference for s in sheet.sales] == ["shop:2"]


def test_a_number_that_thousands_of_rows_have_is_held_back(sheet_of: Write) -> None:
    sheet = sheet_of(*(shop("1", f"{n}.00") for n in range(1, 25_000)), shop("2", "5.00"))
    assert {reason[:33] for reason in reasons(sheet)} == {"more than 20000 rows have its numb"[:33]}
    assert sum(len(held.lines) for held in sheet.held_back) == 24_999
    assert points(sheet) == {"2": 10}


def test_a_reference_that_is_too_long_is_held_back(sheet_of: Write) -> None:
    long = mapping_of(reference="x" * 138 + "{sale}{day}")
    assert reasons(sheet_of(fuel("1", "5.00"), mapping=long)) == [
        "its reference has 149 characters; there is room for 136"
    ]


# --- whose it is


def test_sales_without_customer_are_listed(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00", customer=""), fuel("2", "5.00"))
    assert [(s.number, s.lines) for s in sheet.no_customer] == [("1", (2,))]


def test_a_till_may_name_the_customer_once(sheet_of: Write) -> None:
    rows = shop("1", "5.00"), fuel("2", "7.00"), fuel("1", "5.00", customer="", time="2026-04-15 08:00:09")
    for order in (rows, rows[::-1], (rows[0], rows[2], rows[1])):
        assert points(sheet_of(*order)) == {"1": 15, "2": 7}


def test_a_row_without_customer_that_stands_apart_inherits_none(sheet_of: Write) -> None:
    """At two tills without a till column, number 1 may be two sales, a minute apart."""
    apart = fuel("1", "300.00", customer="", time="2026-04-15 08:05:00")
    sheet = sheet_of(fuel("1", "5.00"), fuel("2", "7.00"), apart)
    assert reasons(sheet) == ["line 4 names no customer and stands apart from the rows that do: is it one sale?"]
    assert points(sheet_of(fuel("1", "5.00"), apart, fuel("2", "7.00"))) == {"1": 305, "2": 7}


def test_a_sale_of_two_customers_is_held_back(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00"), shop("1", "5.00", customer="FC-2"), shop("1", "1.00", customer=""))
    assert reasons(sheet) == ["its rows name different customers: FC-1, FC-2"]


# --- one row written twice


def test_a_row_that_is_written_for_each_payment_is_held_back(sheet_of: Write) -> None:
    """Case 5: 32.10 litres for 262.26, once for the cash and once for WeChat."""
    row = fuel("H3", "262.26", quantity="32.10")
    sheet = sheet_of(f"{row},cash,200.00", f"{row},wechat,62.26", header=f"{HEADER},payment,paid")
    assert reasons(sheet) == ["lines 2 and 3 are the same: was one row written for each payment?"]
    assert sheet.points == 0


@pytest.mark.parametrize("quantity", ["10", "10.0", "10.5"])
def test_two_equal_measures_are_one(sheet_of: Write, quantity: str) -> None:
    assert (
        len(
            sheet_of(
                fuel("1", "5.00", quantity="10.50" if "5" in quantity else "10"), fuel("1", "5.00", quantity=quantity)
            ).held_back
        )
        == 1
    )


def test_a_measure_is_repeated_even_some_time_later(sheet_of: Write) -> None:
    assert len(sheet_of(fuel("1", "5.00"), fuel("1", "5.00", time="2026-04-15 08:00:30")).held_back) == 1


def test_a_filling_that_was_cancelled_and_written_again_is_one(sheet_of: Write) -> None:
    assert points(sheet_of(fuel("1", "5.00"), fuel("1", "-5.00", quantity="-10.5"), fuel("1", "5.00"))) == {"1": 5}


def test_what_earns_by_quantity_is_measured(sheet_of: Write) -> None:
    row = "2026-04-15 08:00:00,1,FC-1,0#,10,,80.00"
    assert len(sheet_of(row, row, mapping=mapping_of()).held_back) == 1


def test_two_equal_pieces_are_two(sheet_of: Write) -> None:
    assert points(sheet_of(shop("1", "5.00"), shop("1", "5.00"), shop("1", "5.00"))) == {"1": 30}


@pytest.mark.parametrize("again", [False, True], ids=["rows only", "with header"])
def test_a_file_appended_to_itself_is_held_back(sheet_of: Write, again: bool) -> None:
    rows = [shop("1", "5.00"), fuel("1", "7.00"), shop("2", "5.00"), shop("2", "6.00", quantity="2")]
    sheet = sheet_of(*rows, *([HEADER] if again else []), *rows)
    assert [held.number for held in sheet.held_back] == ["1", "2"]
    assert reasons(sheet)[0] == f"line {7 if again else 6} repeats line 2: was the file appended to itself?"


def test_a_file_of_one_sale_appended_to_itself_is_held_back(sheet_of: Write) -> None:
    rows = shop("1", "5.00"), shop("1", "2.00", quantity="2")
    assert len(sheet_of(*rows, *rows).held_back) == 1
    assert len(sheet_of(*rows, *rows, shop("2", "5.00")).sales) == 2


# --- malformed rows


def test_a_sale_with_a_bad_row_is_held_back_whole(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00"), fuel("1", "x"), fuel("2", "6.00"), shop("1", "1.00"))
    assert points(sheet) == {"2": 6}
    (held,) = sheet.held_back
    assert (held.number, held.lines) == ("1", (2, 5))
    assert held.reason.startswith("line 3 of it is malformed (amount")


def test_a_bad_row_holds_back_the_sale_of_its_day(sheet_of: Write) -> None:
    days = [fuel("1", "5.00", time=f"2026-04-{day} 08:00:00") for day in (14, 15, 16)]
    sheet = sheet_of(*days, fuel("1", "x"))
    assert [(s.day.day) for s in sheet.sales] == [14, 16]
    sheet = sheet_of(*days, fuel("1", "x", time="yesterday"))
    assert (len(sheet.sales), len(sheet.held_back)) == (0, 3)


def test_a_bad_row_after_midnight_holds_back_the_sale_that_began_before(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00", time="2026-04-15 23:59:00"), fuel("1", "x", time="2026-04-16 00:01:00"))
    assert len(sheet.held_back) == 1


def test_a_bad_row_without_till_holds_back_the_number_at_every_till(sheet_of: Write) -> None:
    rows = [f"{till},{fuel('1', '5.00')}" for till in (1, 2)]
    sheet = sheet_of(*rows, f"1,{fuel('1', 'x')}", header=f"till,{HEADER}")
    assert [held.till for held in sheet.held_back] == ["1"]
    sheet = sheet_of(*rows, f",{fuel('1', '7.00')}", header=f"till,{HEADER}")
    assert [held.till for held in sheet.held_back] == ["1", "2"]


def test_a_bad_row_without_number_holds_back_the_sale_around_it(sheet_of: Write) -> None:
    sheet = sheet_of(
        fuel("1", "5.00"), fuel("", "5.00"), "rubbish", fuel("1", "6.00"), fuel("", "5.00"), fuel("2", "1")
    )
    assert [h.number for h in sheet.held_back] == ["1"]
    assert points(sheet) == {"2": 1}


# --- when


def test_a_sale_in_the_future_is_held_back(sheet_of: Write) -> None:
    """A till's clock may be five minutes ahead of ours."""
    now = datetime(2026, 4, 15, 0, 0, tzinfo=UTC)
    sheet = sheet_of(fuel("1", "5", time="2026-04-15 08:05:00"), fuel("2", "5", time="2026-04-15 08:05:01"), now=now)
    assert points(sheet) == {"1": 5}
    assert reasons(sheet) == ["it is in the future, at 2026-04-15 08:05:01: is the clock of the till right?"]


def test_without_a_clock_it_is_the_systems(tmp_path: Path) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=10)
    (tmp_path / "till.csv").write_text(f"{HEADER}\n{fuel('1', '5.00', time=soon.isoformat(timespec='seconds'))}\n")
    assert len(read_till(tmp_path / "till.csv").held_back) == 1


# --- goods that come back


def test_a_return_is_matched_with_a_sale_of_the_file(sheet_of: Write) -> None:
    """10.60 of tea gave 21 points. Without the returned 5.30 it would have given 10, so 11 are taken back, not 10.6."""
    sheet = sheet_of(shop("1", "10.60", quantity="2"), shop("R1", "-5.30", quantity="-1", time="2026-04-15 09:00:00"))
    (back,) = sheet.returns
    (reversal,) = back.reversals
    assert (back.day, back.reference, back.amount) == (date(2026, 4, 15), "till:2026-04-15:R1", Decimal("-5.30"))
    assert (reversal.sale, reversal.reference, reversal.points, reversal.lines) == ("1", "till:2026-04-15:1", 11, (3,))
    assert points(sheet) == {"1": 21}


def test_nothing_is_taken_back_twice(sheet_of: Write) -> None:
    back = [shop(f"R{n}", "-5.30", quantity="-1", time=f"2026-04-15 09:0{n}:00") for n in (3, 2, 1)]
    sheet = sheet_of(shop("1", "10.60", quantity="2"), *back)
    assert {b.number: [r.points for r in b.reversals] for b in sheet.returns} == {"R1": [11], "R2": [10], "R3": []}
    assert {b.number: len(b.unmatched) for b in sheet.returns} == {"R1": 0, "R2": 0, "R3": 1}


def test_a_refund_that_cancels_a_coupon_is_a_return(sheet_of: Write) -> None:
    """Case 7."""
    coupon = "2026-04-15 {},{},FC-1,Coupon,{},pcs,{}"
    sheet = sheet_of(
        shop("P1", "20.00", quantity="2"),
        coupon.format("08:00:00", "P1", "-1", "-5.00"),
        shop("P2", "-20.00", quantity="-2", time="2026-04-15 09:00:00"),
        coupon.format("09:00:00", "P2", "1", "5.00"),
    )
    assert points(sheet) == {"P1": 30}
    assert [[(r.sale, r.points, r.lines) for r in b.reversals] for b in sheet.returns] == [[("P1", 30, (4, 5))]]


def test_a_refund_of_a_sale_in_an_earlier_file_waits_for_the_gateway(sheet_of: Write) -> None:
    coupon = "2026-04-15 09:00:00,P2,FC-1,Coupon,1,pcs,5.00"
    sheet = sheet_of(shop("P2", "-20.00", quantity="-2", time="2026-04-15 09:00:00"), coupon)
    (back,) = sheet.returns
    assert (back.reversals, [row.line for row in back.unmatched]) == ((), [2, 3])


def test_a_void_in_the_same_sale_leaves_what_is_left(sheet_of: Write) -> None:
    """Case 3, as a file by itself."""
    sold = fuel("V1", "200.00", quantity="36.00")
    void = fuel("V1", "-200.00", quantity="-36.00", time="2026-04-15 08:02:00")
    assert [(s.number, s.amount) for s in sheet_of(sold, void).worthless] == [("V1", 0)]


def test_a_row_may_name_the_sale_that_it_takes_back(sheet_of: Write) -> None:
    sheet = sheet_of(
        f"{shop('1', '5.00')},",
        f"{shop('2', '5.00')},",
        f"{shop('R', '-5.00', quantity='-1', customer='', time='2026-04-15 09:00:00')},1",
        header=f"{HEADER},original",
    )
    assert [r.sale for b in sheet.returns for r in b.reversals] == ["1"]


def test_a_return_of_a_sale_without_customer_takes_no_points(sheet_of: Write) -> None:
    sheet = sheet_of(
        f"{shop('1', '5.00', customer='')},",
        f"{shop('R', '-5.00', quantity='-1', customer='', time='2026-04-15 09:00:00')},1",
        header=f"{HEADER},original",
    )
    assert [(r.sale, r.points) for b in sheet.returns for r in b.reversals] == [("1", 0)]
    assert all(not b.unmatched for b in sheet.returns)


def test_a_sale_that_takes_back_more_than_it_sells_is_held_back(sheet_of: Write) -> None:
    assert reasons(sheet_of(fuel("1", "5.00"), shop("1", "-4.00", quantity="-1"))) == [
        "it takes back more than it sells"
    ]
    assert reasons(sheet_of(fuel("1", "-5.00", quantity="-1"), shop("1", "5.00"))) == [
        "it takes back more than it sells"
    ]


def test_a_return_to_one_of_many_sales_is_found_without_reading_all(sheet_of: Write) -> None:
    """A card of the house has thousands of sales: each of them is looked at once, not once for each return."""
    minutes = [f"2026-04-15 {8 + n // 60:02d}:{n % 60:02d}:00" for n in range(600)]
    sales = [shop(f"S{n}", "5.00", time=time) for n, time in enumerate(minutes)]
    back = [shop(f"R{n}", "-5.00", quantity="-1", time="2026-04-15 19:00:00") for n in range(600)]
    sheet = sheet_of(*sales, *back)
    assert [r.sale for b in sheet.returns for r in b.reversals] == [f"S{n}" for n in range(599, -1, -1)]


# --- the sheet itself


def test_a_sheet_is_read_as_often_as_asked(sheet_of: Write) -> None:
    sheet = sheet_of(fuel("1", "5.00"), shop("2", "5.00"), fuel("3", "1.00", customer="FC-2"))
    assert [s.number for s in sheet.sales] == [s.number for s in sheet.sales] == ["1", "2", "3"]
    assert [s.number for s in sheet.sales_of("FC-1")] == ["2", "1"]
    assert (sheet.sales[0].rows[0].article, len(sheet.sales[1:]), len(sheet.problems)) == ("95#", 2, 0)


def test_a_closed_sheet_says_so(sheet_of: Write) -> None:
    with sheet_of(fuel("1", "5.00")) as sheet:
        pass
    with pytest.raises(TillError, match="closed"):
        list(sheet.sales)


def test_reading_leaves_the_garbage_collector_as_it_was(sheet_of: Write, tmp_path: Path) -> None:
    before = gc.get_threshold()
    sheet_of(fuel("1", "5.00"))
    with pytest.raises(TillError):
        read_till(tmp_path / "none.csv")
    assert gc.get_threshold() == before


def test_a_sheet_that_needs_attention_says_so(sheet_of: Write) -> None:
    assert not sheet_of(fuel("1", "5.00")).needs_attention
    assert sheet_of(fuel("1", "5.00"), "rubbish").needs_attention
    assert sheet_of(fuel("1", "5.00"), fuel("1", "5.00")).needs_attention


def test_a_sheet_is_written_as_a_document(sheet_of: Write) -> None:
    sheet = sheet_of(
        shop("1", "5.00"),
        fuel("2", "x"),
        fuel("2", "5.00"),
        shop("R", "-5.00", quantity="-1", time="2026-04-15 09:00:00"),
    )
    document: dict[str, Any] = sheet.document()
    assert document["rows"]["issued"] == 1
    assert (document["points"], document["sales"]["issued"]) == (10, 1)
    assert [problem["line"] for problem in document["problems"]] == [3]
    assert [(held["number"], held["lines"]) for held in document["held_back"]] == [("2", [4])]
    assert [[r["points"] for r in back["reversals"]] for back in document["returns"]] == [[10]]


# --- the sample files


def test_every_row_of_the_sample_day_has_one_fate() -> None:
    sheet = read_till(DATA / "fuel_day.csv", now=NOW)
    assert sheet.rows_read == 258 == sum(sheet.rows_by_fate().values())
    assert (len(sheet.sales), len(sheet.no_customer), len(sheet.returns)) == (165, 35, 3)
    assert not sheet.needs_attention
    assert sheet.points == 56_192 == sum(sale.points for sale in sheet.sales)


def test_the_malformed_sample_is_reported_line_by_line() -> None:
    sheet = read_till(DATA / "fuel_malformed.csv", now=NOW)
    found = [(p.line, p.field) for p in sheet.problems]
    assert found == [
        (3, "quantity"),
        (4, "time"),
        (6, "amount"),
        (7, "sale number"),
        (8, "unit"),
        (9, "row"),
        (10, "row"),
    ]
    assert [(h.number, h.lines) for h in sheet.held_back] == [("26041600004", (5,))]
    assert sheet.rows_read == 12 == sum(sheet.rows_by_fate().values())
    assert points(sheet) == {"26041600001": 262, "26041600009": 300, "26041600011": 17}


def retail() -> Path:
    shared = Path(os.environ.get("TONGDUI_SHARED_DATA") or ROOT / ".." / "shared" / "data")
    path = shared / "online_retail.csv"
    if not path.exists():
        pytest.skip("online_retail.csv is not here; see TONGDUI_SHARED_DATA")
    return path


def test_a_real_shops_export_is_justified_row_by_row() -> None:
    """A slow recount with nothing but the csv module and the rules on paper, invoice by invoice."""
    path = retail()
    sheet = read_till(path, "online_retail")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))

    goods: dict[str, Decimal] = defaultdict(Decimal)
    customer: dict[str, str] = {}
    lines: dict[str, list[int]] = defaultdict(list)
    for line, row in enumerate(rows, start=2):
        number = row["InvoiceNo"]
        lines[number].append(line)
        customer[number] = row["CustomerID"]
        if row["StockCode"] != "POST":
            goods[number] += int(row["Quantity"]) * Decimal(row["UnitPrice"])
    returned = {number for number in lines if number.startswith("C")}
    nameless = {number for number in lines if not customer[number]}
    expected = {
        number: int(goods[number].to_integral_value(ROUND_FLOOR)) for number in set(lines) - returned - nameless
    }

    assert points(sheet) == expected
    assert {sale.number: list(sale.lines) for sale in sheet.sales} == {n: lines[n] for n in expected}
    assert {sale.number: sale.customer for sale in sheet.sales} == {n: customer[n] for n in expected}
    assert {sale.number for sale in sheet.no_customer} == nameless == {"536414"}
    assert {back.number for back in sheet.returns} == returned == {"C536379", "C536383", "C536391", "C536506"}
    assert not sheet.needs_attention
    assert len(sheet.worthless) == 0

    # Of all that came back, six jam sets were bought in this file: invoice 536488 had eight of them for 4.25 each.
    found = [(b.number, r.sale, r.points) for b in sheet.returns for r in b.reversals]
    kept = goods["536488"] - 6 * Decimal("4.25")
    assert found == [("C536506", "536488", expected["536488"] - int(kept.to_integral_value(ROUND_FLOOR)))]

    fates = sheet.rows_by_fate()
    print(f"\n{len(rows)} rows, {len(lines)} invoices, {len(expected)} sales worth {sheet.points} points: {fates}")
    assert sum(fates.values()) == sheet.rows_read == len(rows) == 999
    assert (fates["issued"], fates["no customer"], fates["returned"]) == (988, 1, 10)
    assert sheet.points == sum(expected.values()) == 24_603


FULL_DISK = """
import resource, sys, tomllib
from scripts.bench.till_year import MAPPING
from tongdui import TillError
from tongdui.till import TillMapping, read_till
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    read_till(sys.argv[1], TillMapping.parse(tomllib.loads(MAPPING), "year.toml"))
except TillError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a file's size is limited in another way there")
def test_a_disk_that_is_full_is_named(tmp_path: Path) -> None:
    generate_year(tmp_path / "large.csv", rows=400_000, sales=40_000)
    command = [sys.executable, "-c", FULL_DISK, tmp_path / "large.csv"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "do not fit on the disk" in said
    assert "Set SQLITE_TMPDIR" in said


# --- a year


def measured(path: Path) -> tuple[list[int], int]:
    """Reads a file in a process of its own: rows, sales and points; peak memory in MiB."""
    command = [sys.executable, "-m", "scripts.bench.till", path]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return [found["rows"], found["sales"], found["points"]], found["peak_mib"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is told elsewhere there")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    year = [generate_year(tmp_path / f"{rows}.csv", rows=rows, sales=rows // 10) for rows in (30_000, 150_000)]
    small, large = (measured(tmp_path / f"{part.rows}.csv") for part in year)
    assert [small[0], large[0]] == [list(part) for part in year]
    assert large[1] - small[1] < 25


@pytest.mark.timeout(600)
@pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "nightly", reason="takes a minute; make nightly runs it")
def test_a_year_of_a_supermarket_is_exact_in_little_memory(tmp_path: Path) -> None:
    """Its speed is a figure of `make bench`."""
    year = generate_year(tmp_path / "year.csv")
    counted, peak = measured(tmp_path / "year.csv")
    assert counted == list(year)
    assert peak < 150


def test_the_mapping_of_the_supermarket_is_read() -> None:
    assert TillMapping.parse(tomllib.loads(SUPERMARKET), "year.toml").rule.category_of("Apples") == "fruit"
