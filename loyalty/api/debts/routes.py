"""Debts: look at them, and give one up."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from loyalty.api.debts.schemas import DebtView
from loyalty.api.fields import Decision
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
from loyalty.network.debts import DebtService

router = api("debts")
_Open = Annotated[bool | None, Query(alias="open", description="true: something is still owed")]


@router.get("/v1/debts")
def list_debts(
    call: Calling, customer: str | None = None, is_open: _Open = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[DebtView]:
    """What customers owe, because points that should have been taken back were spent; newest first."""
    found = DebtService(call.session).page(customer=customer, is_open=is_open, cursor=cursor, limit=limit)
    return shown(found, DebtView.shown)


@router.post("/v1/debts/{debt}/write-off")
def write_off_debt(call: Calling, debt: str, decision: Decision) -> DebtView:
    """Give up what is left of a debt."""
    return DebtView.shown(DebtService(call.session).write_off(debt, actor=call.actor, reason=decision.reason))
