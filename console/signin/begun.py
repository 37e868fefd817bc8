"""A session that has just begun: the browser gets its cookie, and the person goes on."""

from __future__ import annotations

from fastapi.responses import Response

import tongdui
from console.sessions import session_of
from console.visit import Guest, present_request


def go_on_with(guest: Guest, session: tongdui.Session, address: str, message: str | None = None) -> Response:
    """Takes the session into the browser, and leads to the address, which shows the message."""
    work_for(guest, session)
    response = guest.redirect(address, message)
    take(guest, session, response)
    return response


def work_for(guest: Guest, session: tongdui.Session) -> None:
    """Whatever this request still shows belongs to the new session: its forms and messages are made of the new token."""
    assert session.token is not None, "a session that begins has its token"
    guest.secret, guest.new_secret = session.token, False
    present_request(guest.request, session.token, session_of(session.token, session))


def take(guest: Guest, session: tongdui.Session, response: Response) -> None:
    """Writes the session's token into the browser's cookie. The one that was there before is gone."""
    assert session.token is not None, "a session that begins has its token"
    guest.parts.sessions.remember(session_of(session.token, session))
    guest.parts.cookie.write(response, session.token)
