"""Daily statements of merchants."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from clearing.kit.fields import Day, MerchantId
from clearing.oversight.statements.service import StatementService
from gateway.api.statements.schemas import StatementView
from gateway.api.statements.view import statement_view
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.problems import documented
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["statements"])


def _service(call: Call) -> StatementService:
    return StatementService(call.session, network=call.gateway.network)


@router.get("/v1/statements", responses=documented(404))
def list_statements(
    call: Reading,
    first_day: Annotated[Day | None, Query(alias="day[gte]", description="only of this day or later")] = None,
    end_day: Annotated[Day | None, Query(alias="day[lt]", description="only of days before this one")] = None,
    merchant: Annotated[MerchantId | None, Query(description="only this merchant's")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[StatementView]:
    """Your daily statements, the last day first; for the operator, treasury and auditors, everyone's.

    With `Accept: text/csv` one table of all of them; `Next-Cursor` leads to the next page.
    """
    rows = _service(call).list(
        call.viewer,
        merchant=merchant,
        first_day=first_day,
        end_day=end_day,
        after=id_after(cursor, "stm"),
        limit=limit + 1,
    )
    return page_of(rows, limit, partial(statement_view, call), lambda statement: statement.id)


@router.get("/v1/statements/{statement}")
def get_statement(statement: str, call: Reading) -> StatementView:
    """One statement; with `Accept: text/csv` as a table."""
    return statement_view(call, _service(call).visible(call.viewer, statement))
