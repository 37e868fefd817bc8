"""Child processes: started, restarted when they die by themselves, and stopped in order."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clearing.runtime.embedded.fork_server import SHARED, Forked

_STOP_TIMEOUT = 20.0
_LOOK_EVERY = 0.2
_LONGEST_PAUSE = 10.0


def _nothing() -> None:
    """What there is to do where there is nothing to do."""


@dataclass(slots=True)
class Child:
    """A supervised process."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    before_start: Callable[[], None] = _nothing
    process: Forked | None = None
    starts: int = 0

    def start(self) -> None:
        """Starts the process, with its output appended to its log."""
        self.before_start()
        self.process = SHARED.start(self.name, self.command, environment=self.environment, output=self.log)
        self.starts += 1

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        """Asks it to end."""
        if self.process is not None:
            self.process.send_signal(self.stop_signal)

    def await_end(self) -> None:
        """Waits until it has ended; kills it if it does not end."""
        if self.process is not None:
            try:
                self.process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def last_lines(self, count: int) -> list[str]:
        """The end of its log."""
        return self.log.read_text(errors="replace").strip().splitlines()[-count:]


@dataclass(slots=True)
class Supervisor:
    """Keeps children running until it is told to stop."""

    children: dict[str, Child] = field(default_factory=dict)
    _stopping: threading.Event = field(init=False, default_factory=threading.Event)
    _restarting: threading.Lock = field(init=False, default_factory=threading.Lock)
    _watcher: threading.Thread | None = field(init=False, default=None)

    def start(self, child: Child) -> None:
        """Starts a child and takes it under supervision."""
        child.start()
        self.children[child.name] = child

    def watch(self, meanwhile: Callable[[], None]) -> None:
        """From now on restarts children that die by themselves, and calls `meanwhile` at each look."""
        self._watcher = threading.Thread(target=self._watch, args=(meanwhile,), daemon=True)
        self._watcher.start()

    def stop(self, order: Sequence[Sequence[str]]) -> None:
        """Stops the children in this order, those that are named together at once. Safe to call twice."""
        self._stopping.set()
        with self._restarting:  # a child that the watcher is just starting must be there to be stopped
            for names in order:
                together = [self.children[name] for name in names if name in self.children]
                for child in together:
                    child.ask_to_stop()
                for child in together:
                    child.await_end()
        if self._watcher is not None:
            self._watcher.join()

    def _watch(self, meanwhile: Callable[[], None]) -> None:
        while not self._stopping.wait(_LOOK_EVERY):
            meanwhile()
            for child in self.children.values():
                # A child that keeps dying is restarted more and more slowly.
                if not child.running and not self._stopping.wait(min(0.1 * 2**child.starts, _LONGEST_PAUSE)):
                    self._restart(child)

    def _restart(self, child: Child) -> None:
        with self._restarting:
            if not self._stopping.is_set():
                child.start()
