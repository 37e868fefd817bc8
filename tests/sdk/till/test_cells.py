"""Cells: texts in one form, numbers in every form that a till writes, and what is neither."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tongdui.till._cells import BadCellError, Cells, NumberReader, TextReader, printable
from tongdui.till._mapping import NumberFormat, TillMapping
from tongdui.till._points import PointsRule

COLUMNS = {name: (name,) for name in ("time", "sale", "customer", "article", "quantity", "amount", "unit")}
RULE = PointsRule(
    {"fuel": Fraction(1), "shop": Fraction(2)}, {"95#": "fuel", "-10#": "fuel", "０#": "fuel", "E 10": "fuel"}, "shop"
)


def texts(rule: PointsRule = RULE, encoding: str = "utf-8", **settings: Any) -> TextReader:
    return TextReader(TillMapping("test", COLUMNS, rule, **settings), encoding)


# --- texts

ONE_CARD = [
    "FC-1001",
    "ＦＣ－１００１",
    "FC-1001\u200b",
    "\ufeffFC-1001",
    "`FC-1001",
    '="FC-1001"',
    "'FC-1001",
    " FC-1001\u3000",
]


@pytest.mark.parametrize("cell", ONE_CARD)
def test_a_card_is_one_customer_however_it_is_written(cell: str) -> None:
    assert texts().customer(cell) == texts().number(cell) == texts().article(cell) == "FC-1001"


@pytest.mark.parametrize(
    "cell",
    [
        "6.22848E+15",
        "6.22848e+15",
        "2.60415E+13",
        "6E+15",
        "６.２E+15",
        "6,22848E+15",
        "6.22848 E+15",
        "622848.E10",
        "6.22848×10^15",
        "6.22848x10¹⁵",
        "1.5E-7",
    ],
)
def test_a_number_that_excel_has_destroyed_is_bad(cell: str) -> None:
    for read in (texts().customer, texts().number, texts().number_or_none, texts().article):
        with pytest.raises(BadCellError, match="Excel has destroyed: format the column as text"):
            read(cell)


@pytest.mark.parametrize("cell", ["84029E", "5E10", "E10", "1E5", "E+10", "12-5E"])
def test_a_number_with_an_e_in_it_is_left_alone(cell: str) -> None:
    assert texts().number(cell) == cell


@pytest.mark.parametrize("cell", ["17850.0", "26041500001,00"])
def test_a_number_that_has_become_a_decimal_is_bad(cell: str) -> None:
    with pytest.raises(BadCellError, match="was made a decimal"):
        texts().customer(cell)
    with pytest.raises(BadCellError, match="was made a decimal"):
        texts().number(cell)


@pytest.mark.parametrize("cell", ["0", "NULL", "null", "ＮＵＬＬ", "/", "-", "", " ", "`", "\u200b"])
def test_what_the_mapping_calls_nobody_is_no_customer(cell: str) -> None:
    assert texts(no_customer=("0", "NULL", "/", "-")).customer(cell) == ""


@pytest.mark.parametrize("cell", ["0", "0000", "NULL", "/", "-", "***", "无", "散客", "N/A", "#N/A", "散 客", "n/a."])
def test_what_looks_like_nobody_must_be_in_the_mapping(cell: str) -> None:
    with pytest.raises(BadCellError):
        texts().customer(cell)
    assert texts(no_customer=(cell,)).customer(cell) == ""


@pytest.mark.parametrize("cell", ['"FC-1"', "FC-1'", "’FC-1", "FC–1", "FC‐1", '=T("FC-1")', "=A2"])
def test_a_number_that_is_not_as_it_was_written_is_bad(cell: str) -> None:
    for read in (texts().customer, texts().number):
        with pytest.raises(BadCellError, match=r"quotation mark|no hyphen|is a formula"):
            read(cell)


def test_a_masked_card_is_no_card() -> None:
    with pytest.raises(BadCellError, match="is masked"):
        texts().customer("6222****1234")


@pytest.mark.parametrize("cell", ["FC\x00-1", "FC\t1", "a\u2028b", "\ufffd\ufffd1", "FC\x9b31m"])
def test_what_is_not_text_is_bad(cell: str) -> None:
    with pytest.raises(BadCellError, match="characters that are not text") as caught:
        texts().customer(cell)
    assert ('set [file] encoding in the mapping, such as "gb18030"' in caught.value.reason) == ("\ufffd" in cell)


@pytest.mark.parametrize("cell", ["#N/A", "#REF!", "#DIV/0!", "########"])
def test_an_error_of_a_spreadsheet_is_no_text(cell: str) -> None:
    with pytest.raises(BadCellError, match="error of a spreadsheet"):
        texts().article(cell)


def test_there_is_one_length_limit() -> None:
    assert texts().customer("9" * 128) == "9" * 128
    for read in (texts().customer, texts().number, texts().article):
        with pytest.raises(BadCellError, match="longer than 128 characters"):
            read("x" * 129)


# --- articles


@pytest.mark.parametrize("cell", ["95#", "９５＃", " 95# ", '="95#"', "95#\u200b"])
def test_an_article_is_found_in_its_canonical_form(cell: str) -> None:
    article = texts().article(cell)
    assert (article, texts().category(article)) == ("95#", "fuel")


@pytest.mark.parametrize(
    ("cell", "listed"),
    [
        ("95", "95#"),
        ("95 #", "95#"),
        ("95号", "95#"),
        ("#95", "95#"),
        ("10#", "-10#"),
        ("0", "0#"),
        ("e10", "E 10"),
        ("E-10", "E 10"),
    ],
)
def test_an_article_that_is_nearly_listed_is_not_counted_as_other(cell: str, listed: str) -> None:
    with pytest.raises(BadCellError, match=f"is nearly '{listed}', which is in "):
        texts().article(cell)


def test_an_article_that_is_not_listed_is_other() -> None:
    assert [texts().category(texts().article(cell)) for cell in ("Tea", "950#", "5号电池")] == ["shop"] * 3
    with pytest.raises(BadCellError, match="is in no category"):
        texts(PointsRule(RULE.rates, RULE.articles)).article("Tea")


def test_units_of_a_category_are_checked() -> None:
    of = texts(units={"fuel": ("L", "升")})
    assert of.unit(("fuel", "升"))
    assert of.unit(("shop", "pcs"))
    with pytest.raises(BadCellError, match="must be L or 升 for fuel"):
        of.unit(("fuel", "pcs"))


# --- numbers


def number(cell: str, decimals: int = 2, **form: Any) -> Decimal:
    return NumberReader(NumberFormat(**form)).reader(decimals, lambda _: None)(cell)


@pytest.mark.parametrize(
    ("cell", "form", "value"),
    [
        ("262.26", {}, "262.26"),
        ("-5", {}, "-5"),
        (" 5.25\u00a0", {}, "5.25"),
        ('="5.25"', {}, "5.25"),
        ("999999999999999.99", {}, "999999999999999.99"),
        ("0,90 €", {"decimal": ",", "currency": ("€",)}, "0.90"),
        ("€0,90", {"decimal": ",", "currency": ("€",)}, "0.90"),
        ("1.262,26", {"decimal": ",", "thousands": "."}, "1262.26"),
        ("1,262.26", {"thousands": ","}, "1262.26"),
        ("12,345,678.90", {"thousands": ","}, "12345678.90"),
        ("1262.26", {"thousands": ","}, "1262.26"),
        ("1 262,26", {"decimal": ",", "thousands": " "}, "1262.26"),
        ("1\u202f262,26", {"decimal": ",", "thousands": " "}, "1262.26"),
        ("1\u00a0262", {"thousands": " "}, "1262"),
        ("1'262.26", {"thousands": "'"}, "1262.26"),
        ("1’262.26", {"thousands": "'"}, "1262.26"),
        ("¥262.26", {"currency": ("¥",)}, "262.26"),
        ("￥ 262.26", {"currency": ("¥", "￥")}, "262.26"),
        ("262.26元", {"currency": ("元",)}, "262.26"),
        ("CNY 1,262.26", {"currency": ("C", "CNY"), "thousands": ","}, "1262.26"),
        ("-¥5.25", {"currency": ("¥",)}, "-5.25"),
        ("¥-5.25", {"currency": ("¥",)}, "-5.25"),
        (".50", {"bare_fraction": True}, "0.50"),
        ("-.50", {"bare_fraction": True}, "-0.50"),
        ("(5.25)", {"negative": ("parentheses",)}, "-5.25"),
        ("(¥1,005.25)", {"negative": ("parentheses",), "currency": ("¥",), "thousands": ","}, "-1005.25"),
        ("¥(5.25)", {"negative": ("parentheses",), "currency": ("¥",)}, "-5.25"),
        ("5.25-", {"negative": ("trailing",)}, "-5.25"),
        ("5,25- €", {"negative": ("leading", "trailing"), "decimal": ",", "currency": ("€",)}, "-5.25"),
    ],
)
def test_numbers_are_read_as_the_mapping_says(cell: str, form: dict[str, Any], value: str) -> None:
    found = number(cell, **form)
    assert (found, found.as_tuple()) == (Decimal(value), Decimal(value).as_tuple())


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("x", {}), ("1e3", {}), ("1.2E+5", {}), ("NaN", {}), ("Infinity", {}), ("１", {}), ("10²", {}), ("+5", {}), ("--5", {}),
        ("0,90", {}), ("1,262.26", {}), ("¥5", {}), (".50", {}), ("5.", {}), ("(5)", {}), ("5-", {}), ("1 262", {}), ("1_000", {}),
        ("9999999999999999", {}), ("#N/A", {}), ('="10²"', {}), ("−5", {}),
        ("0.90", {"decimal": ","}), ("12,34", {"thousands": ","}), ("1,2345", {"thousands": ","}), ("0,900", {"thousands": ","}),
        ("1234,567", {"thousands": ","}), ("1,234,56", {"thousands": ","}), ("1,234 567", {"thousands": ","}),
        ("-(5)", {"negative": ("parentheses",)}), ("(-5)", {"negative": ("parentheses", "leading")}),
        ("-5-", {"negative": ("leading", "trailing")}), ("-5", {"negative": ("trailing",)}), ("5 $", {"currency": ("¥",)}),
        ("¥¥5", {"currency": ("¥",)}), (".", {"bare_fraction": True}), ("()", {"negative": ("parentheses",)}),
    ],
)  # fmt: skip
def test_a_number_that_is_written_otherwise_is_bad(cell: str, form: dict[str, Any]) -> None:
    with pytest.raises(BadCellError, match="is not a decimal number such as"):
        number(cell, **form)


def test_a_number_may_have_so_many_decimals_and_no_more() -> None:
    assert number("1.005", decimals=3) == Decimal("1.005")
    with pytest.raises(BadCellError, match="has more than 2 decimals"):
        number("1.005")
    with pytest.raises(BadCellError, match="is missing"):
        number(" ")


# --- what is shown and remembered


def test_nothing_that_is_shown_does_anything_to_a_terminal() -> None:
    shown = printable("\x1b]0;x\x07a\u202eb\udcff茶" + "x" * 100)
    assert shown.isprintable()
    assert shown.startswith(r"\x1b]0;x\x07a\u202eb\udcff茶")
    assert len(shown) < 100


def test_a_bad_cell_is_counted_each_time_and_a_good_one_read_once() -> None:
    read = []

    def whole(cell: str) -> int:
        read.append(cell)
        if not cell.isdigit():
            raise BadCellError("is no number", cell)
        return int(cell)

    cells = Cells(whole)
    found = [cells[cell] for cell in ("1", "x", "1", "x", "2")]
    assert [type(value) for value in found] == [int, BadCellError, int, BadCellError, int]
    assert (cells.bad, read) == (2, ["1", "x", "x", "2"])
