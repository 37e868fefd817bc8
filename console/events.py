"""What has happened to one thing."""

from __future__ import annotations

from console.listing import complete
from console.visit import Visit
from tongdui import Event


async def events_of(visit: Visit, subject: str) -> list[Event]:
    """All that the person may know of what has happened to it, the oldest first."""
    return (await complete(visit.client.events.list(subject=subject, page_size=100)))[::-1]
