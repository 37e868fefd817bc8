"""Member codes: the member's own merchant asks for them, shows them to the member, and sees what became of them.

Another merchant presents a code as `member_code` where it asks for a hold or a movement.
"""

from __future__ import annotations

from fastapi import APIRouter

from clearing.kit.errors import pointer_into
from clearing.kit.fields import LookedUpMember
from clearing.parties.codes.models import MemberCode
from clearing.parties.codes.service import MemberCodeService
from clearing.parties.members.service import MemberService
from clearing.parties.programs.service import require_program
from gateway.api.codes.schemas import MemberCodeCreate, MemberCodeLookup, MemberCodeView
from gateway.api.codes.view import code_view
from gateway.api.members.schemas import MemberView
from gateway.api.members.view import member_view
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.problems import documented

router = APIRouter(route_class=Endpoint, tags=["members"])


@router.post("/v1/members/{member}/codes", status_code=201)
def create_member_code(member: LookedUpMember, body: MemberCodeCreate, call: Mutating) -> MemberCodeView:
    """Makes a code with which another merchant can draw on the member's points, once. Only this response shows it."""
    code, text = MemberCodeService(call.session).create(
        call.merchant,
        member,
        points=body.points,
        program=body.program,
        presenter=body.merchant,
        seconds=body.expires_in,
        actor=call.actor,
    )
    return code_view(call, code, text)


@router.post("/v1/member_codes/lookup", status_code=200, responses=documented(429))
def look_up_member_code(body: MemberCodeLookup, call: Mutating) -> MemberView:
    """Says whose code it is, if you may present it for this, and uses nothing up: who signs orders needs the member's address."""
    at = pointer_into("")
    program = require_program(call.session, body.program, at("program"))
    holder = MemberCodeService(call.session).peek(
        call.merchant, body.member_code, program=program.number, points=body.points, at=at
    )
    return member_view(call, holder)


@router.get("/v1/members/{member}/codes/{code}")
def get_member_code(member: LookedUpMember, code: str, call: Reading) -> MemberCodeView:
    """What became of a code that you asked for."""
    return code_view(call, _visible(call, member, code))


@router.delete("/v1/members/{member}/codes/{code}", status_code=200)
def void_member_code(member: LookedUpMember, code: str, call: Mutating) -> MemberCodeView:
    """Ends a code before its time. Harmless if it has ended already; refused if it was used."""
    found = _visible(call, member, code)
    MemberCodeService(call.session).void(found, call.actor)
    return code_view(call, found)


def _visible(call: Call, member: str, code: str) -> MemberCode:
    holder = MemberService(call.session).visible(call.viewer, member)
    return MemberCodeService(call.session).visible(call.viewer, holder, code)
