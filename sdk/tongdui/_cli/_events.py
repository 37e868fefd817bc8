"""events: what happens to you, as it happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ._arguments import Types
from ._command import command, group
from ._outcomes import GOOD
from ._output import document_of
from ._session import Session

if TYPE_CHECKING:
    from tongdui._client import Client
    from tongdui._models import Event
    from tongdui._stream import EventStream

After: TypeAlias = Annotated[
    str | None, typer.Option(metavar="EVENT", help="Begin after the event with this id. By default, begin now.")
]
Limit: TypeAlias = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="End after so many events. By default, go on until Ctrl-C.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    events = group("events", "What happens to you.")
    command(events, "tail")(tail)
    app.add_typer(events)


def tail(session: Session, types: Types = None, after: After = None, limit: Limit = None) -> int:
    """Print events as they happen, each once and in order, over broken connections.

    Example: tongdui events tail --type order.*
    """
    with session.client() as client:
        stream = open_stream(session, client, types or (), after)
        session.out.note("waiting for events; Ctrl-C ends it")
        with until_interrupted(session, stream, limit) as events:
            for event in events:
                session.out.document(document_of(event))
                at = f"{event.created_at:%Y-%m-%d %H:%M:%S}"
                session.out.lines(f"{at}  {event.type:<28}  {event.subject}  {event.id}")
    return GOOD


def open_stream(session: Session, client: Client, types: Sequence[str], after: str | None) -> EventStream:
    """Open the stream of events, beginning with the very next one.

    Args:
        session: Says it when the gateway has no such type.
        client: Whose events they are.
        types: Only these. All if empty.
        after: Begin after this one.

    Returns:
        The stream.

    Raises:
        TongduiError: The gateway does not answer, or refuses.
    """
    from ._catalogue import Catalogue

    if types:
        for sentence in Catalogue.of(client).unknown(types):
            session.out.note(f"tongdui: {sentence}")
    if after is None:
        # What happens between now and the moment at which the stream is open belongs to it.
        after = next((event.id for event in client.events.list(page_size=1)), None)
    return client.events.stream(types, last_event_id=after)


@contextmanager
def until_interrupted(session: Session, stream: EventStream, limit: int | None) -> Iterator[Iterator[Event]]:
    """Give events until there were `limit`, or until Ctrl-C, which is the way to end this; then say where to go on.

    An event counts as done when the next one is asked for.
    """
    last = stream.last_event_id

    def each() -> Iterator[Event]:
        nonlocal last
        for event in islice(stream, limit):
            yield event
            last = event.id

    try:
        yield each()
    except KeyboardInterrupt:
        session.out.note(f"ended; go on with --after {last}" if last else "ended")
