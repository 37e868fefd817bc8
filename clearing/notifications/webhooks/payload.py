"""The body of a webhook request. Its form is part of the API."""

from __future__ import annotations

import json
from datetime import datetime

from clearing.kit.events.models import Event
from clearing.notifications.webhooks.sending import Message


def message_of(event: Event, at: datetime) -> Message:
    """The message for an event. `at` is the time of this attempt; the event's own time is in the body."""
    body = {
        "id": event.id,
        "type": event.type,
        "timestamp": event.created_at.isoformat().replace("+00:00", "Z"),
        "subject": event.subject,
        "data": event.data,
    }
    return Message(event.id, at, json.dumps(body, separators=(",", ":"), ensure_ascii=False))
