"""Integers as text, for clients whose numbers are doubles: JavaScript's are exact up to 2^53 - 1 only, and sums of points are not.

A client asks for it with the parameter that OData's JSON format (ISO/IEC 20802-2) has for this.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import Response

from clearing.kit.json_values import compact

_JSON = "application/json"
_PARAMETER = "ieee754compatible=true"
MEDIA_TYPE = "application/json;IEEE754Compatible=true"
_OWN = "metadata"
"""A merchant's own JSON comes back as it was sent."""


def is_wanted(accept: str) -> bool:
    """Whether an Accept header asks for JSON whose integers are text."""
    for part in accept.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if media_range == _JSON and _PARAMETER in parameters:
            return True
    return False


def as_text(response: Response) -> Response:
    """The same response with every integer as text, if it is JSON. Problem documents and tables stay as they are."""
    if response.media_type != _JSON:
        return response
    headers = {
        name: value for name, value in response.headers.items() if name not in ("content-length", "content-type")
    }
    body = compact(_texts(json.loads(bytes(response.body))))
    return Response(body, response.status_code, {**headers, "vary": "Accept"}, MEDIA_TYPE)


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: inner if name == _OWN else _texts(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
