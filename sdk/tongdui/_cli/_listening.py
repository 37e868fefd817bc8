"""listen and trigger: events at a server of your own, without a public address."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from tongdui._errors import NotFoundError

from ._arguments import ForwardTo, Secret, Types
from ._command import command
from ._events import After, Limit, open_stream, until_interrupted
from ._outcomes import BAD, GOOD, WrongUseError
from ._session import Session

if TYPE_CHECKING:
    from tongdui._client import Client

    from ._webhooks import Message

Retries: TypeAlias = Annotated[
    int, typer.Option(min=0, metavar="N", help="How often to try again when the answer is not a 2xx.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "listen")(listen)
    command(app, "trigger")(trigger)


def listen(
    session: Session,
    forward_to: ForwardTo,
    types: Types = None,
    secret: Secret = None,
    after: After = None,
    limit: Limit = None,
    retries: Retries = 5,
) -> int:
    """Forward your events to a server on this machine, signed like webhooks.

    Your server needs no public address. It verifies the requests with the secret that this prints.

    Example: tongdui listen --forward-to http://localhost:3000/hook
    """
    from ._webhooks import Forwarder, Message, own_secret

    secret = secret or own_secret()
    given_up = 0
    with session.client() as client, Forwarder(forward_to, secret, retries=retries) as forwarder:
        stream = open_stream(session, client, types or (), after)
        session.out.document({"forward_to": forward_to, "secret": secret, "after": stream.last_event_id})
        session.out.lines(f"forwarding events to {forward_to}", f"your webhook secret is {secret}")
        with until_interrupted(session, stream, limit) as events:
            for event in events:
                delivery = forwarder.send(Message.of(event))
                given_up += not delivery.delivered
                session.out.document(delivery.document())
                session.out.lines(delivery.line())
    if given_up:
        session.out.note(f"tongdui: {given_up} events were not accepted by {forward_to}")
    return BAD if given_up else GOOD


def trigger(
    session: Session,
    event_type: Annotated[str, typer.Argument(metavar="TYPE", help="The type, such as order.settled.")],
    forward_to: ForwardTo,
    secret: Secret = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Make it from the catalogue, even if you have real events of the type.")
    ] = False,
    retries: Retries = 0,
) -> int:
    """Send an event of a type to your server, signed as `listen` does.

    It has the data of your newest event of that type or, if there is none, a sample made from the gateway's catalogue; the output
    says which. It gets an id of its own.

    Example: tongdui trigger order.settled --forward-to http://localhost:3000/hook
    """
    from ._webhooks import Forwarder, own_secret

    with session.client() as client:
        message, origin = _message(client, event_type, sample=sample)
    with Forwarder(forward_to, secret or own_secret(), retries=retries) as forwarder:
        delivery = forwarder.send(message)
    session.out.document({**delivery.document(), "origin": origin})
    session.out.lines(delivery.line(), f"  data: {origin}")
    return GOOD if delivery.delivered else BAD


def _message(client: Client, event_type: str, *, sample: bool) -> tuple[Message, str]:
    """An event to send, and where its data come from."""
    from ._catalogue import Catalogue
    from ._webhooks import Message

    own_id, now = f"evt_{secrets.token_hex(13)}", datetime.now(UTC)
    newest = None if sample else next(iter(client.events.list(type=event_type, page_size=1)), None)
    if newest is not None:
        real = Message(id=own_id, type=event_type, timestamp=now, subject=newest.subject or "", data=newest.data)
        return real, f"those of your event {newest.id}"
    try:
        catalogue = Catalogue.of(client)
    except NotFoundError as error:
        raise WrongUseError(f"you have no event {event_type} yet, and this gateway serves no catalogue") from error
    if unknown := catalogue.unknown([event_type]):
        types = "" if "did you mean" in unknown[0] else f"; its events are {', '.join(catalogue.types)}"
        raise WrongUseError(f"{unknown[0]}{types}")
    data = catalogue.sample(event_type)
    subject = str(data.get("id") or f"{event_type.partition('.')[0]}_sample")
    made = Message(id=own_id, type=event_type, timestamp=now, subject=subject, data=data)
    return made, "a sample after the gateway's catalogue; its ids lead nowhere"
