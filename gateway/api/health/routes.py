"""Whether the gateway lives, and whether the network does its work: for load balancers and people, without a key."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from gateway.api.health.checks import look
from gateway.api.network.schemas import HealthView, LifeView
from gateway.http.context import Gateway

router = APIRouter(tags=["network"])


@router.get("/healthz", response_model=LifeView)
async def get_life() -> LifeView:
    """Whether this process answers. It looks at nothing else: restart the process if it does not."""
    return LifeView()


@router.get(
    "/readyz",
    response_model=HealthView,
    responses={503: {"model": HealthView, "description": "Some part does not do its work; `checks` says which"}},
)
def get_readiness(request: Request) -> Response:
    """The parts of the network and how they do: 200 if all do their work, else 503."""
    gateway: Gateway = request.app.state.gateway
    health = look(gateway)
    return Response(health.model_dump_json(), 200 if health.status == "ok" else 503, media_type="application/json")
