"""What the API shows, in JSON's values, so that events can keep it: bytes as hex, moments in RFC 3339."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from clearing.kit.identity import instant
from tongdui.encoding import hex_of


def compact(value: Any) -> str:
    """The value in the fewest characters of JSON. Raises ValueError for numbers that JSON does not have."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def instant_text(timestamp: int) -> str:
    """A moment in Unix seconds, as `moment_text` writes it."""
    return moment_text(instant(timestamp))


def moment_text(moment: datetime) -> str:
    """A moment as the API shows it, in RFC 3339."""
    return moment.isoformat().replace("+00:00", "Z")


def json_values(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The same members as a response writes them."""
    return {name: _json_value(value) for name, value in shown.items()}


def _json_value(value: Any) -> Any:
    match value:
        case bytes():
            return hex_of(value)
        case datetime():
            return moment_text(value)
        case Mapping():
            return json_values(value)
        case list() | tuple():
            return [_json_value(element) for element in value]
        case _:
            return value
