"""Approvals: what needs a second person waits here for one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from clearing.kit.fields import MerchantId
from clearing.oversight.approvals.models import ApprovalState, ChangeKind
from gateway.api.approvals.schemas import ApprovalDecline, ApprovalView
from gateway.api.approvals.view import APPROVALS, approval_service, approval_view, approval_views
from gateway.http.endpoint import Endpoint, Mutating, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of
from gateway.http.results import Started
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["approvals"])


@router.get("/v1/approvals")
def list_approvals(
    call: Reading,
    state: Annotated[ApprovalState | None, Query(description="`requested`: what waits for somebody")] = None,
    kind: Annotated[ChangeKind | None, Query()] = None,
    merchant: Annotated[MerchantId | None, Query(description="only what concerns this merchant")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[ApprovalView]:
    """What was asked for, newest first: by whom and why, what was before and what would be after, and who decided."""
    rows = approval_service(call).list(
        state=state, kind=kind, merchant_id=merchant, after=id_after(cursor, "apr"), limit=limit + 1
    )
    return page_of(rows, limit, approval_views(call, rows), lambda approval: approval.id)


@router.get("/v1/approvals/{approval}")
def get_approval(approval: str, call: Reading) -> ApprovalView:
    """One of them."""
    return approval_view(call, approval_service(call).get(approval))


@router.post("/v1/approvals/{approval}/approve", status_code=200)
def approve(approval: str, call: Waitable) -> Started[ApprovalView] | ApprovalView:
    """Lets it take effect, at once. Whoever asked cannot approve. `Prefer: wait=N` waits for the chain, where that is concerned."""
    approved, link = approval_service(call).approve(call.caller, approval)
    return APPROVALS.started(approved.id) if link is None else approval_view(call, approved, link=link)


@router.post("/v1/approvals/{approval}/decline", status_code=200)
def decline_approval(approval: str, body: ApprovalDecline, call: Mutating) -> ApprovalView:
    """Refuses it, and says why."""
    return approval_view(call, approval_service(call).decline(call.caller, approval, body.reason))


@router.post("/v1/approvals/{approval}/withdraw", status_code=200)
def withdraw_approval(approval: str, call: Mutating) -> ApprovalView:
    """Takes back what you have asked for."""
    return approval_view(call, approval_service(call).withdraw(call.caller, approval))
