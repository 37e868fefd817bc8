"""The people of a merchant, or of the network itself: who is there, titles, and who may not come in any more."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from clearing.kit.fields import MerchantId
from clearing.oversight.approvals.changes import Enabling
from clearing.parties.staff.people import PeopleService
from gateway.api.approvals.schemas import ApprovalView
from gateway.api.approvals.view import ASKED, requested, required_reason
from gateway.api.staff.place import place_of
from gateway.api.staff.schemas import PersonEnabling, StaffPersonView, StaffView, TitleChange
from gateway.api.staff.view import staff_person_view, staff_view
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.problems import documented
from gateway.http.results import Answer
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["staff"])


@router.get("/v1/staff", responses=documented(404))
def list_staff(
    call: Reading,
    merchant: Annotated[
        MerchantId | None, Query(description="for the operator and auditors: this merchant's people, not the network's")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[StaffView]:
    """Who has a seat at your merchant; for the operator and auditors, in the network itself. Newest seat first."""
    rows = PeopleService(call.session).list(
        call.viewer, place_of(call, merchant), after=id_after(cursor, "sea"), limit=limit + 1
    )
    return page_of(rows, limit, partial(staff_view, call.names), lambda row: row.seat.id)


@router.patch("/v1/staff/seats/{seat}")
def change_title(seat: str, body: TitleChange, call: Mutating) -> StaffView:
    """Gives somebody at your merchant another title, and signs it out there."""
    return staff_view(call.names, PeopleService(call.session).change_title(call.caller, seat, body.title))


@router.delete("/v1/staff/seats/{seat}", status_code=200)
def remove_seat(seat: str, call: Mutating) -> StaffView:
    """Takes a seat from somebody, and signs it out there. Its other seats stay."""
    return staff_view(call.names, PeopleService(call.session).remove_seat(call.caller, seat))


@router.post("/v1/staff/{person}/disable", status_code=200)
def disable_person(person: str, call: Mutating) -> StaffPersonView:
    """Lets somebody in no more, at once."""
    return staff_person_view(PeopleService(call.session).disable(call.caller, person))


@router.post("/v1/staff/{person}/sign_out", status_code=200)
def sign_person_out(person: str, call: Mutating) -> StaffPersonView:
    """Ends all sessions of somebody at your merchant, at once; for the operator, all of anybody. The person may sign in again."""
    return staff_person_view(PeopleService(call.session).sign_out(call.caller, person))


@router.post("/v1/staff/{person}/enable", status_code=200, responses=ASKED)
def enable_person(
    person: str, call: Mutating, body: PersonEnabling | None = None
) -> Answer[StaffPersonView | ApprovalView]:
    """Lets somebody in again. For an operator or somebody of the treasury, another person has to approve that (202)."""
    people = PeopleService(call.session)
    if people.enabling_needs_second_person(call.caller, person):
        reason = required_reason(body.reason if body is not None else None)
        return Answer(requested(call, Enabling(person=person), reason), 202)
    return Answer(staff_person_view(people.enable(call.caller, person)), call.status)
