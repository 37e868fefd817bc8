"""Invitations as the API shows them."""

from __future__ import annotations

from clearing.kit.mail.models import Mail
from clearing.kit.viewer import Viewer
from clearing.parties.names import Names
from clearing.parties.staff.models import Invitation
from gateway.api.invitations.schemas import InvitationMailView, InvitationOfferView, InvitationView


def invitation_view(
    names: Names, viewer: Viewer, invitation: Invitation, *, mail: Mail | None = None, link: str | None = None
) -> InvitationView:
    """An invitation, with the mail that brings it; or with its link, if it was just made and no mail does."""
    return InvitationView(
        id=invitation.id,
        email=invitation.email,
        name=invitation.name,
        title=invitation.title,
        language=invitation.language,
        merchant=names.optional_merchant(invitation.merchant_number),
        link=link,
        mail=_mail_view(viewer, mail) if mail is not None else None,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
        accepted_at=invitation.accepted_at,
        revoked_at=invitation.revoked_at,
    )


def _mail_view(viewer: Viewer, mail: Mail) -> InvitationMailView:
    # How the network reaches its server concerns the network; what the server says of the address concerns whoever invites.
    is_said = mail.answer is not None and (viewer.sees(None) or mail.answer[:3].isdecimal())
    return InvitationMailView(
        state=mail.state,
        attempts=mail.attempts,
        answer=mail.answer if is_said else None,
        sent_at=mail.sent_at,
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
        needs_code=invitation.code_hash is not None,
        expires_at=invitation.expires_at,
    )
