"""What a merchant should look at today: one answer, which costs the same however much was traded."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.oversight.attention.service import Attention, AttentionService
from clearing.oversight.liquidity.service import Thresholds
from gateway.api.attention.schemas import AttentionsView, AttentionView
from gateway.http.endpoint import Endpoint, Reading

router = APIRouter(route_class=Endpoint, tags=["activity"])


@router.get("/v1/attention")
def get_attention(call: Reading) -> AttentionsView:
    """Rejected and late movements, low liquidity, agreements to sign or about to end, points about to expire, failing webhooks."""
    thresholds = Thresholds.of(call.gateway.settings)
    service = AttentionService(call.session, network=call.gateway.network, thresholds=thresholds)
    return AttentionsView(data=[_view(found) for found in service.of(call.merchant)])


def _view(found: Attention) -> AttentionView:
    return AttentionView(
        kind=found.matter,
        count=found.count,
        since=found.since,
        until=found.until,
        collection=found.collection,
        filter=dict(found.filter),
    )
