"""Processes that take turns on one thread, and a clock that jumps from one turn to the next.

A process is a greenlet: it runs until it waits, and whoever is due next goes on. So the product's own code runs as it is, in the
middle of its functions, and one seed decides the whole order of events.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Executor, Future
from datetime import UTC, datetime, timedelta
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple

from greenlet import getcurrent, greenlet
from sqlalchemy.exc import SQLAlchemyError

from clearing.chain.errors import ChainError, ChainUnreachable
from clearing.kit.clock import Clock

TROUBLE = (ChainError, ChainUnreachable, SQLAlchemyError)
"""Errors after which whoever works for the network tries again."""


class Killed(BaseException):
    """The process dies here. No error of the product: nobody may catch it."""


class Scheduler:
    """Decides who runs. `now` is in seconds since the begin of the schedule."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.trace: list[tuple[float, str, str]] = []
        """What happened: when, in which process, what."""
        self.points: Counter[str] = Counter()
        self.over = False
        """Whether the schedule has ended: nothing starts again."""
        self._cuts: dict[tuple[str, int], Callable[[str], BaseException]] = {}
        self._turns: list[tuple[float, int, Process]] = []
        self._numbers = count()
        self._hub = getcurrent()
        self._processes: list[Process] = []

    def cut(self, process: str, point: int, error: Callable[[str], BaseException]) -> None:
        """What happens to a process at the how many-th of its next points: it dies, or it is told that something failed."""
        self._cuts[process, self.points[process] + point] = error

    def spawn(self, name: str, body: Callable[[], Any], after: float = 0.0) -> Process:
        """Starts a process."""
        process = Process(self, name, body)
        self._processes.append(process)
        self._at(self.now + after, process)
        return process

    def say(self, what: str) -> None:
        """Writes a line of the trace."""
        self.trace.append((self.now, self.name, what))

    @property
    def name(self) -> str:
        """Of the process that runs."""
        current = getcurrent()
        return current.name if isinstance(current, Process) else "world"

    @property
    def current(self) -> Process:
        """The process that runs."""
        current = getcurrent()
        assert isinstance(current, Process), "only processes wait"
        return current

    # ---------------------------------------------------------------- for processes

    def sleep(self, seconds: float) -> None:
        """Lets others run for so long. Outside a process, as while a network is set up, nothing has to wait."""
        current = getcurrent()
        if not isinstance(current, Process):
            return
        self._at(self.now + seconds, current)
        self._switch(current)

    def wait(self, seconds: float | None) -> bool:
        """Waits until somebody wakes the process, or for so long; whether it was woken."""
        current = self.current
        current.woken = False
        if seconds is not None:
            self._at(self.now + seconds, current)
        else:
            current.turn = -1  # whoever wakes it gives it one
        self._switch(current)
        return current.woken

    def _switch(self, current: Process) -> None:
        self._hub.switch()
        if current.is_doomed:
            current.is_doomed = False
            raise Killed

    def kill(self, process: Process) -> None:
        """Lets a process die where it waits."""
        if not process.dead:
            process.is_doomed = True
            self.wake(process)

    def kill_threads(self, name: str) -> None:
        """A process has died, and so do its threads."""
        for process in self._processes:
            if process.name.startswith(f"{name} "):
                process.is_orphan = True
                self.kill(process)

    def wake(self, process: Process, after: float = 0.0) -> None:
        """Ends a pause."""
        process.woken = True
        self._at(self.now + after, process)

    def point(self, what: str) -> None:
        """A place at which the process may be cut off."""
        name = self.name.partition(" ")[0]
        self.points[name] += 1
        error = self._cuts.get((name, self.points[name]))
        if error is not None:
            found = error(what)
            self.say(f"{type(found).__name__} {what}")
            raise found

    # ---------------------------------------------------------------- for the world

    def run(self, until: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Runs everybody until this moment, or until there is nothing more to do. Raises what a process raises."""
        self._hub = getcurrent()
        while self._turns and self._turns[0][0] <= until and not stop():
            at, number, process = heapq.heappop(self._turns)
            if process.turn != number or process.dead:
                continue
            self.now = max(self.now, at)
            process.switch()
        if not stop():
            self.now = max(self.now, until)

    def close(self) -> None:
        """Ends all processes where they are."""
        self.over = True
        for process in self._processes:
            if process and not process.dead:
                process.throw(Killed())

    def _at(self, when: float, process: Process) -> None:
        process.turn = next(self._numbers)
        heapq.heappush(self._turns, (when, process.turn, process))


class Process(greenlet):
    """Something that runs by itself. It ends without a word where it is killed."""

    def __init__(self, scheduler: Scheduler, name: str, body: Callable[[], Any]) -> None:
        super().__init__(self._live, parent=scheduler._hub)
        self.name = name
        self.turn = -1
        """The number of its next turn; earlier ones do not count any more."""
        self.woken = False
        self.is_doomed = False
        self.is_orphan = False
        """Whether it dies because its process has died: that one may be starting again by then."""
        self._body = body

    def _live(self) -> None:
        try:
            self._body()
        except Killed:
            return


class SimulatedClock(Clock):
    """The time of a schedule."""

    def __init__(self) -> None:
        self.begin = datetime(2033, 5, 18, 3, 0, tzinfo=UTC)
        self.scheduler = Scheduler()

    def now(self) -> datetime:
        """The moment of the turn that runs."""
        return self.begin + timedelta(seconds=self.scheduler.now)

    def monotonic(self) -> float:
        """Seconds since the begin of the schedule."""
        return self.scheduler.now


class Lock:
    """One holder at a time; the others wait in a row. SQLite has one writer."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._holder: Any = None
        self._waiting: deque[Process] = deque()

    def acquire(self) -> None:
        """Waits until the lock is free."""
        current = getcurrent()
        while self._holder is not None and self._holder is not current and not self._holder.dead:
            assert isinstance(current, Process), "the lock is held by a process that waits"
            self._waiting.append(current)
            self._scheduler.wait(None)
        self._holder = current

    def release(self) -> None:
        """Lets the next one in. Whoever does not hold it changes nothing."""
        if self._holder is not getcurrent():
            return
        self._holder = None
        while self._waiting:
            process = self._waiting.popleft()
            if not process.dead:
                self._scheduler.wake(process)
                return

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, _type: type[BaseException] | None, _error: Any, _trace: TracebackType | None) -> None:
        self.release()


class Threads(Executor):
    """A pool of so many threads, each of which is a process."""

    def __init__(self, scheduler: Scheduler, most: int, name: str) -> None:
        self._scheduler = scheduler
        self._most = most
        self._name = name
        self._owner = getcurrent()
        self._queue: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._running = 0

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Runs a function as soon as a thread is free."""
        future: Future[Any] = Future()
        self._queue.append((future, lambda: function(*arguments, **named)))
        if self._running < self._most:
            self._running += 1
            self._scheduler.spawn(self._name, self._work)
        return future

    def _work(self) -> None:
        try:
            while self._queue:
                future, function = self._queue.popleft()
                if future.set_running_or_notify_cancel():
                    try:
                        future.set_result(function())
                    except Exception as error:  # noqa: BLE001 (whoever asks for the result gets it)
                        future.set_exception(error)
        except Killed:
            if isinstance(self._owner, Process) and not self._scheduler.current.is_orphan:
                self._scheduler.kill(self._owner)  # a process dies as a whole
        finally:
            self._running -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Starts nothing more."""
        self._queue.clear()


class Done(NamedTuple):
    """As `concurrent.futures.wait` says it."""

    done: set[Future[Any]]
    not_done: set[Future[Any]]


def wait_for(
    scheduler: Scheduler, futures: Iterable[Future[Any]], timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> Done:
    """Waits until all futures, or the first one, are done, or for so long."""
    futures = set(futures)
    current, waits = scheduler.current, True

    def is_enough() -> bool:
        done = [future.done() for future in futures]
        return not done or all(done) or (return_when == FIRST_COMPLETED and any(done))

    def look(_: Future[Any]) -> None:
        if waits and is_enough():
            scheduler.wake(current)

    if not is_enough():
        for future in futures:
            if not future.done():
                future.add_done_callback(look)
        scheduler.wait(timeout)
    waits = False
    done = {future for future in futures if future.done()}
    return Done(done, futures - done)
