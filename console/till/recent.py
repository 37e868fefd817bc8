"""The last movements of a till: the browser remembers their ids while the person is signed in; the gateway says what they are."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence

from fastapi.responses import Response

from console.visit import Visit
from tongdui import Movement, NotFoundError

_COOKIE = "tongdui_till"
_MOST = 6
_ID = re.compile(r"[a-z]{2,6}_[0-9A-Za-z]{10,40}", re.ASCII)


def recent_ids(visit: Visit) -> list[str]:
    """The ids, the newest first; none of another session's or seat's."""
    owner, *ids = (visit.request.cookies.get(_COOKIE) or "").split(".")
    return [one for one in ids[:_MOST] if _ID.fullmatch(one)] if owner == _owner(visit) else []


async def recent(visit: Visit) -> Sequence[Movement]:
    """The movements as they are now."""
    found = await asyncio.gather(*(_fetch(visit, one) for one in recent_ids(visit)))
    return [movement for movement in found if movement is not None]


def remember(visit: Visit, response: Response, movement: str) -> None:
    """Adds a movement, once."""
    ids = [movement, *(one for one in recent_ids(visit) if one != movement)][:_MOST]
    value = ".".join([_owner(visit), *ids])
    secure = visit.parts.settings.is_secure
    response.set_cookie(_COOKIE, value, path="/cashier", httponly=True, samesite="strict", secure=secure)


async def _fetch(visit: Visit, movement: str) -> Movement | None:
    try:
        return await visit.client.movements.get(movement)
    except NotFoundError:
        return None


def _owner(visit: Visit) -> str:
    return hashlib.sha256(f"{visit.secret} {visit.seat.id}".encode()).hexdigest()[:16]
