"""Rows: which count, which are malformed, and that a bad row costs itself and no other."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sdk.till.reading import HEADER, Found, read
from tongdui import TillError
from tongdui.till._mapping import TillMapping
from tongdui.till._rows import Row, RowProblem, RowReader

ROOT = Path(__file__).parents[3]
DATA = ROOT / "scripts" / "demo" / "data"

Read = Callable[..., Found]


@pytest.fixture
def rows_of(tmp_path: Path) -> Read:
    """Reads rows (strings) as a file of the shipped mapping, with some of its settings changed."""

    def read_rows(*rows: str, header: str = HEADER, **sections: Any) -> Found:
        path = tmp_path / "till.csv"
        path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
        return read(path, **sections)

    return read_rows


def fuel(sale: str, amount: str = "5.00", customer: str = "FC-1", time: str = "2026-04-15 08:00:00") -> str:
    return f"{time},{sale},{customer},95#,10,L,{amount}"


# --- bad rows

TIME = "2026-04-15 08:00:00"
BAD_ROWS = [
    ("15.04.2026 08:00,1,FC-1,95#,1,L,1.00", "time", "is not a time in the form RFC 3339 or %Y-%m-%d %H:%M:%S or"),
    ("2026-02-30 08:00:00,1,FC-1,95#,1,L,1.00", "time", "is not a time"),
    ("0001-01-01 00:00:00,1,FC-1,95#,1,L,1.00", "time", "is not a time"),
    (",1,FC-1,95#,1,L,1.00", "time", "is missing"),
    (f"{TIME},,FC-1,95#,1,L,1.00", "sale number", "is missing"),
    (f"{TIME},{'9' * 129},FC-1,95#,1,L,1.00", "sale number", "is longer than 128 characters"),
    (f"{TIME},2.60415E+13,FC-1,95#,1,L,1.00", "sale number", "is a number that Excel has destroyed"),
    (f"{TIME},1,6.22848E+15,95#,1,L,1.00", "customer", "is a number that Excel has destroyed"),
    (f"{TIME},1,FC\x00-1,95#,1,L,1.00", "customer", "has characters that are not text"),
    (f"{TIME},1,FC-1,,1,L,1.00", "article", "is missing"),
    (f"{TIME},1,FC-1,95,1,L,1.00", "article", "is nearly '95#'"),
    (f"{TIME},1,FC-1,95#,,L,1.00", "quantity", "is missing"),
    (f"{TIME},1,FC-1,95#,x,L,1.00", "quantity", "is not a decimal number"),
    (f"{TIME},1,FC-1,95#,1e3,L,1.00", "quantity", "is not a decimal number"),
    (f"{TIME},1,FC-1,95#,１,L,1.00", "quantity", "is not a decimal number"),
    (f"{TIME},1,FC-1,95#,1,pcs,1.00", "unit", "must be L or l or 升 or 公升 for fuel"),
    (f"{TIME},1,FC-1,Tea,1,parsec,1.00", "unit", "must be pcs or 件 or 个 or 瓶 or another in the mapping for shop"),
    (f"{TIME},1,FC-1,Super fuel,1,L,1.00", "unit", "must be pcs or"),
    (f"{TIME},1,FC-1,95#,1,L,1.005", "amount", "has more than 2 decimals"),
    (f'{TIME},1,FC-1,95#,1,L,"1,000.00"', "amount", "is not a decimal number"),
    (f"{TIME},TRUE,FC-1,95#,1,L,1.00", "sale number", "is a yes or a no"),
    (f"{TIME},1,FALSE,95#,1,L,1.00", "customer", "is a yes or a no"),
    (f"{TIME},1,FC-1,95#,1,L", "row", "has 6 fields, the header names 7"),
    (f"{TIME},1,FC-1,95#,1,L,1.00,x", "row", "has 8 fields"),
    (f'{TIME},1,FC-1,"Tea,1,pcs,1.00', "row", "has a quotation mark that is not closed"),
    (f'{TIME},1,FC-1,"Tea"!,1,pcs,1.00', "row", "is not CSV"),
]


@pytest.mark.parametrize(("row", "field", "reason"), BAD_ROWS)
def test_a_bad_row_costs_itself_and_no_other(rows_of: Read, row: str, field: str, reason: str) -> None:
    rows, (problem,), reader = rows_of(fuel("a"), row, fuel("b"))
    assert (problem.file, problem.line, problem.field) == ("till.csv", 3, field)
    assert problem.reason.startswith(reason)
    assert str(problem).startswith(f"till.csv:3: {field}")
    assert str(problem).isprintable()
    assert [(row.line, row.sale) for row in rows] == [(2, "a"), (4, "b")]
    assert (reader.rows_read, reader.skipped) == (3, 0)


def test_a_problem_says_which_sale_it_belongs_to_as_far_as_it_can_be_read(rows_of: Read) -> None:
    header = "till," + HEADER
    _, problems, _ = rows_of(
        f"１,{TIME},0001,FC-1,95#,x,L,1",
        f",{TIME},0001,FC-1,95#,1,L,1",
        "1,yesterday,0001,FC-1,95#,1,L,1",
        f"1,{TIME},,FC-1,95#,1,L,1",
        f"1,{TIME},0001,FC-1,95#,1,L",
        '1,"Tea,0001,3,4,5,6',
        header=header,
        till={"day_starts": "09:00"},
    )
    day = date(2026, 4, 14)
    assert [(problem.till, problem.sale, problem.day) for problem in problems] == [
        ("1", "0001", day), ("", "0001", day), ("1", "0001", None), ("1", "", day), ("1", "0001", day), ("", "", None)
    ]  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [
                (fuel("1"), True),
                ("", None),
                (",,,,,,", None),
                ('"', False),
                *((row, False) for row, _, _ in BAD_ROWS),
            ]
        ),
        max_size=25,
    )
)
def test_whatever_stands_around_it_a_good_row_is_read(tmp_path: Path, lines: list[tuple[str, bool | None]]) -> None:
    path = tmp_path / "till.csv"
    path.write_text("\n".join([HEADER, *(line for line, _ in lines)]), encoding="utf-8")
    rows, problems, reader = read(path)
    assert [row.line for row in rows] == [n for n, (_, good) in enumerate(lines, start=2) if good]
    assert [problem.line for problem in problems] == [n for n, (_, good) in enumerate(lines, start=2) if good is False]
    assert reader.rows_read == len(rows) + len(problems)


def test_the_sample_day_is_read_as_the_csv_module_reads_it() -> None:
    rows, problems, reader = read(DATA / "fuel_day.csv")
    with (DATA / "fuel_day.csv").open(newline="", encoding="utf-8") as file:
        expected = [
            (
                line,
                row["sale number"],
                row["customer"],
                row["article"],
                Decimal(row["quantity"]),
                row["unit"],
                Decimal(row["amount"]),
            )
            for line, row in enumerate(csv.DictReader(file), start=2)
        ]
    assert [(r.line, r.sale, r.customer, r.article, r.quantity, r.unit, r.amount) for r in rows] == expected
    assert (problems, reader.rows_read, reader.skipped) == ([], 258, 0)
    reader.check()


def test_the_malformed_sample_is_reported_line_by_line() -> None:
    rows, problems, _ = read(DATA / "fuel_malformed.csv")
    assert [(problem.line, problem.field) for problem in problems] == [
        (3, "quantity"), (4, "time"), (6, "amount"), (7, "sale number"), (8, "unit"), (9, "row"), (10, "row")
    ]  # fmt: skip
    assert len(rows) + len(problems) == 12


def test_an_amount_may_be_quantity_times_price(tmp_path: Path) -> None:
    path = tmp_path / "retail.csv"
    path.write_text(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "536365,85123A,HEART,6,12/1/10 8:26,2.55,17850,United Kingdom\n"
        "536366,85123A,HEART,6,12/1/10 8:26,-2.55,17850,France\n"
    )
    row, problem = RowReader(path, TillMapping.load("online_retail"))
    assert isinstance(row, Row)
    assert (row.amount, row.time) == (Decimal("15.30"), datetime(2010, 12, 1, 8, 26, tzinfo=UTC))
    assert isinstance(problem, RowProblem)
    assert (problem.field, problem.reason) == ("UnitPrice", "is below zero")


# --- headers


@pytest.mark.parametrize(
    "header", ["time,sale", HEADER + ",time", HEADER.replace("amount", "total due"), 'time,"sale number'], ids=str
)
def test_a_header_that_cannot_be_read_is_the_end(rows_of: Read, header: str) -> None:
    with pytest.raises(TillError, match=r"till\.csv:1: "):
        rows_of(fuel("1"), header=header)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blank.csv").write_text("\n\n")
    with pytest.raises(TillError, match="there is no column"):
        read(tmp_path / "blank.csv")


@pytest.mark.parametrize(
    "header",
    [
        "时间,小票号,会员卡号,商品名称,数量,单位,金额",
        "交易时间,流水号,卡号,油品,加油量(L),计量单位,金额(元)",
        "﻿交易时间 ,单号,会员号,商品,数量,单位,销售金额（元）",
        "TIME,Sale Number,Customer,ARTICLE,Quantity,Unit,Amount (CNY)",
    ],
)
def test_chinese_headers_are_known(rows_of: Read, header: str) -> None:
    (row,), problems, _ = rows_of("2026/4/15 8:00:00,1,FC-1,95号汽油,10,升,5.00", header=header)
    assert (row.sale, row.customer, row.category, row.unit, problems) == ("1", "FC-1", "fuel", "升", [])


PAIRED = "日期,款台,时间,小票号,卡号,商品,数量,金额,原单号"


def test_columns_that_may_be_missing_are_read_when_they_are_there(rows_of: Read) -> None:
    (row,), _, _ = rows_of(
        "2026-04-15,款台2,08:00:00,2,FC-1,95#,-1,-5.00,1", header="日期,款台,时间,小票号,卡号,商品,数量,金额,原单号"
    )
    assert (row.till, row.unit, row.original, row.time) == ("款台2", "", "1", datetime(2026, 4, 15, tzinfo=UTC))
    assert row.is_negative
    none = [f"2026-04-15,1,08:00:00,2,FC-1,95#,1,5.00,{cell}" for cell in ("", "0", "000", "-", "/", "NULL")]
    assert [row.original for row in rows_of(*none, header=PAIRED).rows] == [""] * 6
    (row,), _, _ = rows_of(f"{TIME},2,FC-1,95#,1,5.00", header=HEADER.replace("unit,", ""))
    assert (row.till, row.unit, row.original) == ("", "", "")


def test_two_columns_that_may_be_the_same_are_asked_about(rows_of: Read) -> None:
    header = HEADER.replace("customer", "卡号") + ",会员号"
    with pytest.raises(TillError, match="more than one column may be customer: '卡号', '会员号'"):
        rows_of(fuel("1") + ",9", header=header)
    (row,), _, _ = rows_of(fuel("1") + ",9", header=header, columns={"customer": "会员号"})
    assert row.customer == "9"


def test_a_name_that_fits_exactly_comes_first(rows_of: Read) -> None:
    (row,), _, _ = rows_of(fuel("1", "5.00") + ",6.00", header=HEADER + ",amount (net)")
    assert row.amount == Decimal("5.00")


def test_lines_before_the_header_are_a_title(rows_of: Read) -> None:
    (row,), problems, reader = rows_of("2026-04-15,,,", "", HEADER, fuel("1"), header="Shop 7,,")
    assert (row.line, problems, reader.rows_read) == (5, [], 1)


def test_a_row_before_the_header_is_not_a_title(rows_of: Read) -> None:
    with pytest.raises(TillError, match=r"till\.csv:1: this is a row, but the header is in line 2"):
        rows_of(HEADER, fuel("2"), header=fuel("1"))
    (row,), _, _ = rows_of(HEADER, fuel("2"), header=fuel("1"), file={"header": 2})
    assert row.sale == "2"
    with pytest.raises(TillError, match=r"there is no line 9, which \[file\] header names"):
        rows_of(fuel("1"), file={"header": 9})


# --- which rows count


def test_blank_lines_do_no_harm(rows_of: Read) -> None:
    rows, problems, reader = rows_of("", fuel("1"), ",,,,,,", "  ", ",")
    assert (len(rows), problems, reader.rows_read) == (1, [], 1)


@pytest.mark.parametrize("footer", ["合计,,,,10,,5.00", ",,合计：,,,,5.00", "Total,,,,,,", "总计", ",小计,,,,,5"])
def test_a_footer_is_no_row(rows_of: Read, footer: str) -> None:
    rows, problems, reader = rows_of(fuel("1"), footer)
    assert (len(rows), problems, reader.rows_read, reader.skipped) == (1, [], 1, 0)


def test_a_row_of_a_till_called_total_is_no_footer(rows_of: Read) -> None:
    rows, problems, reader = rows_of(
        f"Total,{fuel('1')}", f"Total,{fuel('2', 'x')}", "Total,,3,FC-1,95#,1,L,1", header=f"till,{HEADER}"
    )
    assert ([row.sale for row in rows], [problem.sale for problem in problems], reader.skipped) == (
        ["1"],
        ["2", "3"],
        0,
    )


def test_a_header_that_stands_there_again_is_named(rows_of: Read) -> None:
    rows, (problem,), _ = rows_of(fuel("1"), HEADER, fuel("1"))
    assert ([row.line for row in rows], problem.line, problem.day) == ([2, 4], 3, None)


def test_a_coupon_may_be_a_piece_of_minus_five_yuan(rows_of: Read) -> None:
    (row,), _, _ = rows_of(f"{TIME},1,FC-1,Coupon,1,pcs,-5.00")
    assert (row.quantity, row.amount, row.is_negative) == (1, -5, False)


STATUS = HEADER + ",status"


def test_rows_count_only_with_one_of_the_values(rows_of: Read) -> None:
    rows, problems, reader = rows_of(
        fuel("1") + ",PAID", fuel("2") + ",VOIDED", fuel("3") + ",Ｐaid ", "rubbish,,,,,,,OPEN", ",,,,,,,",
        header=STATUS, rows={"only": {"Status": ["PAID"]}},
    )  # fmt: skip
    assert ([row.sale for row in rows], problems) == (["1", "3"], [])
    assert (reader.rows_read, reader.skipped) == (4, 2)
    reader.check()


def test_rows_with_one_of_the_values_are_skipped(rows_of: Read) -> None:
    lines = [fuel("1") + ",PAID", fuel("2") + ",VOIDED", fuel("3") + ",cancelled"]
    rows, _, reader = rows_of(*lines, header=STATUS, rows={"skip": {"status": ["voided", "Cancelled"]}})
    assert ([row.sale for row in rows], reader.skipped) == (["1"], 2)
    reader.check()


def test_a_skipped_status_with_one_more_word_is_undecided(rows_of: Read) -> None:
    _, _, reader = rows_of(
        fuel("1") + ",PAID",
        fuel("2") + ",VOIDED",
        fuel("3") + ",cancelled",
        header=STATUS,
        rows={"skip": {"status": ["VOIDED"]}},
    )
    with pytest.raises(TillError, match="'cancelled'"):
        reader.check()


def test_a_value_that_looks_as_if_it_counts_is_not_left_out_silently(rows_of: Read) -> None:
    """The till has learned a new word: its sales would be skipped every day, and nobody would know."""
    lines = [fuel("1") + ",PAID", fuel("2") + ",settled", fuel("3") + ",VOIDED"]
    found = rows_of(*lines, header=STATUS, rows={"only": {"status": ["PAID"]}})
    with pytest.raises(TillError, match=r"column 'status' has 'settled', which looks as if it counts"):
        found.reader.check()
    found = rows_of(*lines, header=STATUS, rows={"only": {"status": ["PAID"]}, "skip": {"status": ["Settled", "void"]}})
    with pytest.raises(TillError, match=r"column 'status' has 'VOIDED', which is in neither list"):
        found.reader.check()
    found = rows_of(
        *lines, header=STATUS, rows={"only": {"status": ["PAID"]}, "skip": {"status": ["Settled", "voided"]}}
    )
    assert ([row.sale for row in found.rows], found.reader.skipped) == (["1"], 2)
    found.reader.check()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("status", ["PAID", "VOIDED"]),
        ("状态", ["1", "2"]),
        ("交易状态", ["成功", "作废"]),
        ("IsVoided", ["0", "1"]),
        ("Txn_Status", ["A", ""]),
        ("交易类型", ["消费", "充值"]),
        ("memo", ["", "VOID"]),
        ("备注", ["", "已作废"]),
        ("info", ["PAID", "UNPAID"]),
        ("x", ["VOIDED", "VOIDED"]),
        ("payment", ["cash", "voided"]),
        ("kind", ["sale", "refund"]),
        ("operator", ["Li", "voided by Li"]),
        ("备注", ["", "收银员作废:张三"]),
        ("训练", ["测试", ""]),
        ("paid", ["true", "false"]),
        ("x", ["", "Y"]),
        ("settled", ["0", "1"]),
        ("是否结算", ["是", "否"]),
    ],
)
def test_a_column_that_looks_like_a_status_must_be_decided(rows_of: Read, name: str, values: list[str]) -> None:
    lines = [f"{fuel(str(n))},{value}" for n, value in enumerate(values)]
    _, _, reader = rows_of(*lines, header=f"{HEADER},{name}")
    with pytest.raises(TillError) as caught:
        reader.check()
    said = str(caught.value)
    assert "till.csv" in said
    assert f"column {name!r} looks like a status" in said
    assert all(repr(value) in said for value in values)
    assert "[rows.only]" in said
    rows_of(*lines, header=f"{HEADER},{name}", rows={"ignore": [name]}).reader.check()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("status", ["PAID", "PAID"]),
        ("payment", ["cash", "wechat"]),
        ("支付方式", ["现金", "微信"]),
        ("paid", ["200.00", "62.26"]),
        ("payment", ["credit", "paid"]),
        ("description", ["Tea", "Coffee"]),
        ("cashier", ["Anna", "Bert"]),
        ("description", ["Device to avoid rust", "Openable tin"]),
        ("", ["x", "y"]),
    ],
)
def test_a_column_that_looks_like_no_status_needs_no_decision(rows_of: Read, name: str, values: list[str]) -> None:
    lines = [f"{fuel(str(n))},{value}" for n, value in enumerate(values)]
    rows_of(*lines, header=f"{HEADER},{name}").reader.check()


def test_a_word_of_a_status_is_found_among_many_texts(rows_of: Read) -> None:
    lines = [f"{fuel(str(n))},remark {n}" for n in range(9_000)]
    rows_of(*lines, header=f"{HEADER},remark").reader.check()
    reader = rows_of(*lines, fuel("x") + ",作废", header=f"{HEADER},remark").reader
    with pytest.raises(TillError, match=r"column 'remark' looks like a status \(it has '作废'\)"):
        reader.check()


def test_values_of_skipped_and_malformed_rows_are_not_asked_about(rows_of: Read) -> None:
    lines = [f"{fuel('1')},PAID,0", f"{fuel('2')},VOIDED,1", "x,,,,,,,PAID,2", "合计,,,,,,,,"]
    rows_of(*lines, header=f"{HEADER},status,is void", rows={"only": {"status": "PAID"}}).reader.check()


def test_a_column_that_rows_names_must_be_there(rows_of: Read) -> None:
    with pytest.raises(TillError, match=r"there is not one column 'state', which \[rows\] names"):
        rows_of(fuel("1"), rows={"only": {"state": ["PAID"]}})


# --- times that a clock change touches

LONDON = {"zone": "Europe/London"}


def test_a_return_after_the_clocks_went_back_is_later_than_its_sale(rows_of: Read) -> None:
    rows, problems, reader = rows_of(
        fuel("1", time="2025-10-26 01:50:00"), fuel("2", time="2025-10-26 01:10:00"), till=LONDON
    )
    assert [(row.sale, row.time) for row in rows] == [
        ("1", datetime(2025, 10, 26, 0, 50, tzinfo=UTC)), ("2", datetime(2025, 10, 26, 1, 10, tzinfo=UTC))
    ]  # fmt: skip
    assert (problems, reader.rows_read) == ([], 2)


def test_times_that_may_be_of_either_hour_or_do_not_exist_are_malformed(rows_of: Read) -> None:
    times = ["2025-10-26 00:30:00", "2025-10-26 01:50:00", "2025-10-26 02:10:00", "2026-03-29 01:30:00"]
    rows, problems, reader = rows_of(*(fuel(str(n), time=time) for n, time in enumerate(times)), till=LONDON)
    assert [row.sale for row in rows] == ["0", "2"]
    assert sorted((problem.sale, problem.day, problem.reason[:14]) for problem in problems) == [
        ("1", date(2025, 10, 26), "exists twice i"), ("3", date(2026, 3, 29), "does not exist")
    ]  # fmt: skip
    assert reader.rows_read == 4


def test_rows_that_wait_for_the_next_one_are_found_across_a_long_file(rows_of: Read) -> None:
    """The file is read in pieces; the rows of the hour that exists twice may be in two of them."""
    out = io.StringIO()
    for till in ("1", "2"):
        for hour in ("00", "01", "01", "02"):
            for minute in range(60):
                for n in range(40):
                    out.write(f"{till},{fuel(f'{n}', time=f'2025-10-26 {hour}:{minute:02}:00')}\n")
    rows, problems, _ = rows_of(*out.getvalue().splitlines(), header=f"till,{HEADER}", till=LONDON)
    assert problems == []
    by_till = {till: [row.time for row in sorted(rows) if row.till == till] for till in ("1", "2")}
    assert by_till["1"] == by_till["2"] == sorted(by_till["1"])
    assert {len(times) for times in by_till.values()} == {4 * 60 * 40}
