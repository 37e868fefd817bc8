"""Injects faults, and measures the memory of the processes meanwhile."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clearing.runtime.embedded.network import EmbeddedNetwork
from clearing.runtime.embedded.supervisor import Child
from scripts.dev.services import Postgres, kill_tree

GROWTH = 1.3
"""How many times the memory after its warm-up a process may take at the end of its longest life ..."""
SLACK = 24 * 2**20
"""... plus these bytes."""
_WARM_UP = 25.0
"""Seconds. A worker imports everything anew in each of its processes."""
_SAMPLES = 20


class Chaos:
    """Kills or freezes a process every few seconds."""

    def __init__(self, network: EmbeddedNetwork, server: Postgres, rng: random.Random, pause: float) -> None:
        self._network = network
        self._server = server
        self._rng = rng
        self._pause = pause
        self.injected: Counter[str] = Counter()

    def run(self, stop: threading.Event) -> None:
        """Runs until `stop` is set."""
        while not stop.wait(self._pause * self._rng.uniform(0.5, 1.5)):
            what = self._rng.choices(
                ["gateway", "sequencer", "signer", "projector", "worker", "rounds", "database", "chain", "freeze"],
                [3, 4, 2, 4, 2, 2, 2, 2, 2],
            )[0]
            if what == "database":
                self._server.kill()
                self._server.start()
                self.injected["database killed"] += 1
            elif what == "freeze":
                self._freeze(self._rng.choice(["sequencer", "signer", "projector", "gateway"]))
            else:
                self._kill(what)

    def _kill(self, name: str) -> None:
        child = self._network.children[name]
        if child.process is not None and child.running:
            kill_tree(child.process.pid)
            child.starts = 1  # it did not fail by itself: restart it soon
            lost = " (and lost its newest blocks)" if name == "chain" else ""
            self.injected[f"{name} killed{lost}"] += 1

    def _freeze(self, name: str) -> None:
        """Freezes a process for a while; it keeps its locks and connections."""
        child = self._network.children[name]
        if child.process is None or not child.running:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.process.pid, signal.SIGSTOP)
            time.sleep(self._rng.uniform(0.5, 3.0))
            os.kill(child.process.pid, signal.SIGCONT)
            self.injected[f"{name} frozen"] += 1


@dataclass(slots=True)
class Memory:
    """The resident memory of every process over its life."""

    samples: dict[tuple[str, int], list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))

    def run(self, children: dict[str, Child], stop: threading.Event) -> None:
        """Samples every second until `stop` is set."""
        while not stop.wait(1.0):
            for name, child in list(children.items()):
                if child.process is not None and child.running:
                    size = sum(map(_resident, _tree(child.process.pid)))
                    self.samples[name, child.process.pid].append((time.monotonic(), size))

    def rows(self) -> Iterator[tuple[str, str, bool]]:
        """Yields each process, its memory, and whether that is within the bound."""
        for name in sorted({name for name, _ in self.samples}):
            lives = [life for (owner, _), life in self.samples.items() if owner == name]
            longest = max(lives, key=lambda life: life[-1][0] - life[0][0])
            warm = [size for at, size in longest if at - longest[0][0] > _WARM_UP]
            seen = f"at most {_mib(max(size for life in lives for _, size in life))}"
            if len(warm) < _SAMPLES:
                yield name, f"{seen}; no life long enough to say more", True
                continue
            quarter = len(warm) // 4
            early, late = statistics.median(warm[:quarter]), statistics.median(warm[-quarter:])
            seen = f"{seen}; from {_mib(early)} to {_mib(late)} in its longest life"
            if name == "chain":  # anvil keeps every block in memory
                yield name, f"{seen}, which anvil decides", True
                continue
            bound = early * GROWTH + SLACK
            yield name, f"{seen}, bound {_mib(bound)}", late <= bound


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [pid]
    with contextlib.suppress(OSError):
        for child in children.read_text().split():
            found += _tree(int(child))
    return found


def _resident(pid: int) -> int:
    """Returns its proportional share, which counts memory shared by a worker's processes once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
