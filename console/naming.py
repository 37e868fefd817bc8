"""How people name a member: by their own number, or by the id that stands on its page."""

from __future__ import annotations

from urllib.parse import quote

from tongdui import Member

ID_PREFIX = "mem_"


def reference_of(text: str) -> str:
    """What was typed or scanned, as the gateway takes it."""
    return text if text.startswith(ID_PREFIX) else f"external:{text}"


def shown_name(member: Member) -> str:
    """The merchant's own number of a member, or else its id."""
    return member.external_id or member.id


def member_address(reference: str) -> str:
    """The address of a member's page."""
    return f"/members/{quote(reference, safe=':')}"
