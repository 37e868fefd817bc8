"""A bank's files, read exactly; and clear words for what is broken."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support.bank_files import CITY, ICBC, SPARKASSE, Entry, camt, details
from tongdui.bank import BankFile, BankFileError, Columns, place_in_words, read_file

NO_COLUMNS = Columns(day="", reference="")
CHINESE = Columns(
    day="交易日期", reference="交易流水号", incoming="贷方发生额", outgoing="借方发生额", name="对方户名", text="摘要"
)


def read(content: bytes, columns: Columns = NO_COLUMNS, currency: str = "CNY") -> BankFile:
    return read_file(content, columns, currency)


def refusal(content: bytes, columns: Columns = NO_COLUMNS) -> str:
    with pytest.raises(BankFileError) as caught:
        read(content, columns)
    return str(caught.value)


# -------------------------------------------------------------------- camt.053


@pytest.mark.parametrize("version", ["02", "03", "04", "05", "06", "07", "08"])
@pytest.mark.parametrize(("prefix", "envelope"), [("", ""), ("ns2", ""), ("", "DataPDU")])
def test_statements_of_all_versions_say_the_same(version: str, prefix: str, envelope: str) -> None:
    tx = details(end_to_end="E-7", debtor="长河石油", text="FUEL top-up", level=version == "08")
    one = Entry("20000.05", reference="B-1", details=[tx])
    file = read(camt([one], version=version, prefix=prefix, envelope=envelope))
    assert (file.format, file.account) == (f"camt.053.001.{version}", "DE89370400440532013000")
    (line,) = file.lines
    assert (line.kind, line.micros, line.day, line.currency) == ("deposit", 20_000_050_000, date(2026, 11, 25), "CNY")
    assert line.references == ("B-1", "E-7")
    assert (line.name, line.text, line.problem) == ("长河石油", "FUEL top-up", None)


@pytest.mark.parametrize("encoding", ["GB18030", "gbk", "gb2312"])
def test_a_statement_may_be_written_as_chinese_banks_do(encoding: str) -> None:
    text = camt([Entry("1", reference="B-1", details=[details(debtor="长河石油")])]).decode()
    (line,) = read(text.replace("UTF-8", encoding).encode(encoding)).lines
    assert line.name == "长河石油"
    assert "cannot be read" in refusal(text.replace("UTF-8", encoding).encode() + b"\xff")


def test_a_batch_is_a_line_for_each_transaction_if_they_add_up() -> None:
    two = [details(end_to_end="E-1", amount="0.1", creditor="A"), details(amount="0.2", creditor="B")]
    lines = read(camt([Entry("0.30", "DBIT", "B-2", details=two)])).lines
    assert [(one.kind, one.micros, one.reference, one.name) for one in lines] == [
        ("withdrawal", 100_000, "E-1", "A"),
        ("withdrawal", 200_000, "B-2/2", "B"),
    ]
    (whole,) = read(camt([Entry("0.31", "DBIT", "B-2", details=two)])).lines
    assert (whole.micros, whole.reference) == (310_000, "B-2"), "amounts that do not add up are not trusted"


def test_what_cannot_be_booked_says_why() -> None:
    file = read(
        camt(
            [
                Entry("1", reference="P", status="PDNG"),
                Entry("1", reference="R", reversal=True),
                Entry("1", reference="C", currency="USD"),
                Entry("1"),
                Entry("0", reference="Z"),
            ]
        )
    )
    assert [str(one.problem) for one in file.lines] == [
        *("not_booked_yet", "reversal", "other_currency", "no_reference", "no_amount")
    ]


def test_a_statement_that_does_not_add_up_is_noticed() -> None:
    entries = [Entry("10.5", reference="1"), Entry("0.5", "DBIT", "2"), Entry("9", reference="3", status="PDNG")]
    assert read(camt(entries, opening="100", closing="110.00")).adds_up
    assert not read(camt(entries, opening="100", closing="110.01")).adds_up


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<Document><a></Document>", "The XML is broken at line 1, column 15."),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document type or entities"),
        (b"<html><body/></html>", "no camt.053"),
        (camt([], version="02").replace(b"camt.053", b"camt.054"), "This is a camt.054"),
        (camt([Entry("1", reference="a")], version="12"), "version 12"),
        (camt([]).replace(b"BkToCstmrStmt", b"Other"), "no statement"),
        (camt([Entry("1", reference="a"), Entry("1,5", reference="b")]), "Stmt[1]/Ntry[2]: '1,5' is no amount."),
        (camt([Entry("1.0000001", reference="b")]), "more than six decimals"),
        (camt([Entry("1", "PLUS", "b")]), "Stmt[1]/Ntry[1]: CdtDbtInd must be CRDT or DBIT, not 'PLUS'."),
        (camt([Entry("1", day="25.11.2026", reference="b")]), "BookgDt"),
        (camt([Entry("1", day="9999-12-31", reference="b")]), "BookgDt"),
        (camt([Entry("1", day="0001-01-01", reference="b")]), "BookgDt"),
        (camt([Entry("9" * 5_000, reference="b")]), "is no amount"),
        (b"<a>" * 50_000, "The XML is broken"),
        (camt([Entry("1", reference="b")]).replace(b"UTF-8", b"UTF-7"), "an encoding that cannot be read"),
        (b"PK\x03\x04....", "spreadsheet"),
        (b"%PDF-1.7", "ask the bank"),
        (b"{1:F01BANK}{4:\r\n:20:1", "ask the bank"),
    ],
)
def test_a_bad_statement_gets_a_sentence_with_the_place(content: bytes, sentence: str) -> None:
    assert sentence in refusal(content)


# -------------------------------------------------------------------- tables


def test_a_chinese_table_is_read_exactly() -> None:
    first, second = read(ICBC, CHINESE).lines
    assert (first.kind, first.micros, first.references) == ("deposit", 20_000_000_000, ("HQ20261124001",))
    assert (first.name, first.text, first.place) == ("长河石油", "入金 FUEL", 5)
    assert (second.kind, second.micros, second.reference) == ("withdrawal", 1_500_500_000, "HQ20261125007")


def test_a_german_table_is_read_exactly() -> None:
    columns = Columns(
        day="Buchungstag",
        reference="Referenz",
        amount="Betrag",
        name="Beguenstigter",
        text="Verwendungszweck",
        currency="Waehrung",
        decimal_sign=",",
        day_order="dmy",
    )
    first, second = read(SPARKASSE, columns, "EUR").lines
    assert (first.kind, first.micros, first.day) == ("deposit", 1_234_560_000, date(2026, 11, 25))
    assert first.text == "Einzahlung; November"
    assert (second.kind, second.micros) == ("withdrawal", 12_500_000)
    assert {str(one.problem) for one in read(SPARKASSE, columns, "CNY").lines} == {"other_currency"}


def test_an_american_table_is_read_exactly() -> None:
    columns = Columns(
        day="date", reference="Bank Ref", incoming="Credit", outgoing="Debit", text="Description", day_order="mdy"
    )
    first, second = read(CITY, columns).lines
    assert (first.kind, first.micros, first.day) == ("deposit", 7_000_100_000, date(2026, 11, 24))
    assert (second.kind, second.micros) == ("withdrawal", 250_000_000)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n", "missing: 交易日期, 交易流水号"),
        ("交易日期,交易流水号,借方发生额,贷方发生额,对方户名,摘要\n", "no line below the head"),
        (
            "交易日期,交易流水号,借方发生额,贷方发生额,对方户名,摘要\n2026-13-01,a,,5,,\n",
            "Line 2: '2026-13-01' is no day.",
        ),
        (
            "交易日期,交易流水号,借方发生额,贷方发生额,对方户名,摘要\n9999-12-31,a,,5,,\n",
            "Line 2: '9999-12-31' is no day.",
        ),
        ("交易日期,交易流水号,借方发生额,贷方发生额,对方户名,摘要\n20261101,a,,1e3,,\n", "Line 2: '1e3' is no amount."),
        ("交易日期,交易流水号,借方发生额,贷方发生额,对方户名,摘要\n20261101,a,,5x,,\n", "Line 2: '5x' is no amount."),
        (
            '交易日期,交易流水号,借方发生额,贷方发生额,对方户名,摘要\n20261101,a,,"1.000,00",,\n',
            "Line 2: '1.000,00' is no amount with the decimal sign .: say which",
        ),
        (
            '交易日期,交易流水号,借方发生额,贷方发生额,对方户名,摘要\n20261101,a,,"250,50",,\n',
            "Line 2: '250,50' is no amount with the decimal sign .: say which",
        ),
        (
            "交易日期,交易流水号,借方发生额,贷方发生额,对方户名,摘要\n20261101,a,1,5,,\n",
            "Line 2: money came in and went out",
        ),
    ],
)
def test_a_bad_table_gets_a_sentence_with_the_line(text: str, sentence: str) -> None:
    assert sentence in refusal(text.encode(), CHINESE)


def test_bytes_that_are_no_text_are_refused() -> None:
    assert "neither UTF-8 nor GB 18030" in refusal(b"a,b\xff\xff\n", CHINESE)


# -------------------------------------------------------------------- files that are broken in ways that nobody has thought of

FILES = [
    (camt([Entry("20000.05", reference="B-1", details=[details(end_to_end="E-7", debtor="长河石油")])]), NO_COLUMNS),
    (camt([Entry("7", "DBIT", "B-2"), Entry("7", "DBIT", "B-2")], version="08", prefix="n"), NO_COLUMNS),
    (ICBC, CHINESE),
    (ICBC.decode("gb18030").encode("utf-16"), CHINESE),
    (("\ufeff" + ICBC.decode("gb18030")).encode(), CHINESE),
]
PIECES = st.sampled_from(
    [
        b"",
        b"\x00",
        b"\xff",
        b"<",
        b">",
        b'"',
        b",",
        b";",
        b"\n",
        b"=",
        b"-",
        b"1e9",
        b"9" * 30,
        b"99991231",
        b"0000-00-00",
        "１２３，４".encode(),
        "\u202e".encode(),
        b"\xef\xbb\xbf",
        b"\xa3\xac",
        b"&a;",
        b"<!DOCTYPE a>",
        b"<![CDATA[",
        b"USD",
    ]
)


@st.composite
def broken_files(draw: st.DrawFn) -> tuple[bytes, Columns]:
    content, columns = draw(st.sampled_from(FILES))
    for _time in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        end = draw(st.integers(at, min(len(content), at + 40)))
        content = content[:at] + draw(st.one_of(PIECES, st.binary(max_size=6))) + content[end:]
    return content[: draw(st.integers(len(content) // 2, len(content)))], columns


@given(broken_files())
@hypothesis_settings(max_examples=300, deadline=None)
def test_a_broken_file_is_read_or_refused_with_a_sentence(broken: tuple[bytes, Columns]) -> None:
    content, columns = broken
    try:
        file = read(content, columns)
    except BankFileError:
        return
    for one in file.lines:
        assert 2000 <= one.day.year <= 2999
        assert one.problem or 0 < one.micros < 2**53
        assert one.problem or one.currency == "CNY"
        assert all(reference.isprintable() and len(reference) <= 140 for reference in one.references)


def test_an_entity_bomb_is_refused_before_it_grows() -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY l0 "ha">{levels}]><b>&l9;</b>'
    assert "document type or entities" in refusal(bomb.encode())


def test_an_amount_that_no_booking_can_have_is_said_so() -> None:
    (one,) = read(camt([Entry("9007199254.740992", reference="b")])).lines
    assert one.problem == "too_large"
    (one,) = read(camt([Entry("9007199254.740991", reference="b")])).lines
    assert one.problem is None


def test_a_file_with_more_lines_than_its_reader_takes_is_refused() -> None:
    content = camt([Entry("1", reference="a"), Entry("1", reference="b")])
    assert len(read_file(content, NO_COLUMNS, "CNY", most_lines=2).lines) == 2
    with pytest.raises(BankFileError, match="more than 1 lines: hand in fewer days at once"):
        read_file(content, NO_COLUMNS, "CNY", most_lines=1)


def test_a_place_is_told_as_a_person_looks_for_it() -> None:
    assert (place_in_words(5), place_in_words("Stmt[1]/Ntry[2]")) == ("Line 5", "Stmt[1]/Ntry[2]")
