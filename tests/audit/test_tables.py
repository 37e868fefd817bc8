"""The tables of an audit: as a dictionary, undone, in a file, and after a run that stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongdui.audit.tables import Tables

KEYS = st.integers(0, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.sampled_from([0, 1, 2**90, (1, b"x", ("y",))])),
        st.tuples(st.sampled_from(["attempt", "take back", "end", "space", "checkpoint"]), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS, st.integers(0, 3), st.booleans())
def test_a_table_is_a_dictionary(steps: list[tuple[str, int, object]], most: int, is_file: bool) -> None:
    tables = Tables(Path(":memory:") if is_file else None, most)
    table = tables.table("t", default=0)
    twin: dict[int, object] = {}
    attempts: list[tuple[object, object, dict[int, object]]] = []
    for step, key, value in steps:
        match step:
            case "set":
                table[key] = twin[key] = value
            case "attempt":
                attempt = tables.attempt()
                attempts.append((attempt, attempt.__enter__(), dict(twin)))
            case "take back" if attempts:
                attempts[-1][1]()  # type: ignore[operator]
                twin = dict(attempts[-1][2])
            case "end" if attempts:
                attempts.pop()[0].__exit__(None, None, None)  # type: ignore[attr-defined]
            case "space" if not attempts:
                tables.make_space()
            case "checkpoint" if not attempts:
                tables.checkpoint()
        kept = {key: value for key, value in twin.items() if value != 0}
        assert {key: table[key] for key in range(6) if key in table} == kept
        if not attempts:
            assert dict(table.stored()) == kept
    tables.close()


def test_what_was_not_made_durable_is_gone(tmp_path: Path) -> None:
    for round_ in range(3):
        tables = Tables(tmp_path / "state", most_in_memory=2)
        points, names = tables.table("points", default=0), tables.table("names", load=tuple)
        assert tables.note("block") == (None if round_ == 0 else 10 * round_)
        assert points["member", 1] == round_
        points["member", 1] += 1
        names[round_] = ("name", b"\x01")
        tables.checkpoint(block=10 * (round_ + 1))
        points["member", 1] += 100
        tables.make_space()
        tables.close()
    with pytest.raises(KeyError):
        Tables().table("names")[1]
