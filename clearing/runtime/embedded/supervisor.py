"""Child processes: started, restarted when they die by themselves, and stopped in order."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clearing.runtime.parent_death import die_with_parent

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
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self) -> None:
        """Starts the process, with its output appended to its log."""
        self.before_start()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 (our own command)
                self.command,
                env=self.environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches only the supervisor, which then stops the children in order
                preexec_fn=_die_with_parent,  # noqa: PLW1509 (one call into libc)
            )
        self.starts += 1

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Asks it to end; kills it if it does not."""
        if self.process is None or not self.running:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

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
    _stopped: threading.Event = field(init=False, default_factory=threading.Event)
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

    def stop(self, order: Sequence[str]) -> None:
        """Stops the children in this order. Safe to call twice."""
        self._stopping.set()
        with self._restarting:  # a child that the watcher is just starting must be there to be stopped
            for name in order:
                if name in self.children:
                    self.children[name].stop()
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join()

    def _watch(self, meanwhile: Callable[[], None]) -> None:
        while not self._stopping.wait(_LOOK_EVERY):
            meanwhile()
            for child in self.children.values():
                # A child that keeps dying is restarted more and more slowly.
                if not child.running and not self._stopping.wait(min(0.1 * 2**child.starts, _LONGEST_PAUSE)):
                    self._restart(child)
        # To Linux, the thread that started a child is its parent: children would die with this thread, in any order.
        self._stopped.wait()

    def _restart(self, child: Child) -> None:
        with self._restarting:
            if not self._stopping.is_set():
                child.start()


def _die_with_parent() -> None:
    """When the supervisor is killed its children die too, so that a directory never has two networks."""
    die_with_parent(signal.SIGTERM)
