"""What goes wrong, and how much memory the processes take meanwhile."""

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

from clearing.runtime.embedded import Child, EmbeddedNetwork
from scripts.dev.services import Postgres, kill_tree

GROWTH = 1.3
"""How much more memory a process may take at the end of its longest life than after it had warmed up ..."""
SLACK = 24 * 2**20
"""... plus so many bytes."""
_WARM_UP = 25.0
"""Seconds. A worker imports everything again in each of its processes."""
_SAMPLES = 20


class Chaos:
    """Kills something every few seconds."""

    def __init__(self, network: EmbeddedNetwork, server: Postgres, rng: random.Random, pause: float) -> None:
        self._network = network
        self._server = server
        self._rng = rng
        self._pause = pause
        self.injected: Counter[str] = Counter()

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.wait(self._pause * self._rng.uniform(0.5, 1.5)):
            what = self._rng.choices(
                ["gateway", "sequencer", "projector", "worker", "database", "chain", "freeze"], [3, 4, 4, 2, 2, 2, 2]
            )[0]
            if what == "database":
                self._server.kill()
                self._server.start()
                self.injected["database killed"] += 1
            elif what == "freeze":
                self._freeze(self._rng.choice(["sequencer", "projector", "gateway"]))
            else:
                self._kill(what)

    def _kill(self, name: str) -> None:
        child = self._network.children[name]
        if child.process is not None and child.running:
            kill_tree(child.process.pid)
            child.starts = 1  # we, not it, are to blame: start it again soon
            lost = " (and lost its newest blocks)" if name == "chain" else ""
            self.injected[f"{name} killed{lost}"] += 1

    def _freeze(self, name: str) -> None:
        """A process that stands still is not dead: its locks and connections are there."""
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
    """Resident memory of every process, over its life."""

    samples: dict[tuple[str, int], list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))

    def run(self, children: dict[str, Child], stop: threading.Event) -> None:
        """Samples every second until told to stop."""
        while not stop.wait(1.0):
            for name, child in list(children.items()):
                if child.process is not None and child.running:
                    size = sum(map(_resident, _tree(child.process.pid)))
                    self.samples[name, child.process.pid].append((time.monotonic(), size))

    def rows(self) -> Iterator[tuple[str, str, bool]]:
        """Process, what was seen, and whether that is within the bound."""
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
                yield name, f"{seen}, which is anvil's own affair", True
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
    """Its proportional share: what a worker's processes have in common counts once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
