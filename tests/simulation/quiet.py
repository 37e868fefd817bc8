"""What a process of simulations needs before it begins."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.signing import keyring


@contextmanager
def quiet() -> Iterator[None]:
    """Logs nothing, because a schedule has its own trace, and collects garbage seldom. Keystores are cheap, as in all tests."""
    before, thresholds = structlog.get_config(), gc.get_threshold()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    keyring._SCRYPT_N = 2**4
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        structlog.configure(**before)
