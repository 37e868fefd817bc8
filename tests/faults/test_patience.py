"""A busy machine is waited for; a standstill is not."""

from __future__ import annotations

from itertools import count

import pytest

from tests.faults import patience
from tests.faults.patience import LOOKS, Patience


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SECONDS", 0.0)


def test_whoever_gets_on_is_waited_for_as_long_as_it_takes() -> None:
    heads = count()
    waiting = Patience("at rest", lambda: next(heads))
    for _ in range(20 * LOOKS):
        waiting.look()
    assert next(heads) == 20


def test_a_standstill_is_noticed() -> None:
    waiting = Patience("at rest", lambda: "block 7")
    for _ in range(2 * LOOKS - 1):
        waiting.look()
    with pytest.raises(TimeoutError, match="not yet at rest, and nothing has changed in 1000 looks: block 7"):
        waiting.look()


def test_a_quick_machine_looks_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SECONDS", 3_600.0)
    waiting = Patience("at rest", lambda: "block 7")
    for _ in range(3 * LOOKS):
        waiting.look()
