"""Daily statements of merchants."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from clearing.kit.errors import NotFound
from clearing.oversight.statements.models import Statement
from clearing.oversight.statements.repository import StatementRepository
from gateway.api.names import Names
from gateway.api.statements.schemas import StatementLineView, StatementView
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of
from gateway.http.schemas import Page, View

router = APIRouter(route_class=Endpoint, tags=["statements"])


@router.get("/v1/statements", response_model=Page[StatementView])
def list_statements(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> View:
    """Your days in sums, newest first."""
    rows = StatementRepository(call.session).list(merchant_number=call.only_merchant, after=cursor, limit=limit + 1)
    return page_of(rows, limit, lambda row: _view(call, row), lambda row: row.id)


@router.get("/v1/statements/{statement}", response_model=StatementView)
def get_statement(statement: str, call: Reading) -> View:
    """One statement."""
    found = StatementRepository(call.session).by_id(statement)
    if found is None or call.only_merchant not in (None, found.merchant_number):
        raise NotFound(f"there is no statement {statement}")
    return _view(call, found)


def _view(call: Call, statement: Statement) -> StatementView:
    names = Names(call.session)
    return StatementView(
        id=statement.id,
        merchant=names.merchant(statement.merchant_number),
        day=call.gateway.network.date_of(statement.day),
        revision=statement.revision,
        opening_micros=statement.opening,
        closing_micros=statement.closing,
        deposited_micros=statement.deposited,
        withdrawn_micros=statement.withdrawn,
        lines=[_line(names, line) for line in statement.lines],
        last_block=statement.last_block,
        created_at=statement.created_at,
    )


def _line(names: Names, line: dict[str, Any]) -> StatementLineView:
    return StatementLineView(
        kind=line["kind"],
        of=line["of"],
        program=names.program(line["program"]),
        agreement=names.agreement(line["agreement"]),
        count=line["count"],
        points=line["points"],
        out=line["out"],
        received_micros=line["received"],
        paid_micros=line["paid"],
        fees_paid_micros=line["fees_paid"],
        fees_received_micros=line["fees_received"],
    )
