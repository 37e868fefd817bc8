"""Invitations as the API shows them."""

from __future__ import annotations

from clearing.parties.names import Names
from clearing.parties.staff.models import Invitation
from gateway.api.invitations.schemas import InvitationOfferView, InvitationView


def invitation_view(names: Names, invitation: Invitation, link: str | None = None) -> InvitationView:
    """An invitation, with its link if it was just made and no mail brings it."""
    return InvitationView(
        id=invitation.id,
        email=invitation.email,
        name=invitation.name,
        title=invitation.title,
        language=invitation.language,
        merchant=names.optional_merchant(invitation.merchant_number),
        link=link,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
        accepted_at=invitation.accepted_at,
        revoked_at=invitation.revoked_at,
    )


def offer_view(names: Names, invitation: Invitation, *, is_known: bool) -> InvitationOfferView:
    """What whoever is invited sees."""
    number = invitation.merchant_number
    return InvitationOfferView(
        email=invitation.email,
        name=invitation.name,
        title=invitation.title,
        language=invitation.language,
        merchant=names.optional_merchant(number),
        merchant_name=names.optional_merchant_name(number),
        is_known=is_known,
        expires_at=invitation.expires_at,
    )
