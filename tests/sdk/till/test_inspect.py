"""`tongdui till inspect`: the mapping that is proposed for a file reads its rows exactly, whatever the till has done to them."""

from __future__ import annotations

import csv
import json
import os
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.nightly import by_day
from tongdui._errors import TillError
from tongdui.till._inspect import Inspection, inspect_till
from tongdui.till._mapping import TillMapping
from tongdui.till._rows import Row, RowReader

ROOT = Path(__file__).parents[3]

ODD = (
    b",",
    b'"',
    b"\n",
    b"\r",
    b";",
    b"\t",
    b"\x00",
    b"NULL",
    b"sep=;\n",
    b"9" * 40,
    b"1E5",
    "²".encode(),
    "٣".encode(),
    b"\x1b[2J",
)
ENGLISH = """\
time,sale number,customer,article,quantity,unit,amount
2026-04-15 08:01:40,0001,FC-1001,95#,32.10,L,262.26
2026-04-15 08:01:40,0001,FC-1001,"Tea eggs, 2",1,pcs,4.00
2026-04-15 09:30:00,0002,,92#,12.00,L,95.40
"""
CHINESE = """\
交易时间,流水号,会员卡号,商品名称,数量,单位,实收金额
2026-04-15 08:01:40,0001,FC-1001,95#,32.10,升,262.26
2026-04-15 08:01:40,0001,FC-1001,茶叶蛋,1,个,4.00
2026-04-15 09:30:00,0002,,92#,12.00,升,95.40
"""
SALES = [
    ("0001", "2026-04-15T00:01:40", "FC-1001", "95#", "fuel", "32.10", "262.26"),
    ("0001", "2026-04-15T00:01:40", "FC-1001", "Tea eggs, 2", "shop", "1", "4.00"),
    ("0002", "2026-04-15T01:30:00", "", "92#", "fuel", "12.00", "95.40"),
]
CHINESE_SALES = [SALES[0], (*SALES[1][:3], "茶叶蛋", *SALES[1][4:]), SALES[2]]


def inspected(tmp_path: Path, content: str | bytes, name: str = "day.csv") -> Inspection:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return inspect_till(path)


def table(*rows: str, header: str = "time,sale number,customer,article,quantity,amount") -> str:
    return "\n".join((header, *rows)) + "\n"


def read(inspection: Inspection) -> list[Row]:
    """The rows of the file as the proposed text reads them, all of them good."""
    mapping = TillMapping.parse(tomllib.loads(inspection.toml), "proposed")
    reader = RowReader(inspection.path, mapping)
    rows = list(reader)
    reader.check()
    assert [row for row in rows if not isinstance(row, Row)] == []
    return [row for row in rows if isinstance(row, Row)]


def sales(inspection: Inspection) -> list[tuple[str, ...]]:
    return [
        (
            row.sale,
            row.time.isoformat()[:19],
            row.customer,
            row.article,
            row.category,
            str(row.quantity),
            str(row.amount),
        )
        for row in read(inspection)
    ]


def amounts(inspection: Inspection) -> list[Decimal]:
    return [row.amount for row in read(inspection)]


def times(inspection: Inspection) -> list[str]:
    """Times on the till's own clock."""
    return [row.time.astimezone(ZoneInfo("Asia/Shanghai")).isoformat()[:19] for row in read(inspection)]


def found(inspection: Inspection, *words: str) -> bool:
    """Whether one finding has all of the words."""
    return any(all(word in finding for word in words) for finding in inspection.findings)


def document(inspection: Inspection) -> dict[str, Any]:
    return tomllib.loads(inspection.toml)


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))


# ---------------------------------------------------------------- encodings


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [
        ("utf-8", ""), ("utf-8-sig", ""), ("utf-16", ""), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"),
        ("gb18030", "gb18030"), ("gbk", "gb18030"), ("gb2312", "gb18030"),
    ],
)  # fmt: skip
def test_chinese_file_is_read_in_every_encoding(tmp_path: Path, codec: str, encoding: str) -> None:
    inspection = inspected(tmp_path, CHINESE.encode(codec))
    assert sales(inspection) == CHINESE_SALES
    assert document(inspection).get("file", {}).get("encoding", "") == encoding


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_mark_is_read_in_both_orders(tmp_path: Path, codec: str) -> None:
    assert sales(inspected(tmp_path, ("\ufeff" + CHINESE).encode(codec))) == CHINESE_SALES


def test_western_file_is_windows_1252(tmp_path: Path) -> None:
    text = table("2026-04-15 08:01:40,1,C-1001,Café crème,1,2.50", "2026-04-15 08:02:40,2,C-1002,Thé,1,€2.50")
    inspection = inspected(tmp_path, text.encode("cp1252"))
    assert [(row.article, row.amount) for row in read(inspection)] == [
        ("Café crème", Decimal("2.50")),
        ("Thé", Decimal("2.50")),
    ]
    assert document(inspection)["file"]["encoding"] == "cp1252"


def test_encoding_is_decided_by_the_whole_file(tmp_path: Path) -> None:
    plain = "".join(f"2026-04-15 08:01:40,{number:05},FC-1001,95#,1.00,8.00\n" for number in range(30_000))
    last = "2026-04-15 08:02:00,99999,FC-1002,矿泉水,1,2.00\n"
    inspection = inspected(tmp_path, table().encode() + plain.encode() + last.encode("gbk"))
    assert document(inspection)["file"]["encoding"] == "gb18030"
    assert read(inspection)[-1].article == "矿泉水"


def test_few_lines_that_are_no_text_do_not_change_the_encoding(tmp_path: Path) -> None:
    good = CHINESE + "".join(f"2026-04-15 10:00:00,1{n:03},FC-2,可乐,1,个,3.00\n" for n in range(50))
    inspection = inspected(tmp_path, good.encode() + b"2026-04-15 10:00:00,2000,FC-2,\xff\xfe\xff,1,\xff,3.00\n")
    assert "file" not in document(inspection)
    assert found(inspection, "not text in UTF-8", "line 55")
    assert found(inspection, "reads 53 of the first 54 rows")


# ---------------------------------------------------------------- layout


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    text = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in cells(ENGLISH))
    inspection = inspected(tmp_path, text)
    assert sales(inspection) == SALES
    assert inspection.mapping.file.delimiter == delimiter


def test_sep_line_is_obeyed(tmp_path: Path) -> None:
    text = "sep=;\n" + ENGLISH.replace("eggs, 2", "eggs").replace(",", ";")
    inspection = inspected(tmp_path, text.replace("\n", "\r\n"))
    assert [row[3] for row in sales(inspection)] == ["95#", "Tea eggs", "92#"]
    assert found(inspection, "sep=;")


def test_title_lines_before_the_header_and_footers_are_no_rows(tmp_path: Path) -> None:
    title = "加油站销售明细表\n日期: 2026-04-15,,,,,,\n\n"
    footer = "合 计,,,,44.10,,361.66\n制表人: 张三,,,,,,\n\n"
    inspection = inspected(tmp_path, title + CHINESE + footer)
    assert sales(inspection) == CHINESE_SALES
    assert document(inspection)["file"]["footer"] == ["合 计", "制表"]
    assert found(inspection, "Line 4 names the columns")


def test_subtotal_is_a_footer_but_an_article_with_such_a_name_is_not(tmp_path: Path) -> None:
    text = table(
        "Total wash,0001,C-1,2026-04-15 08:01:40,1,5.00",
        "Subtotal,,,,,5.00",
        "Water,0002,C-1,2026-04-15 08:03:40,1,2.00",
        "Total: 7,,,,,7.00",
        header="article,sale number,customer,time,quantity,amount",
    )
    assert [row.article for row in read(inspected(tmp_path, text))] == ["Total wash", "Water"]


def test_unknown_remark_at_the_end_is_proposed_as_a_footer(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, ENGLISH + "Filiale Nord 17,,,,,,\n")
    assert sales(inspection) == SALES
    assert document(inspection)["file"]["footer"] == ["Filiale Nord"]


def test_header_that_stands_on_each_page_is_no_row(tmp_path: Path) -> None:
    header, *rows = (line + ",status" if n == 0 else line + ",PAID" for n, line in enumerate(ENGLISH.splitlines()))
    inspection = inspected(tmp_path, "\n".join([header, rows[0], rows[1], header, rows[2].replace("PAID", "VOID")]))
    assert sales(inspection) == SALES[:2]
    assert document(inspection)["rows"] == {"only": {"status": ["PAID"]}, "skip": {"status": ["VOID"]}}


def test_old_macintosh_line_ends_are_read(tmp_path: Path) -> None:
    assert sales(inspected(tmp_path, ENGLISH.replace("\n", "\r"))) == SALES


def test_every_row_of_a_long_file_is_looked_at_for_statuses(tmp_path: Path) -> None:
    lines = [f"2026-04-15 08:01:40,{number:06},FC-1001,95#,1.00,8.00,PAID" for number in range(45_000)]
    lines[33_001] = lines[33_001].replace("PAID", "VOIDED")
    header = "time,sale number,customer,article,quantity,amount,status"
    inspection = inspected(tmp_path, table(*lines, header=header))
    assert "VOIDED (1)" in inspection.toml
    assert len(read(inspection)) == 44_999
    assert found(inspection, "45,001 lines", "first 20,000 rows")


# ---------------------------------------------------------------- workbooks


def workbook(tmp_path: Path, *rows: list[Any], before: str = "") -> Inspection:
    book = openpyxl.Workbook()
    if before:
        book.create_sheet(before, 0).append(["Notes", "of", "the", "shift"])
    for row in rows:
        book.worksheets[-1].append(row)
    path = tmp_path / "day.xlsx"
    book.save(path)
    return inspect_till(path)


def local(*parts: int) -> datetime:
    """A time as a workbook has it: without a zone."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)


def test_workbook_with_dates_is_read(tmp_path: Path) -> None:
    inspection = workbook(
        tmp_path,
        ["加油站销售明细"],
        ["交易时间", "流水号", "会员卡号", "商品名称", "数量", "单位", "实收金额"],
        [local(2026, 4, 15, 8, 1, 40), "0001", "FC-1001", "95#", 32.1, "升", 262.26],
        [local(2026, 4, 15, 9, 30), "0002", None, "92#", 12, "升", 95.4],
        ["合计", None, None, None, 44.1, None, 357.66],
    )
    assert sales(inspection) == [
        ("0001", "2026-04-15T00:01:40", "FC-1001", "95#", "fuel", "32.1", "262.26"),
        ("0002", "2026-04-15T01:30:00", "", "92#", "fuel", "12", "95.4"),
    ]


def test_sheet_with_the_sales_is_chosen(tmp_path: Path) -> None:
    inspection = workbook(tmp_path, *cells(ENGLISH), before="Notes")
    assert sales(inspection) == SALES
    assert document(inspection)["file"]["sheet"] == "Sheet"


def test_workbook_with_date_and_time_in_two_columns_is_read(tmp_path: Path) -> None:
    inspection = workbook(
        tmp_path,
        ["交易日期", "交易时间", "流水号", "会员卡号", "油品", "升数", "金额"],
        [local(2026, 4, 15), time(8, 1, 40), "0001", "FC-1001", "95#", 32.1, 262.26],
        [local(2026, 4, 15), time(9, 30), "0002", "FC-1002", "92#", 12.5, 95.4],
    )
    assert times(inspection) == ["2026-04-15T08:01:40", "2026-04-15T09:30:00"]


def test_workbook_is_known_whatever_its_name(tmp_path: Path) -> None:
    workbook(tmp_path, *cells(ENGLISH))
    assert sales(inspect_till((tmp_path / "day.xlsx").rename(tmp_path / "day.csv"))) == SALES


def test_serial_days_of_a_workbook_are_read(tmp_path: Path) -> None:
    rows = (["time", "sale", "card", "item", "qty", "amount"], [46127.33449, "0001", "FC-1001", "95#", 12.5, 95.4])
    assert times(workbook(tmp_path, *rows)) == ["2026-04-15T08:01:40"]


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("written", "local"),
    [
        ("2026-04-15 08:01:40", "2026-04-15T08:01:40"),
        ("2026-04-15T08:01:40", "2026-04-15T08:01:40"),
        ("2026-04-15T08:01:40+08:00", "2026-04-15T08:01:40"),
        ("2026-04-15T00:01:40Z", "2026-04-15T08:01:40"),
        ("2026/4/15 8:01:40", "2026-04-15T08:01:40"),
        ("2026/04/15 08:01", "2026-04-15T08:01:00"),
        ("2026.04.15 08:01", "2026-04-15T08:01:00"),
        ("2026年4月15日 8:01:40", "2026-04-15T08:01:40"),
        ("2026年04月15日08时01分40秒", "2026-04-15T08:01:40"),
        ("20260415080140", "2026-04-15T08:01:40"),
        ("20260415 08:01:40", "2026-04-15T08:01:40"),
        ("15/04/2026 08:01", "2026-04-15T08:01:00"),
        ("4/15/26 8:01", "2026-04-15T08:01:00"),
        ("04/15/2026 08:01:40 PM", "2026-04-15T20:01:40"),
        ("15.04.2026 08:01", "2026-04-15T08:01:00"),
        ("15.04.26 08:01:40", "2026-04-15T08:01:40"),
        ("26-04-15 08:01:40", "2026-04-15T08:01:40"),
        ("15-Apr-2026 08:01", "2026-04-15T08:01:00"),
        ("46127.33449", "2026-04-15T08:01:40"),
        ("2026-04-15 08:01:40.500", "2026-04-15T08:01:40"),
        ("2026-04-15", "2026-04-15T00:00:00"),
    ],
)
def test_form_of_a_time_is_found(tmp_path: Path, written: str, local: str) -> None:
    inspection = inspected(tmp_path, table(f"{written},0001,FC-1001,95#,12.00,100.00"))
    assert times(inspection) == [local]


def test_several_forms_are_found(tmp_path: Path) -> None:
    rows = ("2026-04-15 08:01:40", "2026-04-15T00:01:40Z", "2026/4/15 8:01")
    inspection = inspected(tmp_path, table(*(f"{row},000{n},C-1,95#,12.00,100.00" for n, row in enumerate(rows))))
    assert times(inspection) == ["2026-04-15T08:01:40", "2026-04-15T08:01:40", "2026-04-15T08:01:00"]


def test_midnight_is_a_time_like_any_other(tmp_path: Path) -> None:
    rows = ("2026-04-15 00:00:00,1,C-1,95#,1.00,8.00", "2026-04-15 08:00:00,2,C-1,95#,1.00,8.00")
    inspection = inspected(tmp_path, table(*rows))
    assert document(inspection)["till"]["times"] == ["%Y-%m-%d %H:%M:%S"]
    assert times(inspection) == ["2026-04-15T00:00:00", "2026-04-15T08:00:00"]


@pytest.mark.parametrize(("last", "first"), [("04/13/2026", "2026-04-05"), ("13/04/2026", "2026-05-04")])
def test_order_of_day_and_month_is_decided_by_a_day_after_the_twelfth(tmp_path: Path, last: str, first: str) -> None:
    rows = ("04/05/2026 08:00,1,C-1,95#,1.00,8.00", f"{last} 08:00,2,C-1,95#,1.00,8.00")
    inspection = inspected(tmp_path, table(*rows))
    assert times(inspection)[0][:10] == first
    assert not found(inspection, "Open question")


def test_order_of_day_and_month_that_nothing_decides_is_an_open_question(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, table("04/05/2026 08:00,1,C-1,95#,1.00,8.00"))
    assert times(inspection) == ["2026-05-04T08:00:00"]
    assert found(inspection, "Open question", "04/05/2026 08:00", "%m/%d/%Y %H:%M")
    assert "# CHECK: 04/05/2026 08:00 could also be read as %m/%d/%Y %H:%M" in inspection.toml


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        ("2026-04-15", "08:01:40"),
        ("2026/4/15", "8:01:40"),
        ("20260415", "080140"),
        ("2026年4月15日", "08:01:40"),
        ("15.04.2026", "08:01:40"),
        ("2026-04-15 00:00:00", "08:01:40"),
        ("2026-04-15", "1899-12-30 08:01:40"),
        ("46127", "0.33449"),
    ],
)
def test_date_and_time_in_two_columns_are_put_together(tmp_path: Path, day: str, clock: str) -> None:
    header = "交易日期,交易时间,流水号,会员卡号,油品名称,加油量,加油金额"
    inspection = inspected(tmp_path, table(f"{day},{clock},0001,FC-1001,95#,12.00,100.00", header=header))
    assert times(inspection) == ["2026-04-15T08:01:40"]
    assert document(inspection)["columns"]["date"] == "交易日期"


def test_mistake_among_times_is_no_form(tmp_path: Path) -> None:
    rows = [f"2026-04-15 08:01:{n:02},{n:04},FC-1001,95#,12.00,100.00" for n in range(20)]
    odd = ("16/04/2026 08:04,0020,FC-1001,95#,12.00,100.00", "soon,0021,FC-1,95#,1.00,1.00")
    inspection = inspected(tmp_path, table(*rows, *odd))
    assert document(inspection)["till"]["times"] == ["%Y-%m-%d %H:%M:%S"]
    assert found(inspection, "first line 22", "16/04/2026 08:04")


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (["262.26"], "262.26"),
        (['"262,26"'], "262.26"),
        (['"0,90 €"'], "0.90"),
        (['"1,262.26"'], "1262.26"),
        (['"1.262,26"'], "1262.26"),
        (["1 262.26"], "1262.26"),
        (["1\u00a0262.26"], "1262.26"),
        (["1'262.26"], "1262.26"),
        (["1’262.26"], "1262.26"),
        (["¥262.26"], "262.26"),
        (["￥262.26"], "262.26"),
        (["262.26元"], "262.26"),
        (["£ 262.26"], "262.26"),
        (["HK$262.26"], "262.26"),
        ([".50"], "0.50"),
        (['"-,50"'], "-0.50"),
        (["(5.25)"], "-5.25"),
        (["5.25-"], "-5.25"),
        (["-5.25"], "-5.25"),
        (["¥-5.25"], "-5.25"),
        (["-¥5.25"], "-5.25"),
        (['"1,262"', "3.50"], "1262"),
        (['"1,262,000"'], "1262000"),
        (["12.345"] * 3, "12.345"),
    ],
)
def test_form_of_numbers_is_found(tmp_path: Path, written: list[str], value: str) -> None:
    quantity = "-1" if value.startswith("-") else "1"
    rows = [f"2026-04-15 08:00:{n:02},{n},C-1,Tea,{quantity},{number}" for n, number in enumerate(written)]
    assert amounts(inspected(tmp_path, table(*rows)))[0] == Decimal(value)


def test_forms_of_one_file_are_put_together(tmp_path: Path) -> None:
    rows = (
        "2026-04-15 08:00;1;C-1;95#;1.032,10;1.262,26 €",
        "2026-04-15 08:01;2;C-1;Tea;-1;5,25-€",
        "2026-04-15 08:02;3;C-1;Tea;1;,50 €",
    )
    inspection = inspected(tmp_path, table(*rows, header="time;sale number;customer;article;quantity;amount"))
    assert [(row.quantity, row.amount) for row in read(inspection)] == [
        (Decimal("1032.10"), Decimal("1262.26")),
        (Decimal(-1), Decimal("-5.25")),
        (Decimal(1), Decimal("0.50")),
    ]
    assert document(inspection)["numbers"] == {
        "decimal": ",",
        "thousands": ".",
        "currency": ["€"],
        "negative": ["leading", "trailing"],
        "bare_fraction": True,
    }


def test_several_currencies_are_an_open_question(tmp_path: Path) -> None:
    rows = (
        "2026-04-15 08:00,1,C-1,Tea,1,¥5.00",
        "2026-04-15 08:01,2,C-1,Tea,1,5.00元",
        "2026-04-15 08:02,3,C-1,Tea,1,€5.00",
    )
    assert found(inspected(tmp_path, table(*rows)), "Open question", "several currencies", "'€'")
    assert not found(inspected(tmp_path, table(*rows[:2])), "several currencies")


def test_number_that_may_be_two_is_an_open_question(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, table('2026-04-15 08:00,1,C-1,Tea,1,"1,262"'))
    assert amounts(inspection) == [Decimal(1262)]
    assert found(inspection, "Open question", "1,262")
    assert "# CHECK: Numbers such as 1,262" in inspection.toml


def test_unit_behind_the_quantity_is_taken_away(tmp_path: Path) -> None:
    rows = ("2026-04-15 08:00,1,C-1,95#,32.10L,262.26", "2026-04-15 08:01,2,C-1,92#,12.00L,95.40")
    assert [row.quantity for row in read(inspected(tmp_path, table(*rows)))] == [Decimal("32.10"), Decimal("12.00")]


# ---------------------------------------------------------------- columns


def test_columns_are_found_by_what_they_contain(tmp_path: Path) -> None:
    rows = (
        "15.04.2026 08:01;B-10001;60110001;95#;2,50;8,00;20,00",
        "15.04.2026 08:01;B-10001;60110001;Brezel;2;1,20;2,40",
        "15.04.2026 08:05;B-10002;;Brezel;1;1,20;1,20",
        "15.04.2026 08:09;B-10003;60110002;95#;10,00;8,00;80,00",
        "15.04.2026 08:15;B-10004;60110001;Wasser;3;0,90;2,70",
    )
    inspection = inspected(tmp_path, table(*rows, header="F1;F2;F3;F4;F5;F6;F7"))
    assert document(inspection)["columns"] == {
        "time": "F1",
        "sale": "F2",
        "customer": "F3",
        "article": "F4",
        "quantity": "F5",
        "amount": "F7",
    }
    assert [row.customer for row in read(inspection)] == ["60110001", "60110001", "", "60110002", "60110001"]
    assert found(inspection, "No name tells which column is customer", "'F3'")


def test_names_are_found_whatever_their_case_and_brackets(tmp_path: Path) -> None:
    header = "SALE_TIME,Receipt-No.,Card Number,PRODUCT NAME,Qty,Amount (GBP),Unit price,POS"
    inspection = inspected(tmp_path, table("2026-04-15 08:01,1,C-1001,Tea,2,5.00,2.50,3", header=header))
    (row,) = read(inspection)
    assert (row.till, row.sale, row.customer, row.amount) == ("3", "1", "C-1001", Decimal("5.00"))


def test_unit_prices_are_used_where_each_row_repeats_the_total_of_its_sale(tmp_path: Path) -> None:
    rows = (
        "2026-04-15 08:01,1,C-1,Tea,2,2.50,9.00",
        "2026-04-15 08:01,1,C-1,Bun,1,4.00,9.00",
        "2026-04-15 08:02,2,C-1,Tea,1,2.50,2.50",
    )
    header = "time,sale number,customer,article,quantity,unit price,total"
    inspection = inspected(tmp_path, table(*rows, header=header))
    assert amounts(inspection) == [Decimal("5.00"), Decimal("4.00"), Decimal("2.50")]
    assert found(inspection, "'total' repeats the total of a sale", "unit price")


def test_total_of_a_sale_is_no_amount_of_a_row(tmp_path: Path) -> None:
    rows = (
        "2026-04-15 08:01,1,8001,95#,10.00,100.00,103.00",
        "2026-04-15 08:01,1,8001,可乐,1,3.00,103.00",
        "2026-04-15 08:05,2,8002,可乐,1,3.00,3.00",
    )
    inspection = inspected(tmp_path, table(*rows, header="交易时间,小票号,会员卡号,商品名称,数量,金额,实收金额"))
    assert amounts(inspection) == [Decimal("100.00"), Decimal("3.00"), Decimal("3.00")]
    assert found(inspection, "'实收金额' repeats the total of a sale", "金额 is used")


def test_names_of_fuels_are_preferred_to_codes(tmp_path: Path) -> None:
    rows = ("2026-04-15 08:01,1,8001,1001,95号汽油,100.00,1", "2026-04-15 08:02,2,8001,2001,Tea,3.00,1")
    inspection = inspected(tmp_path, table(*rows, header="time,receipt,card,product code,product name,amount,qty"))
    assert [(row.article, row.category) for row in read(inspection)] == [("95号汽油", "fuel"), ("Tea", "shop")]


def test_day_without_customers_and_returns_has_empty_columns(tmp_path: Path) -> None:
    header = "time,sale number,customer,article,quantity,amount,original receipt,till"
    inspection = inspected(tmp_path, table("2026-04-15 08:01,1,,95#,10.00,100.00,,", header=header))
    assert set(document(inspection)["columns"]) >= {"customer", "original"}
    assert "till" not in document(inspection)["columns"]
    assert [row.customer for row in read(inspection)] == [""]
    assert found(inspection, "No row names a customer")


def test_till_and_original_sale_are_found(tmp_path: Path) -> None:
    rows = ("2026-04-15 08:01,01,R0002,8001,可乐,-1,-3.00,0001", "2026-04-15 08:00,01,0001,8001,可乐,1,3.00,")
    inspection = inspected(tmp_path, table(*rows, header="时间,机号,小票号,会员号,品名,数量,金额,原小票号"))
    assert [(row.till, row.original) for row in read(inspection)] == [("01", "0001"), ("01", "")]
    assert document(inspection)["returns"] == {"prefix": "R"}


# ---------------------------------------------------------------- which rows, whose


def with_status(tmp_path: Path, *values: str, name: str = "状态") -> Inspection:
    rows = [f"2026-04-15 08:{n // 60:02}:{n % 60:02},{n},C-1,95#,1.00,8.00,{value}" for n, value in enumerate(values)]
    return inspected(tmp_path, table(*rows, header=f"time,sale number,customer,article,quantity,amount,{name}"))


def test_status_with_known_values_is_proposed_for_a_person_to_check(tmp_path: Path) -> None:
    inspection = with_status(tmp_path, "已支付", "作废", "已支付", "已取消")
    assert [row.sale for row in read(inspection)] == ["0", "2"]
    assert document(inspection)["rows"] == {"only": {"状态": ["已支付"]}, "skip": {"状态": ["作废", "已取消"]}}
    assert "# CHECK: 状态 says which rows count" in inspection.toml
    assert "已支付 (2), 作废 (1), 已取消 (1)" in inspection.toml


def test_status_with_unknown_values_makes_the_import_refuse(tmp_path: Path) -> None:
    inspection = with_status(tmp_path, "PAID", "REFUNDED", "Z9", name="state")
    reader = RowReader(inspection.path, inspection.mapping)
    assert len(list(reader)) == 3
    with pytest.raises(TillError, match="state"):
        reader.check()
    assert found(inspection, "Open question", "'REFUNDED' or 'Z9'")


def test_choice_about_a_status_is_toml_once_a_person_uncomments_it(tmp_path: Path) -> None:
    inspection = with_status(tmp_path, "PAID", "REFUNDED", name="state")
    chosen = inspection.toml.replace("# [rows.skip]\n# ", "[rows.skip]\n")
    mapping = TillMapping.parse(tomllib.loads(chosen), "chosen")
    reader = RowReader(inspection.path, mapping)
    assert [row.sale for row in reader] == ["0"]
    reader.check()


def test_two_statuses_share_the_section_of_a_setting(tmp_path: Path) -> None:
    inspection = with_status(tmp_path, "PAID,OK", "VOIDED,OK", "PAID,FAILED", name="status,result")
    assert document(inspection)["rows"] == {
        "only": {"status": ["PAID"], "result": ["OK"]},
        "skip": {"status": ["VOIDED"], "result": ["FAILED"]},
    }
    assert [row.sale for row in read(inspection)] == ["0"]


def test_column_without_a_telling_name_is_a_status_by_its_values(tmp_path: Path) -> None:
    assert document(with_status(tmp_path, "OK", "VOIDED", name="x1"))["rows"] == {
        "only": {"x1": ["OK"]},
        "skip": {"x1": ["VOIDED"]},
    }


def test_notes_that_call_a_row_off_are_for_a_person_to_judge(tmp_path: Path) -> None:
    notes = [f"note {n}" for n in range(60)] + ["voided by Li"]
    inspection = with_status(tmp_path, *notes, name="remark")
    with pytest.raises(TillError, match="remark"):
        read(inspection)
    chosen = inspection.toml.replace('# [rows]\n# ignore = ["remark"]', '[rows]\nignore = ["remark"]')
    reader = RowReader(inspection.path, TillMapping.parse(tomllib.loads(chosen), "chosen"))
    assert len(list(reader)) == 61
    reader.check()


def test_how_a_sale_was_paid_is_no_status(tmp_path: Path) -> None:
    inspection = with_status(tmp_path, "cash", "wechat", "card", name="payment")
    assert "rows" not in document(inspection)
    assert len(read(inspection)) == 3


def test_marks_for_no_customer_are_found(tmp_path: Path) -> None:
    marks = ["0", "NULL", "/", "-", "散客", "无", "0000000000"]
    rows = [f"2026-04-15 08:00:{n:02},{n},{mark},95#,1.00,8.00" for n, mark in enumerate([*marks, "FC-1001", ""])]
    inspection = inspected(tmp_path, table(*rows))
    assert [row.customer for row in read(inspection)] == [""] * 7 + ["FC-1001", ""]
    assert set(document(inspection)["customers"]["none"]) == set(marks)


def test_card_for_everybody_is_asked_about(tmp_path: Path) -> None:
    rows = [f"2026-04-15 08:{n:02}:00,{n},{'C-9999' if n % 2 else f'C-{n:04}'},95#,1.00,8.00" for n in range(60)]
    assert found(inspected(tmp_path, table(*rows)), "'C-9999'", "everybody")


def test_number_that_a_spreadsheet_destroyed_is_named(tmp_path: Path) -> None:
    rows = ("2026-04-15 08:00,1,6.22848E+15,95#,1.00,8.00", "2026-04-15 08:01,2,C-1,95#,1.00,8.00")
    assert found(inspected(tmp_path, table(*rows)), "1 row", "6.22848E+15", "'customer'")


def test_return_prefix_is_proposed_only_where_no_sale_has_it(tmp_path: Path) -> None:
    sold, back = "2026-04-15 08:00,P1,C-1,Tea,1,8.00", "2026-04-15 08:01,P2,C-1,Tea,-1,-8.00"
    assert "returns" not in document(inspected(tmp_path, table(sold, back)))
    inspection = inspected(tmp_path, table(sold, back.replace("P2", "TH-2"), back.replace("P2", "TH-3")))
    assert document(inspection)["returns"] == {"prefix": "TH-"}
    assert len(read(inspection)) == 3


# ---------------------------------------------------------------- numbers that are used again


def test_numbers_that_start_again_every_day_are_named(tmp_path: Path) -> None:
    rows = ("2026-04-15 08:00,0001,C-1,95#,1.00,8.00", "2026-04-16 08:00,0001,C-1,95#,1.00,8.00")
    inspection = inspected(tmp_path, table(*rows))
    assert found(inspection, "'0001'", "another day in line 3", "the day stays in the reference")
    days = [inspection.mapping.day_of(row.time) for row in read(inspection)]
    assert [inspection.mapping.reference_of("", day, "0001") for day in days] == [
        "till:2026-04-15:0001",
        "till:2026-04-16:0001",
    ]


def test_column_that_tells_equal_numbers_apart_is_named(tmp_path: Path) -> None:
    rows = ("2026-04-15 08:00,0001,C-1,95#,1.00,8.00,A,x", "2026-04-15 15:30,0001,,92#,1.00,8.00,B,x")
    inspection = inspected(
        tmp_path, table(*rows, header="time,sale number,customer,article,quantity,amount,lane 7,note")
    )
    assert found(inspection, "'0001' is used again on the same day, in line 3")
    assert found(inspection, "write till = 'lane 7'")


def test_row_for_each_payment_is_named(tmp_path: Path) -> None:
    rows = [f"2026-04-15 08:00,H3,FC-1,95#,32.10,262.26,{paid}" for paid in ("cash,200.00", "wechat,62.26")]
    inspection = inspected(
        tmp_path, table(*rows, header="time,sale number,customer,article,quantity,amount,payment,paid")
    )
    assert amounts(inspection) == [Decimal("262.26")] * 2
    assert found(inspection, "lines 2 and 3", "differ in 'payment', 'paid' only")


# ---------------------------------------------------------------- articles

WITH_UNIT = "time,sale number,customer,article,quantity,unit,amount"


@pytest.mark.parametrize(
    ("article", "unit"),
    [
        ("92#", "L"),
        ("0#", "L"),
        ("-10#", "L"),
        ("95号", "升"),
        ("92号车用汽油(VIB)", "升"),
        ("0号柴油", "升"),
        ("Diesel", "litre"),
        ("Super Unleaded", "L"),
        ("95", "L"),
        ("V-Power", "L"),
        ("LNG", "kg"),
    ],
)
def test_fuel_is_known_by_its_grade_its_name_or_its_litres(tmp_path: Path, article: str, unit: str) -> None:
    rows = (f"2026-04-15 08:00,1,C-1,{article},12.34,{unit},100.00", "2026-04-15 08:01,2,C-1,Bun,1,pcs,3.00")
    inspection = inspected(tmp_path, table(*rows, header=WITH_UNIT))
    assert [(row.article, row.category) for row in read(inspection)] == [(article, "fuel"), ("Bun", "shop")]
    assert document(inspection)["units"] == {"fuel": [unit], "shop": ["pcs"]}


@pytest.mark.parametrize("article", ["AdBlue 10L", "5号电池", "汽油添加剂", "Engine oil 5W-30 4L", "Cola 95"])
def test_what_only_looks_like_fuel_is_none(tmp_path: Path, article: str) -> None:
    rows = (f"2026-04-15 08:00,1,C-1,{article},1,pcs,100.00", "2026-04-15 08:01,2,C-1,95#,12.34,L,3.00")
    inspection = inspected(tmp_path, table(*rows, header=WITH_UNIT))
    assert [row.category for row in read(inspection)] == ["shop", "fuel"]


def test_grades_that_this_file_lacks_are_fuel_too(tmp_path: Path) -> None:
    fuel = document(inspected(tmp_path, ENGLISH))["articles"]["fuel"]
    assert fuel[:2] == ["95#", "92#"]
    assert {"98#", "0#", "-10#"} <= set(fuel)


def test_money_put_on_a_card_and_postage_get_no_points(tmp_path: Path) -> None:
    rows = [f"2026-04-15 08:00,{n},C-1,{name},1,8.00" for n, name in enumerate(("充值100元", "Postage", "Tea"))]
    inspection = inspected(tmp_path, table(*rows))
    assert [inspection.mapping.rule.rates[row.category] for row in read(inspection)] == [0, 0, 1]


def test_points_and_categories_are_for_a_person_to_check(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, ENGLISH)
    assert document(inspection)["points"] == {"fuel": "1", "shop": "2"}
    assert "# CHECK: points for one unit of currency" in inspection.toml
    assert "# fuel in this file: 95# (L, 1), 92# (L, 1)" in inspection.toml


def test_every_setting_has_its_reason(tmp_path: Path) -> None:
    rows = ("15.04.2026 08:00;1;;Tea;1;1.262,26 €", "15.04.2026 08:01;2;NULL;Tea;-1;5,25-€")
    inspection = inspected(tmp_path, table(*rows, header="time;sale number;customer;article;quantity;amount"))
    for line in (
        'decimal = ","  # such as 1.262,26 €',
        'thousands = "."  # such as 1.262,26 €',
        'negative = ["leading", "trailing"]  # such as 5,25-€',
        'none = ["NULL"]  # what stands where there was no customer',
        'time = "time"  # such as 15.04.2026 08:00',
    ):
        assert line in inspection.toml.splitlines()


# ---------------------------------------------------------------- mistakes and what is no till file


def test_file_with_mistakes_is_inspected() -> None:
    path = ROOT / "scripts/demo/data/fuel_malformed.csv"
    inspection = inspect_till(path)
    shipped = {row.line: row for row in RowReader(path, TillMapping.load("station")) if isinstance(row, Row)}
    read_here = {row.line: row for row in inspection.rows if isinstance(row, Row)}
    assert shipped.items() <= read_here.items()
    assert found(inspection, "line 10", "quotation mark")


def test_file_without_sales_is_known_by_its_header(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, table())
    assert document(inspection)["columns"]["amount"] == "amount"
    assert read(inspection) == []
    assert found(inspection, "names of the columns only")


def test_columns_with_nothing_that_can_be_read_are_known_by_their_names(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, table("soon,1,C-1,Tea,one,five", "later,2,C-1,Tea,two,six"))
    assert document(inspection)["columns"].keys() >= {"time", "quantity", "amount"}
    assert found(inspection, "reads 0 of the first 2 rows")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (bytes(range(256)) * 200, "not text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "old Excel workbook"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"<html><table><tr><td>time</td></tr></table></html>", "a web page"),
        (b"2026-04-15 08:00,1,C-1,95#,1.00,8.00\n2026-04-15 08:01,2,C-1,95#,1.00,8.00\n", "names the columns"),
        (b"hello world\n", "names the columns"),
        (b"time,sale number,article,quantity,amount\n2026-04-15 08:00,1,Tea,1,8.00\n", "the customer's number"),
    ],
)
def test_what_cannot_be_inspected_is_refused_in_words(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(TillError, match=reason) as refused:
        inspected(tmp_path, content)
    assert "day.csv" in str(refused.value)


def test_workbook_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TillError, match=r"day\.xlsx: this is no workbook that can be read"):
        inspected(tmp_path, b"PK\x03\x04 but no workbook", "day.xlsx")


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TillError, match="No such file"):
        inspect_till(tmp_path / "none.csv")


def test_control_characters_reach_neither_mapping_nor_findings(tmp_path: Path) -> None:
    inspection = with_status(tmp_path, "PAID", "\x1b[31mX", "OK\x07", name="status")
    assert all(mark.isprintable() or mark == "\n" for mark in inspection.toml)
    assert all(map(str.isprintable, inspection.findings))


@settings(
    max_examples=by_day(30, at_night=600), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_odd_content_is_inspected_or_refused_in_words(tmp_path: Path, data: st.DataObject) -> None:
    content = data.draw(st.sampled_from([ENGLISH.encode(), CHINESE.encode("gb18030"), CHINESE.encode("utf-16")]))
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(content)))
        gone = data.draw(st.integers(0, 20))
        new = data.draw(st.sampled_from(ODD) | st.binary(max_size=4))
        content = content[:place] + new + content[place + gone :]
    try:
        inspection = inspected(tmp_path, content)
    except TillError:
        return
    assert all(map(str.isprintable, inspection.findings))
    assert all(mark.isprintable() or mark == "\n" for mark in inspection.toml)


# ---------------------------------------------------------------- real files


def test_inspection_is_data(tmp_path: Path) -> None:
    inspection = inspected(tmp_path, ENGLISH + "soon,0003,,92#,1,L,8.00\n")
    data = json.loads(json.dumps(inspection.document()))
    assert data["rows"][0] == {
        "line": 2,
        "till": "",
        "sale": "0001",
        "time": "2026-04-15T00:01:40Z",
        "customer": "FC-1001",
        "article": "95#",
        "category": "fuel",
        "quantity": "32.10",
        "unit": "L",
        "amount": "262.26",
    }
    assert data["rows"][3]["field"] == "time"
    assert data["mapping"] == inspection.toml


def test_day_of_the_demo_is_read_as_with_the_shipped_mapping() -> None:
    path = ROOT / "scripts/demo/data/fuel_day.csv"
    assert read(inspect_till(path)) == list(RowReader(path, TillMapping.load("station")))


def test_british_shop_is_read_as_with_the_shipped_mapping() -> None:
    shared = Path(os.environ.get("TONGDUI_SHARED_DATA") or ROOT / ".." / "shared" / "data")
    path = shared / "online_retail.csv"
    if not path.exists():
        pytest.skip("online_retail.csv is not here; see TONGDUI_SHARED_DATA")
    inspection = inspect_till(path)
    shipped = TillMapping.load("online_retail")
    assert found(inspection, "does not name its time zone")
    rows = list(RowReader(path, replace(inspection.mapping, zone=shipped.zone)))
    assert rows == list(RowReader(path, shipped))
    assert len(rows) == 999
