"""Whether the network does its work, as a load balancer or a person may ask without a key."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..context import Gateway
from ..health import look
from ..schemas.network import HealthView

router = APIRouter(tags=["network"])


@router.get(
    "/healthz",
    response_model=HealthView,
    responses={503: {"model": HealthView, "description": "Some part does not do its work"}},
)
def get_health(request: Request) -> Response:
    """The parts of the network and how they do: 200 if all do, else 503."""
    gateway: Gateway = request.app.state.gateway
    health = look(gateway)
    return Response(health.model_dump_json(), 200 if health.status == "ok" else 503, media_type="application/json")
