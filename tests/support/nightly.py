"""What `make test` tries of what is long by repetition, and `make nightly` in full. Every kind of thing is tried in both,
save what takes minutes at once."""

from __future__ import annotations

import os

import pytest

IS_NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
at_night = pytest.mark.skipif(not IS_NIGHTLY, reason="takes minutes: make nightly has it")


def by_day(count: int, *, at_night: int) -> int:
    """How often to repeat something."""
    return at_night if IS_NIGHTLY else count
