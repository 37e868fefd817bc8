"""What became of the mail that brings an invitation, in words."""

from __future__ import annotations

from collections.abc import Mapping

from pages.translations import Text, lazy
from tongdui import Invitation

_STATES: Mapping[str, tuple[Text, str]] = {
    "pending": (lazy("The mail is on its way"), "info"),
    "retried": (lazy("The mail has not arrived yet; it is tried again for a day"), "warn"),
    "sent": (lazy("The mail is sent"), "good"),
    "failed": (lazy("The mail cannot be delivered. Check the address, and invite again"), "bad"),
    "dropped": (lazy("The mail was not needed any more"), ""),
}


def mail_of(invitation: Invitation) -> tuple[str, str] | None:
    """A sentence and its tone; None if no mail brings the invitation."""
    mail = invitation.mail
    if mail is None:
        return None
    text, tone = _STATES.get("retried" if mail.state == "pending" and mail.attempts else mail.state, (mail.state, ""))
    return str(text), tone
