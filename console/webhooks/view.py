"""What the pages of webhooks show, in words."""

from __future__ import annotations

import json
from collections.abc import Sequence

from console.webhooks.forms import SOURCES
from pages.translations import gettext as _
from pages.translations import lazy

STATES = {"pending": lazy("Waits to be delivered"), "delivered": lazy("Delivered"), "failed": lazy("Given up")}
TONES = {"pending": "info", "delivered": "good", "failed": "bad"}


def types_in_words(types: Sequence[str]) -> list[str]:
    """What is sent to an endpoint."""
    if not types:
        return [_("All events")]
    return [str(SOURCES.get(one, one)) for one in types]


def readable(body: str) -> str:
    """A body with line breaks, if it is JSON; as it is otherwise, and if it is JSON that no page can show."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False, indent=2)
        text.encode()  # JSON can name halves of characters
    except (ValueError, RecursionError):
        return body
    return text
