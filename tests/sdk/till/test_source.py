"""Files as tills write them: encodings, delimiters, line ends, title lines, footers, workbooks."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.sdk.till.reading import HEADER, read
from tongdui import TillError
from tongdui.till._mapping import FileFormat
from tongdui.till._source import open_source

CHINESE = "时间,小票号,会员卡号,商品名称,数量,单位,金额(元)"
ROW = "2026-04-15 08:01:40,0001,FC-1,95#,32.10,L,262.26"
SECOND = "2026-04-15 08:02:00,0002,FC-2,茶,1,件,5.00"


def lines(path: Path, **file: Any) -> Iterator[tuple[int, list[str], str | None]]:
    """Each line with its number and why it is broken."""
    for first, rows, broken in open_source(path, FileFormat(**file)).lines():
        for place, row in enumerate(rows):
            yield first + place, row, broken.get(place)


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(*rows: str, encoding: str = "utf-8", end: str = "\n", mark: bytes = b"") -> Path:
        path = tmp_path / "till.csv"
        path.write_bytes(mark + (end.join(rows) + end).encode(encoding))
        return path

    return write


# --- encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_encoding_with_a_mark_needs_no_setting(file: Any, encoding: str, end: str) -> None:
    rows, problems, _ = read(file(CHINESE, ROW, SECOND, encoding=encoding, end=end))
    assert [(row.line, row.article, row.unit) for row in rows] == [(2, "95#", "L"), (3, "茶", "件")]
    assert problems == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_of_either_order_is_recognised_by_its_mark(file: Any, encoding: str) -> None:
    rows, _, _ = read(file("\ufeff" + CHINESE, SECOND, encoding=encoding))
    assert [row.article for row in rows] == ["茶"]


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "big5", "utf-16-le", "utf-8", "utf-32-be"])
def test_any_encoding_can_be_set(file: Any, encoding: str) -> None:
    rows, problems, _ = read(file(HEADER, ROW, SECOND, encoding=encoding), file={"encoding": encoding})
    assert ([row.article for row in rows], problems) == (["95#", "茶"], [])


def test_a_byte_order_mark_is_stronger_than_the_setting(file: Any) -> None:
    rows, _, _ = read(file(CHINESE, SECOND, encoding="utf-8-sig"), file={"encoding": "gb18030"})
    assert [row.article for row in rows] == ["茶"]


@pytest.mark.parametrize("encoding", ["gb18030", "cp1252", "latin-1"])
def test_utf_8_is_not_taken_for_an_old_encoding(file: Any, encoding: str) -> None:
    """In most encodings the bytes of 95号汽油 are some text; its fuel would be counted as goods from the shop."""
    path = file(HEADER, ROW.replace("95#", "95号汽油"), SECOND)
    with pytest.raises(TillError, match=r"this is UTF-8, but the mapping says .*: remove \[file\] encoding"):
        read(path, file={"encoding": encoding})


def test_bytes_that_are_no_text_cost_their_own_row_and_say_what_mends_it(file: Any) -> None:
    rows, (problem,), _ = read(file(HEADER, SECOND, ROW, encoding="gb18030", end="\r\n"))
    assert [row.sale for row in rows] == ["0001"]
    assert (problem.line, problem.field, problem.sale) == (2, "article", "0002")
    assert 'set [file] encoding in the mapping, such as "gb18030"' in problem.reason
    assert str(problem).isprintable()


def test_a_header_in_another_encoding_says_what_mends_it(file: Any) -> None:
    with pytest.raises(TillError, match=r'not in utf-8: set \[file\] encoding = "gb18030"') as caught:
        read(file(CHINESE, ROW, encoding="gb18030"))
    assert str(caught.value).isprintable()
    with pytest.raises(TillError, match=r'encoding = "utf-16-le"'):
        read(file(HEADER, ROW, encoding="utf-16-le"))


def test_an_escape_sequence_in_a_file_does_not_reach_the_terminal(file: Any) -> None:
    _, (problem,), _ = read(file(HEADER, ROW.replace("FC-1", "FC\x1b]0;gotcha\x07")))
    assert str(problem).isprintable()
    with pytest.raises(TillError) as caught:
        read(file(HEADER.replace("amount", "\x1b[31mamoumt"), ROW))
    assert str(caught.value).isprintable()


# --- lines


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;  "])
def test_a_first_line_that_names_the_separator_is_obeyed(file: Any, first: str) -> None:
    rows, _, _ = read(file(first, HEADER.replace(",", ";"), ROW.replace(",", ";"), end="\r\n"))
    assert [(row.line, row.sale) for row in rows] == [(3, "0001")]


def test_a_separator_may_be_a_tab(file: Any) -> None:
    for first, sections in ([["sep=\t"], {}], [[], {"file": {"delimiter": "\t"}}]):
        rows, _, _ = read(file(*first, HEADER.replace(",", "\t"), ROW.replace(",", "\t")), **sections)
        assert [row.sale for row in rows] == ["0001"]


def test_another_delimiter_is_proposed(file: Any) -> None:
    with pytest.raises(TillError, match=r'set \[file\] delimiter = ";"'):
        read(file(HEADER.replace(",", ";"), ROW.replace(",", ";")))


def test_a_quoted_line_break_costs_its_lines_and_no_other(file: Any) -> None:
    torn = ['2026-04-15 08:00:00,9,FC-1,"Tea', 'green",1,pcs,1.00']
    rows, problems, _ = read(file(HEADER, ROW, *torn, SECOND))
    assert [row.sale for row in rows] == ["0001", "0002"]
    assert [(problem.line, problem.field, problem.sale) for problem in problems] == [(3, "row", "9"), (4, "row", "")]
    assert problems[0].reason == "has a quotation mark that is not closed"


def test_two_quotation_marks_in_two_lines_swallow_nothing(file: Any) -> None:
    """Between them are good rows, which a CSV parser that reads on would take for one field."""
    bad = '2026-04-15 08:00:00,{},FC-1,"Tea,1,pcs,1.00'
    rows, problems, _ = read(file(HEADER, bad.format(7), ROW, SECOND, bad.format(8), ROW))
    assert [row.line for row in rows] == [3, 4, 6]
    assert [problem.sale for problem in problems] == ["7", "8"]


def test_quoted_fields_are_read_as_csv(file: Any) -> None:
    path = file("a,b", '"x, ""y""",z', "p", "", 'p "q" r,s', '"x"y,z', encoding="utf-8")
    assert list(lines(path)) == [
        (1, ["a", "b"], None),
        (2, ['x, "y"', "z"], None),
        (3, ["p"], None),
        (4, [], None),
        (5, ['p "q" r', "s"], None),
        (6, ['"x"y', "z"], "is not CSV: ',' expected after '\"'"),
    ]


def test_a_long_file_is_read_in_pieces_and_no_line_is_lost(file: Any) -> None:
    path = file(HEADER, *(f"2026-04-15 08:00:00,{n},FC-1,95#,1,L,1.00" for n in range(20_000)), 'x,"', ROW)
    rows, problems, reader = read(path)
    assert [row.line for row in rows] == [*range(2, 20_002), 20_003]
    assert [(problem.line, problem.field) for problem in problems] == [(20_002, "row")]
    assert reader.rows_read == 20_002


# --- workbooks


@pytest.fixture
def workbook(tmp_path: Path) -> Any:
    def write(*rows: list[Any], **more: list[list[Any]]) -> Path:
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "Sales"
        for title, others in more.items():
            book.create_sheet(title)
            for row in others:
                book[title].append(row)
        for row in rows:
            sheet.append(row)
        path = tmp_path / "till.xlsx"
        book.save(path)
        return path

    return write


HEAD = HEADER.split(",")
NOON = datetime(2026, 4, 15, 12, 0, 1)  # noqa: DTZ001 - a cell has no zone


def test_a_workbook_is_read_like_a_csv_file(workbook: Any) -> None:
    path = workbook(
        ["Shop 7"],
        HEAD,
        [NOON, "0001", "FC-1", "95#", 32.1, "L", 262.26],
        [None] * 7,
        ["2026-04-15 12:00:01", 2, 1001, "Tea", 1, "pcs", 5],
        [46127.500011574074, "0003", None, "95#", 1, "L", 0.3],
        ["合计", None, None, None, None, None, 267.26],
    )
    rows, problems, reader = read(path)
    assert problems == []
    assert [(row.line, row.sale, row.customer, str(row.quantity), str(row.amount)) for row in rows] == [
        (3, "0001", "FC-1", "32.1", "262.26"),
        (5, "2", "1001", "1", "5"),
        (6, "0003", "", "1", "0.3"),
    ]
    assert {row.time.isoformat() for row in rows} == {"2026-04-15T04:00:01+00:00"}
    assert (reader.rows_read, reader.skipped) == (3, 0)


def test_the_tail_of_digits_that_a_formula_leaves_is_no_money(workbook: Any) -> None:
    """0.1 + 0.2 is 0.30000000000000004 in the file and 0.3 on the screen; openpyxl would not write it, so we do."""
    path = workbook(HEAD, [NOON, "1", "FC-1", "95#", 1, "L", 0.3], [NOON, "2", "FC-1", "95#", 1, "L", 0.375])
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    name = "xl/worksheets/sheet1.xml"
    assert b"<v>0.3</v>" in parts[name]
    with zipfile.ZipFile(path, "w") as book:
        for part, content in parts.items():
            book.writestr(part, content.replace(b"<v>0.3</v>", b"<v>0.30000000000000004</v>"))
    (row,), (problem,), _ = read(path)
    assert row.amount == Decimal("0.3")
    assert (problem.value, problem.reason) == ("0.375", "has more than 2 decimals")


def test_date_and_time_cells_may_stand_in_two_columns(workbook: Any) -> None:
    head = ["日期", "时间", *CHINESE.split(",")[1:]]
    rest = ["1", "FC-1", "95#", 1, "升", 1]
    path = workbook(
        head,
        [datetime(2026, 4, 15), time(12, 0, 1), *rest],  # noqa: DTZ001
        [date(2026, 4, 15), timedelta(hours=12, seconds=1), *rest],
        ["2026/4/15", "12:00:01", *rest],
        [46127, 0.500011574074074, *rest],
        [datetime(2026, 4, 15), "2026-04-15 12:00:01", *rest],  # noqa: DTZ001
    )
    rows, problems, _ = read(path)
    assert problems == []
    assert [row.time.isoformat() for row in rows] == ["2026-04-15T04:00:01+00:00"] * 5


@pytest.mark.parametrize("number", [6228480012345678901, 6.22848001234567e18, 1234567890123450])
def test_a_number_of_which_excel_has_lost_digits_is_bad(workbook: Any, number: float) -> None:
    row = [NOON, "1", number, "95#", 1, "L", 1]
    _, (problem,), _ = read(workbook(HEAD, row))
    assert (problem.field, problem.line) == ("customer", 2)
    assert "Excel has destroyed" in problem.reason


def test_long_numbers_that_are_text_and_numbers_with_leading_zeros_stay_whole(workbook: Any) -> None:
    path = workbook(
        HEAD, [NOON, 12, "6228480012345678901", "95#", 1, "L", 1], [NOON, 123456789012345, 7, "95#", 1, "L", 1]
    )
    book = openpyxl.load_workbook(path)
    book.active["B2"].number_format = "000000"
    book.save(path)
    rows, _, _ = read(path)
    assert [(row.sale, row.customer) for row in rows] == [("000012", "6228480012345678901"), ("123456789012345", "7")]


def test_days_may_be_counted_from_1904(workbook: Any) -> None:
    row = ["1", "FC-1", "95#", 1, "L", 1]
    path = workbook(HEAD, [NOON, *row])
    book = openpyxl.load_workbook(path)
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.active.append([44665.500011574074, *row])
    book.save(path)
    assert {row.time.isoformat() for row in read(path).rows} == {"2026-04-15T04:00:01+00:00"}


def test_an_error_in_a_cell_and_a_formula_without_value_are_bad(workbook: Any) -> None:
    path = workbook(HEAD, [NOON, "1", "#N/A", "95#", 1, "L", 1], [NOON, "2", "FC-1", "95#", 1, "L", "=1+1"])
    _, problems, _ = read(path, customers={"none": []})
    assert [(problem.line, problem.field, problem.reason[:30]) for problem in problems] == [
        (2, "customer", "is an error of a spreadsheet, "),
        (3, "amount", "is missing"),
    ]


def test_the_only_sheet_with_rows_is_read_and_of_several_one_is_named(workbook: Any) -> None:
    row = [NOON, "1", "FC-1", "95#", 1, "L", 1]
    assert len(read(workbook(HEAD, row, Empty=[]))[0]) == 1
    path = workbook(["not this"], More=[HEAD, row])
    with pytest.raises(
        TillError, match=r"several sheets have rows \(Sales, More\): name one in the mapping, \[file\] sheet"
    ):
        read(path)
    assert len(read(path, file={"sheet": "More"})[0]) == 1
    with pytest.raises(TillError, match=r"no sheet 'Other' \(found: Sales, More\)"):
        read(path, file={"sheet": "Other"})
    with pytest.raises(TillError, match="no sheet has rows"):
        read(workbook())


def test_a_workbook_needs_openpyxl(workbook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(HEAD)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(TillError, match=r"pip install 'tongdui\[cli\]'"):
        read(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xd0\xcf\x11\xe0rest", "old Excel, or one with a password"),
        (b"<html><table>", "a web page"),
        (b'\n<?xml version="1.0"?>', "a web page"),
        (b"PK\x03\x04rest", "no workbook that can be read"),
        (b"", "is empty"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_words(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "till.xls"
    path.write_bytes(content)
    with pytest.raises(TillError, match=says):
        read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TillError, match=r"none\.csv"):
        read(tmp_path / "none.csv")
