"""`make profile`: flame graphs of gateway, sequencer and projector under a load of exchanges, and their hottest functions.

The graphs go to .build/profile; open them in a browser. They show the code that holds Python's lock, and so no thread that waits.
py-spy needs the right to look into other processes: be root, or see `man ptrace`. The load is slower than without it.
"""

from __future__ import annotations

import argparse
import logging
import re
import subprocess
import sys
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from clearing.kit import logs
from scripts.bench.bulk import run_bulk
from scripts.bench.load import as_fast_as_answered
from scripts.bench.partners import Partners, partners
from scripts.bench.singles import expect_settled, managed_requests

PROCESSES = ("gateway", "sequencer", "projector")
DIRECTORY = Path(__file__).parents[2] / ".build" / "profile"
_SAMPLES_A_SECOND = 100
_NAMESPACE = "{http://www.w3.org/2000/svg}"
_FLAME = "{http://github.com/jonhoo/inferno}"
_OURS = re.compile(r"\((clearing/(?!runtime/|__main__)|gateway/(http|api)/|tongdui/)")
_SAMPLES = re.compile(r" \([\d,]+ samples, [\d.]+%\)$")


class Recorder:
    """py-spy, as it watches one process."""

    def __init__(self, pid: int, path: Path, seconds: float) -> None:
        self.path = path
        command = [
            "py-spy",
            "record",
            "--pid",
            str(pid),
            "--output",
            str(path),
            "--duration",
            str(max(1, round(seconds))),
        ]
        options = ["--rate", str(_SAMPLES_A_SECOND), "--function", "--subprocesses", "--gil"]
        self._process = subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def finish(self) -> None:
        """Waits for the graph. Raises if there is none."""
        _, said = self._process.communicate(timeout=60)
        if self._process.returncode != 0:
            raise RuntimeError(f"py-spy wrote no {self.path.name}: {said.strip()}")


class Frame(NamedTuple):
    """A box of a flame graph: how deep its function was called, where it begins, and how many samples it covers."""

    depth: int
    start: int
    samples: int
    function: str


def frames_of(svg: Path) -> list[Frame]:
    """Reads the boxes of a flame graph."""
    frames = []
    for group in ElementTree.parse(svg).iter(f"{_NAMESPACE}g"):  # noqa: S314 (py-spy has just written it)
        title, box = group.find(f"{_NAMESPACE}title"), group.find(f"{_NAMESPACE}rect")
        if title is None or box is None:
            continue
        depth, start, samples = (int(box.get(name, "")) for name in ("y", f"{_FLAME}x", f"{_FLAME}w"))
        frames.append(Frame(depth, start, samples, _SAMPLES.sub("", title.text or "")))
    return frames


class Samples(NamedTuple):
    """By function, in how many samples it was running: itself, or it or what it had called."""

    own: Counter[str]
    total: Counter[str]


def count_samples(frames: Sequence[Frame]) -> Samples:
    """Counts how often each function was seen. Recursion counts once."""
    levels: dict[int, list[Frame]] = defaultdict(list)
    for frame in sorted(frames, key=lambda frame: frame.start):
        levels[frame.depth].append(frame)
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    callers: list[tuple[Frame, frozenset[str]]] = []  # with the names of all its callers
    for _, level in sorted(levels.items()):
        starts = [caller.start for caller, _ in callers]
        called = []
        for frame in level:
            names: frozenset[str] = frozenset()
            if callers:
                caller, names = callers[bisect_right(starts, frame.start) - 1]
                own[caller.function] -= frame.samples
                names |= {caller.function}
            own[frame.function] += frame.samples
            if frame.function not in names:
                total[frame.function] += frame.samples
            called.append((frame, names))
        callers = called
    return Samples(own, total)


def print_hottest(name: str, svg: Path, count: int) -> None:
    """Prints the functions that ran the longest themselves, and those of this project with what they called."""
    own, total = count_samples(frames_of(svg))
    every = own.total()
    print(f"\n{name}: {every / _SAMPLES_A_SECOND:.1f} seconds of Python; {svg}")
    ours = Counter({function: total[function] for function in total if _OURS.search(function)})
    for title, samples in (("itself", own), ("with what it calls", ours)):
        print(f"  {title}")
        for function, number in samples.most_common(count):
            print(f"    {100 * number / every:5.1f} %  {function}")


def _singles(around: Partners, connections: int) -> Callable[[float], float]:
    """Single exchanges for so many seconds; how many a second were settled."""
    requests = managed_requests(around.managed)
    return lambda seconds: (
        as_fast_as_answered(around.port, requests, expect_settled, connections=connections, seconds=seconds).rate
    )


def _bulk(around: Partners) -> Callable[[float], float]:
    """The same in orders of hundreds."""
    return lambda seconds: run_bulk(around.own, seconds).settled_per_second


def main() -> int:
    """Runs the load and watches."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="default: %(default)s")
    parser.add_argument("--connections", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=1, help="processes of the gateway (default: %(default)s)")
    parser.add_argument("--bulk", action="store_true", help="orders of hundreds instead of single exchanges")
    parser.add_argument("--functions", type=int, default=15, help="in each list (default: %(default)s)")
    chosen = parser.parse_args()
    logs.configure(logging.WARNING)
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with partners(chosen.workers) as around:
        run = _bulk(around) if chosen.bulk else _singles(around, chosen.connections)
        run(2)  # warms up
        recorders = [Recorder(around.pid(name), DIRECTORY / f"{name}.svg", chosen.seconds) for name in PROCESSES]
        rate = run(chosen.seconds)
        for recorder in recorders:
            recorder.finish()
    print(f"{rate:.0f} exchanges a second, watched")
    for name in PROCESSES:
        print_hottest(name, DIRECTORY / f"{name}.svg", chosen.functions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
