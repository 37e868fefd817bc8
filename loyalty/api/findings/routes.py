"""Findings of the nightly check."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from loyalty.api.findings.schemas import FindingView
from loyalty.api.wishes.schemas import Decision
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
from loyalty.network.findings import FindingService

router = api("findings")


@router.get("/v1/findings")
def list_findings(
    call: Calling, is_open: Annotated[bool | None, Query(alias="open")] = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[FindingView]:
    """Findings, newest first: with `open=true` those that nobody has closed."""
    found = FindingService(call.session).page(is_open=is_open, cursor=cursor, limit=limit)
    return shown(found, FindingView.of)


@router.post("/v1/findings/{finding}/close")
def close_finding(call: Calling, finding: str, decision: Decision) -> FindingView:
    """Note that somebody has dealt with a finding, and how."""
    return FindingView.of(FindingService(call.session).close(finding, actor=call.actor, reason=decision.reason))
