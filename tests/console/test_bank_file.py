"""The bank's files: matched with what is booked, and clear words for what is broken in the language of the page."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.amounts import chinese, english
from console.outcomes import Outcome
from console.settlement.banking import ChosenLine, book_line, first_of
from console.settlement.matching import Booked, Match, Party, Standing, by_reference, match, missing_from
from console.settlement.standings import refusal_of
from pages.presentation import Presentation, presented
from pages.translations import load_catalogues
from tests.console.alone import alone
from tests.support.bank_files import Entry, camt
from tongdui import AsyncClient
from tongdui.bank import BankFileError, BankLine, Columns, Problem, read_file


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with presented(Presentation(language="en")):
        yield


# -------------------------------------------------------------------- what is broken, in words

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = Columns(day="Day", reference="Reference", amount="Amount")


@pytest.mark.parametrize(
    ("content", "in_english_words", "in_chinese"),
    [
        (b"<a>", "The XML is broken at line 1, column 3.", "XML 在第 1 行第 3 列损坏。"),
        (b"Day,Reference,Amount\nx1,a,5\n", "Line 2: 'x1' is no day.", "第 2 行：'x1' 不是日期。"),
        (camt([Entry("1,5", reference="b")]), "Ntry[1]: '1,5' is no amount.", "Ntry[1]：'1,5' 不是金额。"),
    ],
)
def test_what_is_broken_is_said_in_the_language_of_the_page(
    content: bytes, in_english_words: str, in_chinese: str
) -> None:
    load_catalogues([ROOT / "console/settlement"])
    with pytest.raises(BankFileError) as caught:
        read_file(content, COLUMNS, "CNY")
    assert refusal_of(caught.value).endswith(in_english_words)
    with presented(Presentation(language="zh")):
        assert refusal_of(caught.value).endswith(in_chinese)


# -------------------------------------------------------------------- matching

FUEL = Party("mer_fuel", "长河石油", ("FUEL",))
MART = Party("mer_mart", "丰收超市", ("MART",))


def line(reference: str, micros: int = 5_000_000, **more: Any) -> BankLine:
    wanted = {"place": "", "day": date(2026, 11, 25), "kind": "deposit", "currency": "CNY", "name": "长河石油", **more}
    references = (reference, *wanted.pop("others", ()))
    return BankLine(micros=micros, references=references, **wanted)


def booked(reference: str, micros: int = 5_000_000, **more: Any) -> Booked:
    wanted = {"kind": "deposit", "merchant": "mer_fuel", "state": "posted", "day": date(2026, 11, 25), **more}
    return Booked(id=f"dep_{reference}", micros=micros, reference=reference, **wanted)


@pytest.mark.parametrize(
    ("bank", "books", "standing"),
    [
        (line("1"), [], "new"),
        (line("1"), [booked("1")], "booked"),
        (line("1", others=("E-1",)), [booked("E-1")], "booked"),
        (line("1"), [booked("1", state="pending")], "booked"),
        (line("1"), [booked("1", state="failed")], "failed"),
        (line("1"), [booked("1", 5_000_001)], "differs"),
        (line("1"), [booked("1", merchant="mer_mart")], "differs"),
        (line("1", kind="withdrawal"), [booked("1")], "differs"),
        (line("1"), [booked("by hand")], "likely_booked"),
        (line("1"), [booked("by hand", 5_000_001)], "new"),
        (line("1", name="谁也不认识"), [], "unknown_merchant"),
        (line("1", name="谁也不认识", text="for FUEL, please"), [], "new"),
        (line("1", name="x", text="FUEL and MART"), [], "unknown_merchant"),
        (line("1", name="x", text="ref mer_fuel"), [], "new"),
        (line("1", name="长河石油（集团）有限公司"), [], "new"),
    ],
)
def test_a_line_is_matched_by_reference_then_by_merchant_and_amount(
    bank: BankLine, books: list[Booked], standing: str
) -> None:
    (found,) = match([bank], {one.reference: one for one in books}, books, [FUEL, MART])
    assert found.standing == standing


def test_a_reference_that_is_in_the_file_twice_is_booked_once() -> None:
    found = match([line("1"), line("1"), line("2")], {}, [], [FUEL])
    assert [str(one.standing) for one in found] == ["new", "duplicate", "new"]


def test_what_is_pending_or_taken_back_is_no_first_use_of_a_reference() -> None:
    pending, back = line("1", problem=Problem.NOT_BOOKED_YET), line("1", problem=Problem.REVERSAL, kind="withdrawal")
    found = match([pending, line("1"), back, line("1")], {}, [], [FUEL])
    assert [str(one.standing) for one in found] == ["unusable", "new", "unusable", "duplicate"]


def test_what_is_taken_back_is_said_beside_the_booking() -> None:
    (found,) = match([line("1", problem=Problem.REVERSAL, kind="withdrawal")], {"1": booked("1")}, [], [FUEL])
    assert (str(found.standing), found.booked) == ("unusable", booked("1"))


def test_what_stands_counts_more_than_what_the_chain_has_refused() -> None:
    again, refused = booked("1"), booked("1", state="failed")
    assert by_reference([again, refused]) == by_reference([refused, again]) == {"1": again}


def calls_of(work: Callable[[], object]) -> int:
    """How many functions, also Python's own, are called: as good as a clock, and the same on every machine."""
    count = 0

    def counting(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_matching_takes_as_long_as_the_file_and_not_as_lines_times_merchants_or_bookings() -> None:
    def work(size: int, merchants: int) -> int:
        parties = [
            FUEL,
            *(Party(f"mer_{number:026}", f"商户甲{number:04}", (f"M{number}",)) for number in range(merchants)),
        ]
        lines = [line(f"R{number}", 1_000_000 + number) for number in range(size)]
        near = [booked(f"B{number}", 1_000_000 + number) for number in range(size)]
        found = match(lines, {}, near, parties)
        assert all(one.standing == "likely_booked" for one in found)
        return size

    small, twice = calls_of(lambda: work(200, 20)), calls_of(lambda: work(400, 20))
    assert twice < 2.2 * small
    assert calls_of(lambda: work(1_000, 200)) < 1.5 * calls_of(lambda: work(1_000, 20))


def test_a_merchant_is_found_however_the_bank_writes_it() -> None:
    ulid = "mer_01m8baha4wcs2yejs2txentmyv"
    parties = [Party(ulid, "Ace", ("ACE",)), MART]
    for text in (ulid, ulid.upper(), f"TOPUP {ulid}REF77"):
        (found,) = match([line("1", name="x", text=text)], {}, [], parties)
        assert found.merchant == ulid, text


def test_a_booking_by_hand_explains_one_line_not_two() -> None:
    found = match([line("1"), line("2")], {}, [booked("by hand")], [FUEL])
    assert [str(one.standing) for one in found] == ["likely_booked", "new"]


def test_what_is_booked_and_not_in_the_file_is_reported_for_the_days_asked_for() -> None:
    books = [booked("1"), booked("x"), booked("old", day=date(2026, 11, 1)), booked("no", state="failed")]
    found = match([line("1")], {"1": books[0]}, [], [FUEL])
    missing = missing_from(found, books, date(2026, 11, 20), date(2026, 11, 30))
    assert [one.reference for one in missing] == ["x"]


# -------------------------------------------------------------------- booking


def test_of_a_long_file_what_can_be_booked_comes_first() -> None:
    """Lines that nobody can book, such as the bank's fees, would hide the others for ever."""
    standings = [
        *["unusable"] * 450,
        "booked",
        "duplicate",
        "differs",
        "likely_booked",
        "unknown_merchant",
        "failed",
        "new",
    ]
    matches = [Match(line(f"{number}"), Standing(one)) for number, one in enumerate(standings)]
    shown, hidden = first_of(matches)
    first = [str(one.standing) for one in shown[:6]]
    assert first == ["failed", "new", "likely_booked", "unknown_merchant", "differs", "unusable"]
    assert (len(shown), len(hidden)) == (400, len(matches) - 400)
    assert str(hidden[-1].standing) == "booked"
    assert first_of(matches[:400]) == (matches[:400], [])


def test_a_line_that_the_gateway_is_still_at_work_on_is_open_and_not_refused() -> None:
    def busy(_: httpx.Request) -> httpx.Response:
        return httpx.Response(409, json={"code": "idempotency_in_flight", "title": "Still running", "status": 409})

    async def outcome() -> Outcome[ChosenLine]:
        chosen = ChosenLine(kind="deposit", merchant="mer_fuel", micros=1, reference="1")
        transport = httpx.MockTransport(busy)
        async with AsyncClient("http://gateway", "tds_1", max_retries=0, transport=transport) as client:
            return await book_line(client, chosen, "key", asyncio.Semaphore())

    found = alone(outcome())
    assert (found.is_open, found.refusal) == (True, None)


# -------------------------------------------------------------------- in words


@pytest.mark.parametrize(
    ("micros", "said", "in_english"),
    [
        (1_000_000, "壹元整", "one CNY"),
        (10_050_000, "壹拾元零伍分", "ten CNY and 05/100"),
        (12_300_500_000, "壹万贰仟叁佰元伍角", "twelve thousand three hundred CNY and 50/100"),
        (100_001_000_000, "壹拾万零壹元整", "one hundred thousand one CNY"),
        (20_000_000_000_000, "贰仟万元整", "twenty million CNY"),
        (1_000_010_000_000_000, "壹拾亿零壹万元整", "one billion ten thousand CNY"),
        (105_000_000, "壹佰零伍元整", "one hundred five CNY"),
        (45_001, "零元零肆分又百万分之5001元", "zero CNY and 045001/1000000"),
    ],
)
def test_amounts_are_said_in_words(micros: int, said: str, in_english: str) -> None:
    assert chinese(micros) == said
    assert english(micros, "CNY") == in_english
