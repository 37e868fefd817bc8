"""How fast a till's file becomes sales, and in how much memory: a year of a supermarket, read in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

from scripts.bench.till_year import MAPPING, generate_year
from tongdui.till import TillMapping, read_till


def till_figures() -> Iterator[tuple[str, float, str]]:
    """Measures the reading of a year: figure, value and unit."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "year.csv"
        year = generate_year(path)
        command = [sys.executable, "-m", "scripts.bench.till", str(path)]
        measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if measured["points"] != year.points:
        raise RuntimeError(f"the year is worth {year.points} points, and {measured['points']} were read")
    yield "till rows read a second", year.rows / measured["seconds"], "rows/s"
    yield "till rows read a second of processor time", year.rows / measured["cpu"], "rows/s"
    yield "memory at the peak of reading a year of a till", measured["peak_mib"], "MiB"


def _read(path: Path) -> dict[str, float]:
    """Reads a year: what is in it, how long that took, and the memory at the peak."""
    mapping = TillMapping.parse(tomllib.loads(MAPPING), "year.toml")
    began = time.perf_counter()
    with read_till(path, mapping) as sheet:
        points = sum(sale.points for sale in sheet.sales)
        counted = {"rows": sheet.rows_read, "sales": len(sheet.sales) + len(sheet.worthless), "points": points}
    seconds = time.perf_counter() - began
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    # Not getrusage: it counts what the parent had when it forked.
    peak = int(status["VmHWM"].split()[0]) // 1024
    return {**counted, "seconds": seconds, "cpu": time.process_time(), "peak_mib": peak}


if __name__ == "__main__":
    print(json.dumps(_read(Path(sys.argv[1]))))
