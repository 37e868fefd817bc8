"""What the network says of the merchant's members: whose points will expire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from tongdui import APIError, Client, Event

_TYPE = "points.expiring"
_UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class Reminder:
    """The network says that points of a member will expire.

    Attributes:
        event: The id of the network's event.
        customer: The merchant's number for the member, or None where the network has forgotten it.
        program: Whose points they are.
        points: How many.
        expires_on: The last day on which they are good.
        days: How many days that is ahead.
    """

    event: str
    customer: str | None
    program: str
    points: int
    expires_on: date
    days: int


class ForgottenEvent(Exception):
    """The network does not know the event any more after which it was asked to go on."""


class News:
    """What the network says, in the order in which it happened."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def newest(self) -> str | None:
        """The id of the last event of any kind, if there is one."""
        return next((event.id for event in self._client.events.list(page_size=1)), None)

    def expiring(self) -> list[Reminder]:
        """All that was said so far and is still kept, the oldest first."""
        return [_reminder(event) for event in self._client.events.list(type=_TYPE)][::-1]

    def expiring_after(self, event: str) -> Iterator[Reminder]:
        """What is said after an event, as it is said. It never ends. Raises ForgottenEvent."""
        try:
            for one in self._client.events.stream([_TYPE], last_event_id=event):
                yield _reminder(one)
        except APIError as error:
            if error.status == _UNPROCESSABLE:
                raise ForgottenEvent(event) from error
            raise


def _reminder(event: Event) -> Reminder:
    data = event.data
    return Reminder(
        event=event.id,
        customer=data.get("external_id"),
        program=data["program"],
        points=data["points"],
        expires_on=date.fromisoformat(data["expires_on"]),
        days=data["days"],
    )
