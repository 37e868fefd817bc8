"""A session that has just begun: the browser gets its cookie, and the person goes on."""

from __future__ import annotations

from fastapi.responses import RedirectResponse, Response

import tongdui
from console.sessions import session_of
from console.visit import LANGUAGE_COOKIE, Guest
from pages.translations import LANGUAGES


def go_on_with(guest: Guest, session: tongdui.Session, address: str) -> Response:
    """Takes the session into the browser, and leads to the address."""
    response = RedirectResponse(address, 303)
    take(guest, session, response)
    if session.person.language in LANGUAGES:
        guest.parts.keep_preference(response, LANGUAGE_COOKIE, session.person.language)
    return response


def take(guest: Guest, session: tongdui.Session, response: Response) -> None:
    """Writes the session's token into the browser's cookie. The one that was there before is gone."""
    assert session.token is not None, "a session that begins has its token"
    guest.parts.sessions.remember(session_of(session.token, session))
    guest.parts.cookie.write(response, session.token)
