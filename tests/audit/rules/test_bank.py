"""Deposits and withdrawals on the chain beside the bank's statement; and statements that no audit can go on with."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.audit.rules.seen import TREASURY, block_of, event, rules_of, told
from tests.support.bank_files import ICBC, SPARKASSE, Entry, camt, details
from tongdui.audit.days import day_number
from tongdui.audit.findings import CannotCheck, Finding, NotChecked, Place
from tongdui.audit.rules.bank import Bank, Statement, columns_of, read_statement
from tongdui.audit.tables import Tables
from tongdui.audit.watching import EventSeen
from tongdui.bank import Columns
from tongdui.encoding import hex_of, keccak256

DAY = day_number(date(2026, 11, 25))


def booked(
    reference: str, micros: int = 1_500_000, *, name: str = "Deposited", day: int = DAY, number: int = 7
) -> EventSeen:
    return event(name, 3, micros, keccak256(reference.encode()), time=day * 86_400, sender=TREASURY, number=number)


def statement(tmp_path: Path, content: bytes, columns: Columns | None = None, name: str = "november.xml") -> Statement:
    (tmp_path / name).write_bytes(content)
    return read_statement(tmp_path / name, "CNY", columns)


def compared(bookings: list[EventSeen], *statements: Statement, days_apart: int = 3) -> list[Finding]:
    bank = Bank(Tables(), statements, days_apart=days_apart)
    assert told(bank, bookings) == []
    return list(bank.at_end(block_of(DAY + 9)))


def test_a_statement_that_says_what_the_chain_says_is_found_to_do_so(tmp_path: Path) -> None:
    lines = [
        Entry("1.50", reference="A"),
        Entry("2", "DBIT", "B", day="2026-11-27"),
        Entry("3", reference="bank's own", details=[details(end_to_end="C")]),
        Entry("9", reference="pending", status="PDNG"),
        Entry("0", reference="nothing"),
    ]
    chain = [
        booked("A", day=DAY + 3),
        booked("B", 2_000_000, name="Withdrawn", day=DAY),
        booked("C", 3_000_000),
    ]
    assert compared(chain, statement(tmp_path, camt(lines))) == []


def test_money_that_only_the_bank_knows_is_named(tmp_path: Path) -> None:
    lines = [Entry("20000.054321", reference="A", details=[details(debtor="长河石油")]), Entry("1", "DBIT")]
    first, second = compared([], statement(tmp_path, camt(lines)))
    assert first == Finding(
        "bank.not_on_chain",
        "Stmt[1]/Ntry[1] of november.xml",
        "a deposit of 20000.054321 CNY is booked with the reference A",
        "nothing is booked for it (2026-11-25, 长河石油)",
    )
    assert second.expected == "a withdrawal of 1.00 CNY is booked without a reference"


def test_money_that_only_the_chain_knows_is_named_on_the_days_of_the_statement(tmp_path: Path) -> None:
    lines = [Entry("1", reference="A"), Entry("1", reference="B", day="2026-11-27")]
    chain = [booked("A", 1_000_000), booked("B", 1_000_000, day=DAY + 2)]
    chain += [booked("X", day=DAY + 1), booked("early", day=DAY - 1), booked("late", day=DAY + 3)]
    bank = Bank(Tables(), [statement(tmp_path, camt(lines))])
    told(bank, chain)
    (one,) = bank.at_end(block_of(DAY + 9))
    assert one == Finding(
        "bank.not_in_statement",
        "deposit of merchant 3",
        f"a line of 1.50 with a reference that hashes to {hex_of(keccak256(b'X'))}",
        "november.xml has none, and covers 2026-11-25 to 2026-11-27; if the bank booked it before, hand in that statement, too",
        Place(7, f"0x{7:064x}"),
    )
    (left_out,) = bank.not_checked()
    assert left_out == NotChecked(
        "2 deposits and withdrawals on other days", "the statements cover 2026-11-25 to 2026-11-27"
    )


@pytest.mark.parametrize("end", ["2026-11-30T23:59:59.999", "2026-12-01T00:00:00+08:00"])
def test_a_statement_is_about_the_days_that_it_names_with_or_without_lines(tmp_path: Path, end: str) -> None:
    november = ("2026-11-01T00:00:00+08:00", end)
    file = statement(tmp_path, camt([Entry("1.5", reference="A")], period=november))
    quiet = statement(tmp_path, camt([], period=november), name="quiet.xml")
    chain = [booked("A"), booked("X", day=DAY - 24), booked("Y", day=DAY + 5), booked("later", day=DAY + 6)]
    assert rules_of(compared(chain, file)) == ["bank.not_in_statement"] * 2
    assert rules_of(compared(chain, quiet)) == ["bank.not_in_statement"] * 3


def test_what_may_still_be_booked_is_no_fault_and_said_so(tmp_path: Path) -> None:
    lines = [Entry(str(day), reference=f"R{day}", day=f"2026-11-{day}") for day in (20, 25, 30)]
    bank = Bank(Tables(), [statement(tmp_path, camt(lines))], days_apart=3)
    told(bank, [])
    (one,) = bank.at_end(block_of(DAY + 1))
    assert one.rule == "bank.not_on_chain"
    assert bank.not_checked() == [
        NotChecked(
            "2 lines of the bank that are not booked: R25 (25.00 CNY in), R30 (30.00 CNY in)",
            "they are later than the audit, or of its last 3 days, and may still be booked",
        )
    ]


def test_another_amount_and_another_direction_are_named(tmp_path: Path) -> None:
    found = compared([booked("A", 1_500_001)], statement(tmp_path, camt([Entry("1.5", "DBIT", "A")])))
    assert [(one.rule, one.expected, one.found) for one in found] == [
        ("bank.direction", "money that went out (A, Stmt[1]/Ntry[1] of november.xml)", "booked as a deposit"),
        ("bank.amount", "1.50 CNY (A, Stmt[1]/Ntry[1] of november.xml)", "booked: 1.500001 CNY"),
    ]


@pytest.mark.parametrize(
    ("name", "sign", "day", "broken"),
    [
        ("Deposited", "CRDT", DAY - 1, ["bank.day"]),
        ("Deposited", "CRDT", DAY + 2, []),
        ("Deposited", "CRDT", DAY + 3, ["bank.day"]),
        ("Withdrawn", "DBIT", DAY - 2, []),
        ("Withdrawn", "DBIT", DAY - 3, ["bank.day"]),
    ],
)
def test_a_deposit_is_booked_when_it_is_there_and_a_payment_near_its_day(
    tmp_path: Path, name: str, sign: str, day: int, broken: list[str]
) -> None:
    file = statement(tmp_path, camt([Entry("1.5", sign, "A")]))
    assert rules_of(compared([booked("A", name=name, day=day)], file, days_apart=2)) == broken


def test_money_that_came_twice_or_was_booked_twice_is_named(tmp_path: Path) -> None:
    twice_in = statement(tmp_path, camt([Entry("1.5", reference="A"), Entry("1.5", reference="A")]))
    (one,) = compared([booked("A")], twice_in)
    assert one.rule == "bank.twice"
    assert one.found == (
        "A (1.50 CNY in) stands at Stmt[1]/Ntry[2] of november.xml and at Stmt[1]/Ntry[1] of november.xml, and is booked once"
    )
    both = statement(tmp_path, camt([Entry("1.5", reference="A", details=[details(end_to_end="E")])]))
    (one,) = compared([booked("A"), booked("E", number=8)], both)
    assert (one.rule, one.found) == ("bank.twice", "Stmt[1]/Ntry[1] of november.xml is booked as A and again as E")
    assert one.place.block == 8


def test_two_statements_may_cover_the_same_day(tmp_path: Path) -> None:
    week = statement(tmp_path, camt([Entry("1.5", reference="A")]), name="week.xml")
    month = statement(tmp_path, camt([Entry("1.5", reference="A"), Entry("2", reference="B")]), name="month.xml")
    assert compared([booked("A"), booked("B", 2_000_000)], week, month) == []
    other = statement(tmp_path, camt([Entry("1.6", reference="A")]), name="other.xml")
    assert rules_of(compared([booked("A")], week, other)) == ["bank.twice"]


def test_what_the_bank_has_taken_back_must_not_be_on_the_chain(tmp_path: Path) -> None:
    lines = [Entry("1.5", reference="A", status="PDNG"), Entry("1.5", "DBIT", "B", reversal=True)]
    found = compared([booked("A"), booked("B", number=8)], statement(tmp_path, camt(lines)))
    assert rules_of(found)[:2] == ["bank.taken_back", "bank.taken_back"]
    assert found[0].found.endswith("says that the bank has not booked it yet")
    assert found[1].found.endswith("says that the bank has taken something back")


def test_a_statement_from_which_a_line_was_cut_is_noticed(tmp_path: Path) -> None:
    file = statement(tmp_path, camt([Entry("1.5", reference="A")], opening="100", closing="102"))
    assert rules_of(compared([booked("A")], file)) == ["bank.statement"]


def test_what_is_in_another_currency_is_left_out_and_said_so(tmp_path: Path) -> None:
    file = statement(tmp_path, camt([Entry("1.5", reference="A"), Entry("1.5", reference="U", currency="USD")]))
    bank = Bank(Tables(), [file])
    told(bank, [booked("A")])
    assert bank.at_end(block_of(DAY)) == []
    assert bank.not_checked() == [NotChecked("1 lines of the bank", "they are in another currency")]


def test_without_a_statement_the_bank_is_not_checked() -> None:
    assert compared([booked("A")]) == []
    assert Bank(Tables()).not_checked() == [
        NotChecked("deposits and withdrawals", "no statement of the settlement bank was handed in")
    ]


def test_bookings_are_known_after_a_checkpoint(tmp_path: Path) -> None:
    file = statement(tmp_path, camt([Entry("1.5", reference="A")]))
    tables = Tables(tmp_path / "state")
    told(Bank(tables, [file]), [booked("A")])
    tables.checkpoint()
    tables.close()
    again = Tables(tmp_path / "state")
    assert Bank(again, [file]).at_end(block_of(DAY)) == []
    again.close()


# -------------------------------------------------------------------- files


def test_tables_of_usual_banks_are_read_without_a_word(tmp_path: Path) -> None:
    assert [one.reference for one in statement(tmp_path, ICBC).file.lines] == ["HQ20261124001", "HQ20261125007"]
    plain = b"date,reference,amount\n2026-11-25,A,1.50\n2026-11-25,B,-2\n"
    chain = [booked("A"), booked("B", 2_000_000, name="Withdrawn")]
    assert compared(chain, statement(tmp_path, plain)) == []


def test_a_table_is_read_by_what_is_said_of_its_columns(tmp_path: Path) -> None:
    told_columns = ["day=Buchungstag", "reference=Referenz", "amount=Betrag", "decimal_sign=,", "day_order=dmy"]
    first, second = statement(tmp_path, SPARKASSE, columns_of(told_columns)).file.lines
    assert (first.micros, first.day, second.kind) == (1_234_560_000, date(2026, 11, 25), "withdrawal")
    assert columns_of([]) is None


@pytest.mark.parametrize(
    ("told_columns", "sentence"),
    [
        (
            ["tag=Buchungstag"],
            "'tag' says nothing about a column: write WHAT=NAME, where WHAT is one of day, reference",
        ),
        (["day"], "'day' says nothing about a column"),
        (["day=a", "reference=b"], "A table needs a day, a reference and an amount"),
        (["day=a", "reference=b", "amount=c", "incoming=d"], "Name either one column with signs"),
        (["day=a", "reference=b", "amount=c", "decimal_sign=;"], "decimal_sign is one of . ,, not ';'."),
        (["day=a", "reference=b", "amount=c", "day_order=ydm"], "day_order is one of ymd dmy mdy, not 'ydm'."),
    ],
)
def test_columns_that_say_nothing_are_refused_with_what_to_write(told_columns: list[str], sentence: str) -> None:
    with pytest.raises(CannotCheck) as caught:
        columns_of(told_columns)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"  \n", "is empty: ask the bank for the statement again."),
        (
            b"when,what,how much\n1,2,3\n",
            "贷方发生额, 借方发生额. Say what its columns mean, as WHAT=NAME: day",
        ),
        (b"date,reference,amount\n", "There is no line below the head of the table."),
        (b"date,reference,amount\n2026-11-25,A,much\n", "Line 2: 'much' is no amount."),
        (b"%PDF-1.7", "ask the bank for one of these."),
        (camt([]), "has no lines: ask for a statement of the days that are audited."),
        (b"date,reference,amount,currency\n2026-11-25,A,1,USD\n", "is in USD, and the network settles in CNY: hand in"),
        ("交易日期,交易流水号,贷方发生额,借方发生额,币种\n20261125,A,1,,美元\n".encode("gbk"), "is in 美元, and the"),
        (camt([Entry("1", reference="A", currency="USD")]), "is in USD, and the network settles in CNY: hand in"),
    ],
)
def test_a_file_that_cannot_be_compared_gets_a_sentence_that_says_what_to_do(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    with pytest.raises(CannotCheck) as caught:
        statement(tmp_path, content)
    assert sentence in str(caught.value)
    assert str(tmp_path / "november.xml") in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="cannot be read: No such file"):
        read_statement(tmp_path / "none.csv", "CNY")
