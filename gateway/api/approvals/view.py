"""Approvals as the API shows them, and how other routes ask for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clearing.kit.errors import InvalidRequest
from clearing.oversight.approvals.changes import Change
from clearing.oversight.approvals.models import Approval
from clearing.oversight.approvals.service import ApprovalService, change_of
from clearing.oversight.progress.service import ProgressService
from gateway.api.approvals.schemas import ApprovalView
from gateway.api.operations.view import actor_view
from gateway.http.context import Call, ChainResource, Shown

ASKED: dict[int | str, dict[str, Any]] = {
    202: {"model": ApprovalView, "description": "Asked for: another person has to approve it"}
}
"""The answer of a route whose request needs a second person, where it does so only sometimes."""


def required_reason(reason: str | None) -> str:
    """The reason that comes with what needs a second person."""
    if reason is None:
        raise InvalidRequest.at("/reason", "is missing: another person has to approve this, and wants to know why")
    return reason


def approval_service(call: Call) -> ApprovalService:
    """The service in this call's transaction."""
    return ApprovalService(call.session, keyring=call.gateway.keyrings.mailed_links, settings=call.gateway.settings)


def requested(
    call: Call, change: Change, reason: str, *, secret: str | None = None, code: str | None = None
) -> ApprovalView:
    """Asks for a change that needs a second person; what the maker is shown of it."""
    approval = approval_service(call).request(call.caller, change, reason)
    return approval_view(call, approval, secret=secret, code=code)


def approval_views(call: Call, approvals: Sequence[Approval]) -> Callable[[Approval], ApprovalView]:
    """Makes the views of these approvals; what the chain has yet to confirm is looked up once."""
    pending = ProgressService(call.session).unfinished([approval.id for approval in approvals])
    return lambda approval: _view(call, approval, is_pending=approval.id in pending)


def approval_view(
    call: Call, approval: Approval, *, secret: str | None = None, code: str | None = None, link: str | None = None
) -> ApprovalView:
    """An approval, with what only the first answer has."""
    is_pending = call.is_unfinished(approval.id)
    return _view(call, approval, is_pending=is_pending, secret=secret, code=code, link=link)


def _view(
    call: Call,
    approval: Approval,
    *,
    is_pending: bool,
    secret: str | None = None,
    code: str | None = None,
    link: str | None = None,
) -> ApprovalView:
    service = approval_service(call)
    return ApprovalView(
        id=approval.id,
        kind=approval.kind,
        state=service.state_of(approval),
        merchant=call.names.optional_merchant(approval.merchant_number),
        change=change_of(approval).shown(),
        before=approval.before,
        after=approval.after,
        reason=approval.reason,
        maker=actor_view(call, approval.maker),
        is_yours=service.identity_of(call.caller) == approval.maker_identity,
        created_at=approval.created_at,
        expires_at=approval.expires_at,
        decided_by=actor_view(call, approval.decided_by) if approval.decided_by else None,
        decided_at=approval.decided_at,
        decision_reason=approval.decision_reason,
        result=approval.result,
        is_pending=is_pending,
        secret=secret,
        code=code,
        link=link,
    )


def _show(call: Call, approval_id: str) -> Shown[ApprovalView]:
    view = approval_view(call, approval_service(call).get(approval_id))
    return Shown(view, is_open=view.is_pending)


APPROVALS = ChainResource("apr", "approvals", _show)
