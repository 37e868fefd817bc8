"""Members. A merchant sees those that it has registered, and their balances in programs that it deals with."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from clearing.kit.fields import Address, ExternalId, ExternalIdPrefix, LookedUpExternalId, LookedUpMember, Moment
from clearing.ledger.availability.accounts import AccountService
from clearing.ordering.erasure.service import ErasureService
from clearing.ordering.orders.claims import ClaimService
from clearing.oversight.closings.service import ClosingService
from clearing.parties.members.freezes import FreezeService
from clearing.parties.members.service import MemberService
from gateway.api.closings import AsOf
from gateway.api.members.schemas import (
    AccountView,
    ClosingAccountView,
    ErasureView,
    ExternalIdAdd,
    FreezeCreate,
    LinkCodeView,
    MemberCreate,
    MemberErase,
    MembersLookup,
    MembersRegister,
    MemberView,
)
from gateway.api.members.view import account_view, closing_account_view, erasure_view, member_view, member_views
from gateway.http.endpoint import Endpoint, Looking, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after
from gateway.http.results import Answer
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["members"])


@router.post(
    "/v1/members",
    status_code=201,
    responses={200: {"model": MemberView, "description": "You had registered this member before"}},
)
def register_member(body: MemberCreate, call: Mutating) -> Answer[MemberView]:
    """Registers a customer under your own number; 200 if you had. With a link code: one that another merchant has registered.
    With `member`: one whose points you have received, and whom you do not know yet."""
    if body.member is not None:
        member, is_new = ClaimService(call.session).claim(
            call.merchant, external_id=body.external_id, member_id=body.member, actor=call.actor
        )
    else:
        member, is_new = MemberService(call.session).register(
            call.merchant,
            external_id=body.external_id,
            link_code=body.link_code,
            reissue=body.reissue,
            actor=call.actor,
        )
    return Answer(member_view(call, member), 201 if is_new else 200)


@router.post("/v1/members/register", status_code=200)
def register_members(body: MembersRegister, call: Mutating) -> Page[MemberView]:
    """Registers many customers at once, or finds those that you had registered; in the order of their numbers. All or none."""
    found = MemberService(call.session).register_all(call.merchant, body.external_ids, call.actor)
    views = {view.id: view for view in member_views(call, list({member.id: member for member in found}.values()))}
    return Page(data=[views[member.id] for member in found])


@router.post("/v1/members/lookup", status_code=200)
def look_up_members(body: MembersLookup, call: Looking) -> Page[MemberView]:
    """The members that you know by these names, each once, in the order of the names. Whom you do not know is missing.
    Changes nothing, so it needs no Idempotency-Key."""
    found = MemberService(call.session).known_as(call.merchant, body.members)
    return Page(data=member_views(call, found))


@router.get("/v1/members")
def list_members(
    call: Reading,
    external_id: Annotated[ExternalId | None, Query(description="exactly this number of yours")] = None,
    q: Annotated[ExternalIdPrefix | None, Query(description="how a number of yours begins")] = None,
    address: Annotated[Address | None, Query(description="for the operator and auditors")] = None,
    state: Annotated[Literal["active", "frozen"] | None, Query()] = None,
    created_from: Annotated[Moment | None, Query(alias="created[gte]")] = None,
    created_before: Annotated[Moment | None, Query(alias="created[lt]")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[MemberView]:
    """The members that you know, newest first; with `q`, by your numbers. For the operator and auditors, everyone's. With `q` and
    another filter a page may be short, or empty, and not be the last one: go by `next_cursor`."""
    page = MemberService(call.session).list(
        call.viewer,
        external_id=external_id,
        prefix=q,
        address=address.lower() if address else None,
        frozen=None if state is None else state == "frozen",
        created_from=created_from,
        created_before=created_before,
        after=id_after(cursor, "mem"),
        limit=limit,
    )
    views = {view.id: view for view in member_views(call, page.members)}
    return Page(data=[views[member.id] for member in page.members], next_cursor=page.after)


@router.post("/v1/members/{member}/external_ids", status_code=201)
def add_external_id(member: LookedUpMember, body: ExternalIdAdd, call: Mutating) -> MemberView:
    """Gives the member a further number of yours: a second card."""
    found = MemberService(call.session).add_external_id(
        call.merchant, member, body.external_id, call.actor, reissue=body.reissue
    )
    return member_view(call, found)


@router.delete("/v1/members/{member}/external_ids/{external_id}", status_code=200)
def retire_external_id(member: LookedUpMember, external_id: LookedUpExternalId, call: Mutating) -> MemberView:
    """Lets one of several numbers lead to the member no more: a lost card."""
    found = MemberService(call.session).retire_external_id(call.merchant, member, external_id, call.actor)
    return member_view(call, found)


@router.post("/v1/members/{member}/freeze", status_code=200)
def freeze_member(member: LookedUpMember, body: FreezeCreate, call: Mutating) -> MemberView:
    """Nobody takes this member's points any more: at your till and of your programs; nowhere, if the operator says so.
    Points are still issued, expire, and come back when a movement is reversed."""
    return member_view(call, FreezeService(call.session).freeze(call.viewer, member, body.reason, call.actor))


@router.post("/v1/members/{member}/unfreeze", status_code=200)
def unfreeze_member(member: LookedUpMember, call: Mutating) -> MemberView:
    """Takes your freeze back. Other merchants' and the network's stay."""
    return member_view(call, FreezeService(call.session).unfreeze(call.viewer, member, call.actor))


@router.post("/v1/members/{member}/erase", status_code=200)
def erase_member(member: LookedUpMember, body: MemberErase, call: Mutating) -> ErasureView:
    """Forgets a customer who asks for it. This cannot be undone. While other merchants know the member, it lives on for them."""
    erasure = ErasureService(call.session, network=call.gateway.network).erase(
        call.viewer, member, forfeit_points=body.forfeit_points, actor=call.actor
    )
    return erasure_view(call, erasure)


@router.post("/v1/members/{member}/link_codes", status_code=201)
def create_link_code(member: LookedUpMember, call: Mutating) -> LinkCodeView:
    """Makes a code with which another merchant can register this member, once, within ten minutes."""
    code, expires_at = MemberService(call.session).create_link_code(call.merchant, member, call.actor)
    return LinkCodeView(code=code, expires_at=expires_at)


@router.get("/v1/members/{member}/accounts")
def list_accounts(member: LookedUpMember, call: Reading, as_of: AsOf = None) -> Page[AccountView | ClosingAccountView]:
    """The member's balances: now, or as they were at the end of a day. The operator and auditors may also name an address, even of
    a member that was merged or erased."""
    network = call.gateway.network
    accounts = AccountService(call.session, network=network)
    holder = accounts.holder(call.viewer, member)
    if as_of is not None:
        closings = ClosingService(call.session, network=network)
        day = closings.day(as_of)
        points = closings.balances(call.viewer, day, holder)
        return Page(data=[closing_account_view(call, day, holder, *each) for each in points.items()])
    balances = accounts.balances(call.viewer, holder)
    return Page(data=[account_view(call, holder, program, balance) for program, balance in balances.items()])


@router.get("/v1/members/{member}")
def get_member(member: LookedUpMember, call: Reading) -> MemberView:
    """One member, by id or by `external:` and your own number; for the operator and auditors, by id or address."""
    return member_view(call, MemberService(call.session).visible(call.viewer, member))
