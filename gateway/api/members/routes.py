"""Members. A merchant sees those that it has registered, and their balances in programs that it deals with."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from clearing.kit.errors import NotFound
from clearing.ledger.accounts.repository import AccountRepository
from clearing.ledger.availability.service import AvailabilityService
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.members.models import Member
from clearing.parties.members.repository import MemberRepository
from clearing.parties.members.service import MemberService
from clearing.parties.programs.repository import ProgramRepository
from gateway.api.members.schemas import AccountView, LinkCodeView, MemberCreate, MemberView
from gateway.api.views import Views
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.results import Answer
from gateway.http.schemas import Page, View

router = APIRouter(route_class=Endpoint, tags=["members"])


@router.post(
    "/v1/members",
    status_code=201,
    response_model=MemberView,
    responses={200: {"model": MemberView, "description": "You had registered this member before"}},
)
def register_member(body: MemberCreate, call: Mutating) -> Any:
    """Registers a customer under your own number; 200 if you did before. With a link code: one whom another merchant knows."""
    member, is_new = MemberService(call.session).register(
        call.merchant, external_id=body.external_id, link_code=body.link_code, actor=call.actor
    )
    return Answer(Views.member(member, body.external_id), 201 if is_new else 200)


@router.post("/v1/members/{member:path}/link_codes", status_code=201, response_model=LinkCodeView)
def create_link_code(member: str, call: Mutating) -> Any:
    """A code with which another merchant can register this member: once, and within ten minutes."""
    code, expires_at = MemberService(call.session).create_link_code(call.merchant, member, call.actor)
    return LinkCodeView(code=code, expires_at=expires_at)


@router.get("/v1/members/{member:path}/accounts", response_model=Page[AccountView])
def list_accounts(member: str, call: Reading) -> View:
    """The member's balances."""
    found = member_of(call, member)
    accounts = AccountRepository(call.session).of_member(found.address)
    if call.only_merchant is not None:
        own = {program.number for program in ProgramRepository(call.session).of_merchant(call.only_merchant)}
        seen = own | AgreementRepository(call.session).programs_seen_by(call.only_merchant)
        accounts = [account for account in accounts if account.program in seen]
    views = Views(call.session, call.gateway.network)
    keys = [(account.address, account.program) for account in accounts]
    availability = AvailabilityService(call.session, network=call.gateway.network).of(keys)
    return Page(data=[views.account(program, found, availability[address, program]) for address, program in keys])


@router.get("/v1/members/{member:path}", response_model=MemberView)
def get_member(member: str, call: Reading) -> View:
    """One member, by id or by `external:` and your own number."""
    found = member_of(call, member)
    number = call.only_merchant
    external_id = MemberRepository(call.session).external_id(number, found.id) if number is not None else None
    return Views.member(found, external_id)


def member_of(call: Call, reference: str) -> Member:
    """The member that the caller means: a merchant's own, or any by id."""
    if call.only_merchant is not None:
        return MemberService(call.session).existing(call.merchant, reference)
    member = MemberRepository(call.session).by_id(reference)
    if member is None:
        raise NotFound(f"there is no member {reference}")
    return member
