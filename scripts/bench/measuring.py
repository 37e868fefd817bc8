"""What every measurement needs: printing a figure, time, percentiles, and the CPU time and memory of processes."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def report(figure: str, value: float, unit: str, **details: Any) -> None:
    """Prints a figure."""
    rounded = value if isinstance(value, int) else round(value, 3)
    print(json.dumps({"figure": figure, "value": rounded, "unit": unit, **details}), flush=True)


def timed(work: Callable[[], object]) -> float:
    """Returns the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def percentile(values: Sequence[float], percent: int) -> float:
    """Returns a percentile of at least two values."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def cpu_seconds(pid: int) -> float:
    """Returns the CPU time of a process and all its children, also those that have ended."""
    return _of_tree(pid, _own_cpu_seconds)


def memory_bytes(pid: int) -> float:
    """Returns the memory of a process and all its children; what several processes share is divided among them."""
    return _of_tree(pid, _own_memory_bytes)


def _of_tree(pid: int, measure: Callable[[Path], float]) -> float:
    """Adds up a tree of processes. Starts again if one ends meanwhile: only its parent can tell then what it used."""
    while True:
        try:
            return sum(measure(Path(f"/proc/{one}")) for one in _tree(pid))
        except (FileNotFoundError, ProcessLookupError):
            if not Path(f"/proc/{pid}").exists():
                raise


def _tree(pid: int) -> list[int]:
    tasks = [task.read_text().split() for task in Path(f"/proc/{pid}").glob("task/*/children")]
    return [pid, *(found for some in tasks for child in some for found in _tree(int(child)))]


def _own_cpu_seconds(process: Path) -> float:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _own_memory_bytes(process: Path) -> int:
    lines = (process / "smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
