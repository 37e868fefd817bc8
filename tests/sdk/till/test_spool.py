"""The temporary database of a sheet: what goes in comes out, in order, as often as asked, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongdui import TillError
from tongdui.till import PointsRule, Row
from tongdui.till._sheet import summary_of
from tongdui.till._spool import Run, Spool, Spooled, micros, moment, pack, unpack

NOON = datetime(2026, 4, 15, 4, 0, tzinfo=UTC)


def row(line: int, sale: str, later: int = 0) -> Row:
    moment = NOON + timedelta(seconds=later)
    return Row(line, "1", sale, moment, "FC-1", "茶", "shop", Decimal("1.50"), Decimal("-0.10"), "kg", "P1")


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_as_it_was(time: datetime) -> None:
    assert moment(micros(time)) == time


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"])), st.decimals(allow_nan=False, allow_infinity=False)
        ),
        min_size=1,
    )
)
def test_rows_come_back_as_they_were(values: list[tuple[str, Decimal]]) -> None:
    rows = tuple(
        Row(line, "1", "S", NOON + timedelta(microseconds=line), text, text, "shop", number, number, text, text)
        for line, (text, number) in enumerate(values)
    )
    assert unpack(pack(rows), "1", "S") == rows


def test_runs_come_out_in_order_of_till_number_and_time() -> None:
    spool = Spool()
    for run_id, (sale, later) in enumerate([("b", 5), ("a", 9), ("b", 1), ("a", 0)], start=1):
        rows = [row(run_id, sale, later)]
        spool.add_run(Run(run_id, "1", sale, summary_of(rows, PointsRule({"shop": Fraction(1)}))), rows)
    spool.finish_rows()
    assert [(run.id, run.number) for run in spool.runs()] == [(4, "a"), (2, "a"), (3, "b"), (1, "b")]
    assert spool.rows_of(next(spool.runs())) == (row(4, "a", 0),)


def _numbers(spool: Spool) -> Spooled[int]:
    spool.change("INSERT INTO bought (time) VALUES (?)", [(n,) for n in range(10)])
    return Spooled(spool, "SELECT time FROM bought ORDER BY time", (), lambda values: int(values[0]))


def test_a_spooled_collection_is_a_sequence() -> None:
    numbers = _numbers(Spool())
    plain = list(range(10))
    assert list(numbers) == list(numbers) == plain
    assert (len(numbers), numbers[3], numbers[-1], bool(numbers)) == (10, 3, 9, True)
    for window in (
        slice(2, 5),
        slice(None),
        slice(-3, None),
        slice(None, None, 3),
        slice(8, 2, -2),
        slice(5, 2),
        slice(9, 99),
    ):
        assert list(numbers[window]) == plain[window]
    for beyond in (10, -11):
        with pytest.raises(IndexError, match="among 10"):
            numbers[beyond]


def test_two_readers_do_not_disturb_each_other() -> None:
    numbers = _numbers(Spool())
    assert [(a, b) for a in numbers for b in numbers] == [(a, b) for a in range(10) for b in range(10)]


def test_a_closed_spool_says_so() -> None:
    spool = Spool()
    numbers = _numbers(spool)
    spool.close()
    with pytest.raises(TillError, match="sheet is closed"):
        list(numbers)


FILLED = """
import sys, time
from tongdui.till._spool import Spool
spool = Spool()
spool.change("INSERT INTO bought (customer) VALUES (?)", (("x" * 1000,) for _ in range(50_000)))
print("filled", flush=True)
time.sleep(600)
"""


def test_nothing_stays_behind_even_if_the_process_is_killed(tmp_path: Path) -> None:
    """50 MB are in the database, so they are on disk; yet no name in the directory is left of them."""
    environment = {**os.environ, "SQLITE_TMPDIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", FILLED], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"filled\n"
        if sys.platform == "linux":
            targets = [str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
            assert any(target.startswith(str(tmp_path)) for target in targets)
        process.send_signal(signal.SIGKILL)
    time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []
