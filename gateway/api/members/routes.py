"""Members. A merchant sees those that it has registered, and their balances in programs that it deals with."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.ledger.availability.accounts import AccountService
from clearing.parties.members.service import MemberService
from gateway.api.members.schemas import AccountView, LinkCodeView, MemberCreate, MemberView
from gateway.api.members.view import account_view, member_view
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.results import Answer
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["members"])


@router.post(
    "/v1/members",
    status_code=201,
    responses={200: {"model": MemberView, "description": "You had registered this member before"}},
)
def register_member(body: MemberCreate, call: Mutating) -> Answer[MemberView]:
    """Registers a customer under your own number; 200 if you had. With a link code: one that another merchant has registered."""
    member, is_new = MemberService(call.session).register(
        call.merchant, external_id=body.external_id, link_code=body.link_code, actor=call.actor
    )
    return Answer(member_view(member, body.external_id), 201 if is_new else 200)


@router.post("/v1/members/{member}/link_codes", status_code=201)
def create_link_code(member: str, call: Mutating) -> LinkCodeView:
    """Makes a code with which another merchant can register this member, once, within ten minutes."""
    code, expires_at = MemberService(call.session).create_link_code(call.merchant, member, call.actor)
    return LinkCodeView(code=code, expires_at=expires_at)


@router.get("/v1/members/{member}/accounts")
def list_accounts(member: str, call: Reading) -> Page[AccountView]:
    """The member's balances."""
    found = MemberService(call.session).visible(call.viewer, member)
    balances = AccountService(call.session, network=call.gateway.network).balances(call.viewer, found)
    return Page(data=[account_view(call, found, program, balance) for program, balance in balances.items()])


@router.get("/v1/members/{member}")
def get_member(member: str, call: Reading) -> MemberView:
    """One member, by id or by `external:` and your own number."""
    members = MemberService(call.session)
    found = members.visible(call.viewer, member)
    return member_view(found, members.external_id(call.viewer, found))
