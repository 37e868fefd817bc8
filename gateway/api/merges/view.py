"""Merges as the API shows them."""

from __future__ import annotations

from clearing.ordering.merges.models import Merge, MergeState
from clearing.ordering.merges.service import MergeService, PlannedAccount
from gateway.api.merges.schemas import WARNING, MergeAccountView, MergeView
from gateway.http.context import Call


def merge_service(call: Call) -> MergeService:
    """The service in this call's transaction."""
    return MergeService(call.session, network=call.gateway.network)


def merge_view(call: Call, merge: Merge) -> MergeView:
    """A merge, with what is left to do of it."""
    plan = merge_service(call).plan(call.viewer, merge)
    return MergeView(
        id=merge.id,
        state=merge.state,
        merchant=call.names.merchant(merge.merchant_number),
        member=merge.member_id,
        member_address=plan.address,
        into=merge.into_id,
        into_address=plan.into_address,
        warning=WARNING if merge.state is MergeState.PROPOSED else None,
        accounts=[_account_view(call, planned) for planned in plan.accounts],
        created_at=merge.created_at,
        confirmed_at=merge.confirmed_at,
        done_at=merge.done_at,
    )


def _account_view(call: Call, planned: PlannedAccount) -> MergeAccountView:
    return MergeAccountView(
        program=call.names.program(planned.account.program),
        merchant=call.names.merchant(planned.account.merchant_number),
        signed_by="gateway" if planned.is_managed else "merchant",
        posted=planned.balance.posted,
        available=max(planned.balance.available, 0),
        reference=planned.reference,
    )
