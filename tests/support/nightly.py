"""What `make test` tries of what is long by repetition, and `make nightly` in full. Every kind of thing is tried in both."""

from __future__ import annotations

import os

IS_NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"


def by_day(count: int, *, at_night: int) -> int:
    """How often to repeat something."""
    return at_night if IS_NIGHTLY else count
