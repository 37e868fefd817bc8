"""Differences of the nightly check."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from loyalty.api.differences.schemas import DifferenceView
from loyalty.api.fields import Decision
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
from loyalty.network.differences import DifferenceService

router = api("differences")


@router.get("/v1/differences")
def list_differences(
    call: Calling, is_open: Annotated[bool | None, Query(alias="open")] = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[DifferenceView]:
    """Differences, newest first: with `open=true` those that nobody has closed."""
    found = DifferenceService(call.session).page(is_open=is_open, cursor=cursor, limit=limit)
    return shown(found, DifferenceView.of)


@router.post("/v1/differences/{difference}/close")
def close_difference(call: Calling, difference: str, decision: Decision) -> DifferenceView:
    """Note that somebody has dealt with a difference, and how."""
    return DifferenceView.of(
        DifferenceService(call.session).close(difference, actor=call.actor, reason=decision.reason)
    )
