"""Programs: the directory is for everyone in the network, changes are the operator's."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import ProgramService
from gateway.api.programs.schemas import ProgramCreate, ProgramView
from gateway.api.views import Views
from gateway.http.endpoint import Endpoint, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of
from gateway.http.results import Started
from gateway.http.schemas import Page, View

router = APIRouter(route_class=Endpoint, tags=["programs"])


@router.post("/v1/programs", status_code=201, response_model=ProgramView)
def register_program(body: ProgramCreate, call: Waitable) -> Any:
    """Starts a points currency. It is `pending` until the chain confirms it; `Prefer: wait=N` waits for that."""
    program = ProgramService(call.session).register(
        merchant_id=body.merchant,
        code=body.code,
        name=body.name,
        default_lifetime_days=body.default_lifetime_days,
        actor=call.actor,
    )
    return Started(program.id)


@router.get("/v1/programs", response_model=Page[ProgramView])
def list_programs(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> View:
    """The network's programs, newest first."""
    rows = ProgramRepository(call.session).list(after=cursor, limit=limit + 1)
    return page_of(rows, limit, Views(call.session, call.gateway.network).program, lambda program: program.id)


@router.get("/v1/programs/{program}", response_model=ProgramView)
def get_program(program: str, call: Reading) -> View:
    """One program, by code or id."""
    return Views(call.session, call.gateway.network).program(ProgramService(call.session).existing(program))
