"""How fast the auditor's kit checks a network, and how much memory it takes, at several sizes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scripts.bench.audited import LongChain, long_chain
from scripts.bench.measuring import memory_bytes

SIZES = (10_000, 100_000)
"""Entries of the chains that every run measures."""
_LOOKS_A_SECOND = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """One audit from beginning to end, as a process of its own."""

    entries: int
    seconds: float
    most_bytes: float
    """Of all of its processes at one moment; what several share counts once."""


def audit_figures(sizes: Sequence[int] = SIZES) -> Iterator[tuple[str, float, str, dict[str, int]]]:
    """Measures the audit of a chain of each size. Yields figures: name, value, unit, details."""
    first_cost: float | None = None
    for size in sizes:
        with long_chain(size) as chain:
            measured = _measure(chain)
        details = {"entries": measured.entries, "processors": os.cpu_count() or 1}
        cost = measured.seconds / measured.entries
        yield "audit_entries_a_second", measured.entries / measured.seconds, "entries/s", details
        yield "audit_memory", int(measured.most_bytes), "bytes", details
        if first_cost is not None:
            yield "audit_cost_of_an_entry", cost / first_cost, f"times that at {sizes[0]:,}", details
        first_cost = first_cost or cost


def _measure(chain: LongChain) -> Measured:
    command = [sys.executable, "-m", "tongdui._cli", "audit", "run", "--progress", "none"]
    begun = time.perf_counter()
    with subprocess.Popen(
        [*command, "--rpc", chain.node.url, "--contract", chain.contract], stdout=subprocess.PIPE, text=True
    ) as process:
        memory = _Memory(process.pid)
        said, _ = process.communicate()
        seconds = time.perf_counter() - begun
        most = memory.most()
    if process.returncode:
        raise RuntimeError(f"the audit ended with {process.returncode}: {said[-2_000:]}")
    return Measured(chain.entries, seconds, most)


class _Memory:
    """Watches the memory of a process and its children from another thread."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def most(self) -> float:
        """Ends watching; returns the most bytes that were seen."""
        self._ended.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._ended.wait(1 / _LOOKS_A_SECOND):
            try:
                self._most = max(self._most, memory_bytes(self._pid))
            except (FileNotFoundError, ProcessLookupError):  # it has ended
                return
