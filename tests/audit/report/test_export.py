"""The kit's export of entries: which it takes, and that it leaves nothing half written. `test_export_lines.py` is about its lines,
and `tests/gateway/test_export.py` compares it with the gateway's over a real chain."""

from __future__ import annotations

import csv
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.audit.report.story import FIRST_DAY, UTC_OFFSET, Story, year
from tongdui.audit.chain.reading import Block, Call
from tongdui.audit.findings import CannotCheck, Finding
from tongdui.audit.report.export import Period, write_export
from tongdui.audit.watching import EntrySeen
from tongdui.encoding import hex_of
from tongdui.receipts import merkle_root


@pytest.fixture(scope="module")
def story() -> Story:
    return year(days=30)


@pytest.fixture(scope="module")
def blocks(story: Story) -> list[Block]:
    """The story as blocks of the chain: a call for each, whose batch has its true root."""
    found: dict[int, Block] = {}
    leaves: list[bytes] = []
    for seen in story.told:
        events: list[tuple[str, tuple[Any, ...]]]
        if isinstance(seen, EntrySeen):
            leaves.append(seen.leaf)
            events = [("EntryPosted", (seen.entry,))]
        elif seen.name == "BatchClosed":
            events = [("BatchClosed", (seen.values[0], len(leaves), merkle_root(leaves), bytes(32)))]
            leaves = []
        else:
            events = [(seen.name, seen.values)]
        block = found.get(seen.block.number) or Block(
            seen.block.number,
            seen.block.hash,
            "0x",
            seen.block.time,
            bytes(32),
            (Call(seen.transaction, 0, "0x", "0x", True, "", (), ()),),
            (),
        )
        call = replace(block.calls[0], events=(*block.calls[0].events, *events))
        found[block.number] = replace(block, calls=(call,))
    return list(found.values())


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_merchants_entries_of_a_period(story: Story, blocks: list[Block], tmp_path: Path) -> None:
    path, period = tmp_path / "mart.csv", Period(FIRST_DAY + 3, FIRST_DAY + 20)
    count = write_export(path, 3, period, blocks, UTC_OFFSET)
    wanted = [
        hex_of(seen.leaf)
        for seen in story.told
        if isinstance(seen, EntrySeen)
        and period.contains(seen.block.day)
        and (3 in (seen.terms.source_merchant, seen.terms.target_merchant) if seen.terms else seen.entry.program == 3)
    ]
    lines = lines_of(path)
    assert [line["leaf"] for line in lines] == wanted
    assert count == len(wanted) > 5
    assert {line["program_code"] for line in lines} == {"FUEL", "MART"}
    assert stat.S_IMODE(path.stat().st_mode) & 0o044


def test_the_operators_entries_are_those_with_a_fee(story: Story, blocks: list[Block], tmp_path: Path) -> None:
    path = tmp_path / "operator.csv"
    write_export(path, 0, Period(), blocks, UTC_OFFSET)
    fees = sum(seen.entry.fee for seen in story.told if isinstance(seen, EntrySeen))
    assert sum(int(line["fees_received_micros"]) for line in lines_of(path)) == fees > 0


def test_nothing_is_half_written(blocks: list[Block], tmp_path: Path) -> None:
    path = tmp_path / "entries.csv"
    path.write_text("an earlier one")
    with pytest.raises(CannotCheck, match="no merchant 9; its merchants are numbered from 0, the operator, to 4"):
        write_export(path, 9, Period(), blocks, UTC_OFFSET)
    fault = Finding("block.hash", "hash of block 50", "0x12", "0x34")
    broken = [replace(block, faults=(fault,)) if block.number == blocks[9].number else block for block in blocks]
    with pytest.raises(CannotCheck, match=r"from block \d+: hash of block 50 should be 0x12, and is 0x34"):
        write_export(path, 1, Period(), broken, UTC_OFFSET)
    short = [_without_an_entry(block) if block.number == blocks[9].number else block for block in blocks]
    with pytest.raises(CannotCheck, match=r"nothing can be exported from batch 9: its \d+ entries lead to the root 0x"):
        write_export(path, 1, Period(), short, UTC_OFFSET)
    assert path.read_text() == "an earlier one"
    assert [each.name for each in tmp_path.iterdir()] == ["entries.csv"]


def _without_an_entry(block: Block) -> Block:
    (call,) = block.calls
    return replace(block, calls=(replace(call, events=call.events[1:]),))


def test_bad_input_is_refused_in_words(blocks: list[Block], tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="the export ends on 1970-01-02, before it begins on 1970-01-03"):
        Period(2, 1)
    with pytest.raises(CannotCheck, match=r"nowhere/x\.csv cannot be written: No such file or directory"):
        write_export(tmp_path / "nowhere" / "x.csv", 1, Period(), blocks, UTC_OFFSET)
