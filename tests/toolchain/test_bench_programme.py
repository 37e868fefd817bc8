"""The benchmark of a programme: what its processes do, with few sales."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from sqlalchemy import func, select

from loyalty.kit.database import Database
from loyalty.network.models import Wish
from loyalty.sales.models import Outcome, RecordedSale
from scripts.bench.programme import programme_figures
from scripts.bench.programme_work import GROUP, book_all, evaluate_all, make_ready
from tests.support.nightly import at_night

SALES = GROUP + 20
"""One group for each of two processes."""


def test_processes_evaluate_and_book_each_sale_once() -> None:
    parts = [evaluate_all(SALES, part, 2) for part in range(2)]
    assert [part["sales"] for part in parts] == [GROUP, 20]
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory) / 'programme.db'}"
        make_ready(url, SALES)
        booked = [book_all(url, SALES, part, 2) for part in range(2)]
        database = Database(url)
        with database.reading() as session:
            outcomes = session.scalars(select(RecordedSale.outcome)).all()
            wishes = session.scalar(select(func.count()).select_from(Wish))
        database.close()
    assert [part["sales"] for part in booked] == [GROUP, 20]
    assert outcomes == [Outcome.EARNED] * SALES
    assert wishes > SALES
    assert all(part[name] > 0 for part in [*parts, *booked] for name in ("seconds", "cpu", "tenth_mib", "peak_mib"))


@at_night
@pytest.mark.timeout(900)
def test_all_figures_of_a_programme_are_measured() -> None:
    found = {figure: (value, unit) for figure, value, unit, _ in programme_figures(SALES)}
    for name in ("evaluated", "evaluated_by_2", "booked", "booked_by_2", "settled"):
        assert found[f"programme_{name}"][0] > 0
        assert found[f"programme_{name}_cpu"][1] == "ms/sale"
    assert {f"programme_settled_memory_{name}" for name in ("sender", "gateway", "projector")} < found.keys()
