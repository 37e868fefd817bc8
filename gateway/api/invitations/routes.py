"""Invitations: an admin offers a seat, and whoever is invited accepts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from clearing.kit.fields import MerchantId
from clearing.oversight.approvals.changes import NetworkInvitation
from clearing.parties.access.service import Scope
from clearing.parties.staff.invitations import Offer, code_hash_of, needs_second_person, new_code
from clearing.parties.staff.models import Invitation
from gateway.api.api_keys.schemas import ApiKeyView
from gateway.api.api_keys.view import api_key_view
from gateway.api.approvals.schemas import ApprovalView
from gateway.api.approvals.view import ASKED, requested, required_reason
from gateway.api.invitations.acceptance import accepted, invitation_service
from gateway.api.invitations.schemas import (
    InvitationAcceptance,
    InvitationCreate,
    InvitationLookup,
    InvitationOfferView,
    InvitationRedemption,
    InvitationView,
)
from gateway.api.invitations.view import invitation_view, offer_view
from gateway.api.sessions.schemas import SessionView
from gateway.api.staff.place import place_of
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Mutating, Open, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.problems import documented
from gateway.http.results import Answer
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["staff"])


@router.post("/v1/invitations", status_code=201, responses=ASKED)
def create_invitation(body: InvitationCreate, call: Mutating) -> Answer[InvitationView | ApprovalView]:
    """Offers somebody a seat for seven days.

    The operator invites the network's own staff, and whoever comes first at a merchant: a person, who becomes its admin, or a
    program, which redeems the invitation for the first API key. Another person has to approve that (202); only an auditor is
    invited at once. Where the network sends no mail, whoever asks gets a code to hand over, and whoever approves the link.
    """
    offer = Offer(body.email, body.name, body.title, body.language, body.merchant)
    if needs_second_person(call.caller, offer):
        return Answer(_asked(call, body), 202)
    invitation, link = invitation_service(call).invite(call.caller, offer)
    return Answer(_shown(call, [invitation], link)[0], call.status)


@router.get("/v1/invitations", responses=documented(404))
def list_invitations(
    call: Reading,
    merchant: Annotated[MerchantId | None, Query(description="for the operator and auditors: to this merchant")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[InvitationView]:
    """Invitations to your merchant (or to the network) that somebody may still accept, newest first."""
    rows = invitation_service(call).list(place_of(call, merchant), after=id_after(cursor, "inv"), limit=limit + 1)
    return page_of(_shown(call, rows), limit, lambda view: view, lambda view: view.id)


@router.delete("/v1/invitations/{invitation}", status_code=200)
def revoke_invitation(invitation: str, call: Mutating) -> InvitationView:
    """Takes an invitation back."""
    return _shown(call, [invitation_service(call).revoke(call.caller, invitation)])[0]


@router.post("/v1/invitations/lookup", status_code=200, responses=documented(404, 409))
def look_up_invitation(body: InvitationLookup, call: Open) -> InvitationOfferView:
    """What the bearer of the token is offered."""

    def look_up() -> InvitationOfferView:
        service = invitation_service(call)
        invitation = service.shown(body.token)
        return offer_view(call.names, invitation, is_known=service.invited(invitation) is not None)

    return call.transact(look_up)


@router.post("/v1/invitations/accept", status_code=201, responses=documented(404, 409, 429))
def accept_invitation(body: InvitationAcceptance, call: Open) -> SessionView:
    """Accepts an invitation, and signs the person in on its new seat."""
    return accepted(call, body)


@router.post("/v1/invitations/redeem", status_code=201, responses=documented(404, 409))
def redeem_invitation(body: InvitationRedemption, call: Open) -> ApiKeyView:
    """Makes a merchant's first API key, for a program that has the merchant's invitation, and shows its `secret` once. The
    invitation is used up: keep the answer."""

    def redeem() -> ApiKeyView:
        scopes = frozenset(body.scopes) if body.scopes is not None else frozenset(Scope)
        key, token = invitation_service(call).redeem(body.token, body.code, scopes=scopes, name=body.name)
        return api_key_view(call.names, key, token)

    return call.transact(redeem)


def _asked(call: Call, body: InvitationCreate) -> ApprovalView:
    code = None if call.gateway.settings.sends_mail else new_code()
    change = NetworkInvitation(
        email=body.email,
        name=body.name,
        title=body.title,
        language=body.language,
        merchant=body.merchant,
        code_hash=None if code is None else code_hash_of(code).hex(),
    )
    return requested(call, change, required_reason(body.reason), code=code)


def _shown(call: Call, invitations: Sequence[Invitation], link: str | None = None) -> list[InvitationView]:
    mails = invitation_service(call).mails(invitations)
    return [invitation_view(call.names, call.viewer, one, mail=mails.get(one.id), link=link) for one in invitations]
