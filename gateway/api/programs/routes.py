"""Programs: everyone in the network may read the directory; only the operator changes it."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter

from clearing.parties.programs.service import ProgramService, require_program
from gateway.api.programs.schemas import ProgramCreate, ProgramView
from gateway.api.programs.view import PROGRAMS, program_view
from gateway.http.endpoint import Endpoint, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.results import Started
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["programs"])


@router.post("/v1/programs", status_code=201)
def register_program(body: ProgramCreate, call: Waitable) -> Started[ProgramView]:
    """Starts a points currency. It is `pending` until the chain confirms it; `Prefer: wait=N` waits for that."""
    program = ProgramService(call.session).register(
        merchant_id=body.merchant,
        code=body.code,
        name=body.name,
        default_lifetime_days=body.default_lifetime_days,
        actor=call.actor,
    )
    return PROGRAMS.started(program.id)


@router.get("/v1/programs")
def list_programs(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[ProgramView]:
    """The network's programs, newest first."""
    rows = ProgramService(call.session).list(after=id_after(cursor, "prg"), limit=limit + 1)
    return page_of(rows, limit, partial(program_view, call), lambda program: program.id)


@router.get("/v1/programs/{program}")
def get_program(program: str, call: Reading) -> ProgramView:
    """One program, by code or id."""
    return program_view(call, require_program(call.session, program))
