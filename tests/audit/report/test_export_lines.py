"""The lines of an export: each side's money, and a leaf that anyone can recompute from its line."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from tongdui._csv import csv_line
from tongdui._export import EXPORT_COLUMNS, ExportedEntry, Sides, Target, export_lines
from tongdui.encoding import bytes_of, hex_of
from tongdui.orders import Kind
from tongdui.receipts import Entry, root_of_proof

ENTRY = Entry(
    batch=9,
    index=2,
    merchant=1,
    nonce=7,
    item=0,
    kind=Kind.EXCHANGE,
    expiry_day=20_800,
    program=1,
    agreement=3,
    member="0x" + "ab" * 20,
    points=500,
    out=450,
    settled=4_500_000,
    fee=22_500,
    ref=b"\1" * 32,
    link=bytes(32),
)
SIBLINGS = (b"\2" * 32, b"\3" * 32)
EXPORTED = ExportedEntry(
    ENTRY,
    Sides(1, 2),
    "FUEL",
    Target(2, "CINE"),
    block=100,
    transaction="0x" + "cd" * 32,
    time=1_796_000_000,
    day=20_787,
    root=root_of_proof(ENTRY.leaf(), SIBLINGS),
    proof=SIBLINGS,
)
MONEY = ("received_micros", "paid_micros", "fees_received_micros", "fees_paid_micros")


def line_of(merchant: int, exported: ExportedEntry) -> dict[str, str]:
    lines = list(export_lines(merchant, [exported]))
    assert all(line.endswith("\r\n") for line in lines)
    (line,) = csv.DictReader(lines)
    assert tuple(line) == EXPORT_COLUMNS
    return line


@pytest.mark.parametrize(
    ("merchant", "kind", "money"),
    [
        (1, Kind.EXCHANGE, (0, 4_500_000, 0, 22_500)),
        (2, Kind.EXCHANGE, (4_500_000, 0, 0, 0)),
        (0, Kind.EXCHANGE, (0, 0, 22_500, 0)),
        (1, Kind.REVERSE, (4_500_000, 0, 22_500, 0)),
        (2, Kind.REVERSE, (0, 4_500_000, 0, 22_500)),
        (0, Kind.REVERSE, (0, 0, 0, 0)),
    ],
)
def test_each_side_sees_its_own_money(merchant: int, kind: Kind, money: tuple[int, ...]) -> None:
    line = line_of(merchant, replace(EXPORTED, entry=replace(ENTRY, kind=kind)))
    assert tuple(int(line[name]) for name in MONEY) == money


def test_a_line_proves_itself() -> None:
    line = line_of(1, EXPORTED)
    numbers = ("batch", "index", "merchant", "nonce", "item", "expiry_day", "program", "agreement", "points", "out")
    entry = Entry(
        **{name: int(line[name]) for name in numbers},
        kind=Kind[line["kind"].upper()],
        member=line["member"],
        settled=int(line["settled_micros"]),
        fee=int(line["fee_micros"]),
        ref=bytes_of(line["ref"]),
        link=bytes_of(line["link"]),
    )
    assert hex_of(entry.leaf()) == line["leaf"]
    assert hex_of(root_of_proof(entry.leaf(), [bytes_of(word) for word in line["proof"].split(" ")])) == line["root"]
    assert (line["time"], line["day"]) == ("2026-11-30T00:53:20Z", "2026-11-30")


def test_without_an_agreement_there_are_no_sides() -> None:
    issue = replace(ENTRY, kind=Kind.ISSUE, agreement=0, out=0, settled=0, fee=0)
    line = line_of(1, replace(EXPORTED, entry=issue, sides=Sides(1, 1), target=None))
    empty = ("agreement", "source_merchant", "target_merchant", "target_program", "target_program_code")
    assert [line[name] for name in empty] == [""] * 5
    assert [line[name] for name in MONEY] == ["0"] * 4


@pytest.mark.parametrize(
    ("merchant", "kind", "concerned"),
    [
        (1, Kind.EXCHANGE, True),
        (2, Kind.EXCHANGE, True),
        (3, Kind.EXCHANGE, False),
        (0, Kind.EXCHANGE, True),
        (0, Kind.REVERSE, False),
    ],
)
def test_whom_an_entry_concerns(merchant: int, kind: Kind, concerned: bool) -> None:
    assert Sides(1, 2).concern(merchant, replace(ENTRY, kind=kind)) is concerned


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t1", "＝1"])
def test_a_spreadsheet_carries_nothing_out(text: str) -> None:
    assert next(csv.reader([csv_line([text, -5])])) == [f"'{text}", "-5"]
