"""The events as they happen, for everyone who listens, read by one loop a process. No thread and no connection waits with a
listener.

Everybody hears the events in the order of their numbers, and one only when no smaller number can appear any more. So the last
event that a listener has heard says exactly what it has not heard yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, TypeVarTuple

import anyio
import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from clearing.kit.database import Database
from clearing.kit.errors import RateLimited
from clearing.kit.events.horizon import EventHorizon
from clearing.kit.events.models import Event
from clearing.kit.events.service import EventService
from clearing.kit.events.types import matches_any
from clearing.kit.viewer import Viewer
from clearing.parties.access.service import Caller
from clearing.parties.names import Names
from clearing.parties.staff import bearers

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

log = structlog.get_logger(__name__)

MOST_LISTENERS = 50
"""Of one merchant (or role), in one process."""
HEARTBEAT = 15.0
"""Seconds without an event after which a client hears that we are there, and its key is looked at."""
_POLL = 0.1
_PAGE = 500
_QUEUE = 2_000
"""Events that may wait for a listener's network. One that is slower is cut off; it comes back and reads them as the past."""
_THREADS = 4
"""So that many clients that come back at once leave threads to the requests."""


class Message(NamedTuple):
    """An event, ready to be sent."""

    seq: int
    merchant_number: int | None
    type: str
    text: str


Show = Callable[[Names, Sequence[Event]], Sequence[Message]]
"""Makes events ready to be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a client wants to hear."""

    patterns: Sequence[str] = ()
    """Types such as `order.settled` or `order.*`; none means all."""
    after: int | None = None
    """The number of the last event that it knows; None: from now on."""
    seconds: float
    """How long."""


class _Listener:
    """One client, and what waits for its network."""

    def __init__(self, caller: Caller, patterns: Sequence[str], after: int) -> None:
        self.caller = caller
        self.after = after
        self._patterns = patterns
        self._outbox, self.inbox = anyio.create_memory_object_stream[Message](_QUEUE)

    def wants(self, message: Message) -> bool:
        """Whether the listener may hear this, asked for it, and does not know it."""
        if not self.caller.viewer.sees(message.merchant_number) or message.seq <= self.after:
            return False
        return not self._patterns or matches_any(self._patterns, message.type)

    def put(self, message: Message) -> None:
        """Puts a message into the inbox; a listener whose inbox is full is cut off."""
        try:
            self._outbox.send_nowait(message)
        except (anyio.WouldBlock, anyio.ClosedResourceError):
            self.close()

    def close(self) -> None:
        """Ends the stream after what is in the inbox."""
        self._outbox.close()


class EventFeed:
    """Reads new events and hands them to the listeners."""

    def __init__(self, database: Database, show: Show) -> None:
        self._database = database
        self._show = show
        self._horizon = EventHorizon()
        self._position: int | None = None
        """The number of the last event that was handed to the listeners; None while nobody listens."""
        self._present: Counter[str] = Counter()
        """Who is connected, by principal: those who still read the past, too."""
        self._listeners: set[_Listener] = set()
        self._starting: list[anyio.Event] = []
        """Those who wait until the position is known."""
        self._limiter = anyio.CapacityLimiter(_THREADS)
        self.is_stopping: Callable[[], bool] = lambda: False
        """Whether the process is about to end. Then every stream ends; its client will find another process."""

    async def run(self) -> None:
        """Hands out events until it is cancelled. While nobody listens, it does not query the database."""
        while True:
            await anyio.sleep(_POLL)
            if self.is_stopping():
                _close(self._listeners)
            elif not self._present:
                self._horizon, self._position = EventHorizon(), None
            else:
                await self._step()
            if self._position is not None or self.is_stopping():
                for event in self._starting:
                    event.set()
                self._starting.clear()

    def listen(self, caller: Caller, wanted: Wanted) -> AsyncIterator[Message | None]:
        """The events that the caller wants and may see, as they happen. None is a heartbeat.

        It ends after a while, and earlier when the caller's key was revoked, the process stops, or the client is too slow.
        """
        if self._present[caller.principal] >= MOST_LISTENERS:
            detail = f"you have {MOST_LISTENERS} streams open; close one, or share its events among your processes"
            raise RateLimited(detail, code="too_many_streams", retry_after=60)
        return self._heard(caller, wanted)

    async def _heard(self, caller: Caller, wanted: Wanted) -> AsyncIterator[Message | None]:
        with self._presence(caller):
            until = anyio.current_time() + wanted.seconds
            if self._position is None:
                self._starting.append(anyio.Event())
                await self._starting[-1].wait()
            after = wanted.after
            if after is None:
                after = self._position or 0
                yield await self._in_thread(self._beginning, caller, after)
            listener = _Listener(caller, wanted.patterns, after)
            async for message in self._past(listener):
                yield message
            self._listeners.add(listener)  # nothing was awaited since the past was over, so nothing lies between
            try:
                async for message in self._future(listener, until):
                    yield message
            finally:
                self._listeners.discard(listener)

    @contextmanager
    def _presence(self, caller: Caller) -> Iterator[None]:
        self._present[caller.principal] += 1
        try:
            yield
        finally:
            self._present -= Counter({caller.principal: 1})

    # ---------------------------------------------------------------- what was, page by page

    async def _past(self, listener: _Listener) -> AsyncIterator[Message | None]:
        position: int | None = listener.after
        while not self.is_stopping() and position is not None and position < (self._position or 0):
            page, position = await self._in_thread(self._read_past, listener.caller, position, self._position or 0)
            for message in page:
                if listener.wants(message):
                    yield message
            if position is None:
                listener.close()
            yield None  # so that a client that waits for something rare knows that we are there

    def _beginning(self, caller: Caller, position: int) -> Message:
        """Tells a client that begins now after which event it begins, so that it can come back before it has heard one."""
        with self._database.reading() as session:
            last = EventService(session).last_id(caller.viewer, position)
        return Message(position, None, "", f"id: {last}\n\n")

    def _read_past(self, caller: Caller, after: int, last: int) -> tuple[Sequence[Message], int | None]:
        """A page of the past, and the number at which it ends; no number where the caller's key was revoked."""
        with self._database.reading() as session:
            if not bearers.is_live(session, caller):
                return [], None
            events = EventService(session).between(caller.viewer, after, last, _PAGE)
            return self._show(Names(session), events), events[-1].seq if len(events) == _PAGE else last

    # ---------------------------------------------------------------- what happens

    async def _future(self, listener: _Listener, until: float) -> AsyncIterator[Message | None]:
        while not self.is_stopping() and (left := until - anyio.current_time()) > 0:
            message: Message | None = None
            with anyio.move_on_after(min(HEARTBEAT, left)):
                try:
                    message = await listener.inbox.receive()
                except anyio.EndOfStream:
                    return
            if message is None and not await self._in_thread(self._is_live, listener.caller):
                return
            yield message

    async def _step(self) -> None:
        try:
            messages, position, live = await self._in_thread(self._read_future)
        except SQLAlchemyError as error:
            log.warning("cannot look for new events", error=type(error).__name__)
            return
        self._position = position
        if not messages:
            return
        _close([listener for listener in self._listeners if listener.caller not in live])
        for listener in tuple(self._listeners):
            for message in messages:
                if listener.wants(message):
                    listener.put(message)

    def _read_future(self) -> tuple[Sequence[Message], int | None, set[Caller]]:
        """The next events, the number at which they end, and which of the listeners may still hear them."""
        with self._database.reading() as session:
            horizon = self._horizon.advance(session)
            if horizon is None or self._position is None or horizon <= self._position:
                return [], self._position if self._position is not None else horizon, set()
            events = EventService(session).between(Viewer(), self._position, horizon, _PAGE)
            position = events[-1].seq if len(events) == _PAGE else horizon
            live = bearers.live(session, [listener.caller for listener in tuple(self._listeners)])
            return self._show(Names(session), events), position, live

    def _is_live(self, caller: Caller) -> bool:
        with self._database.reading() as session:
            return bearers.is_live(session, caller)

    async def _in_thread(self, work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        return await to_thread.run_sync(work, *arguments, limiter=self._limiter)


def _close(listeners: Iterable[_Listener]) -> None:
    for listener in tuple(listeners):
        listener.close()
