"""Whether the gateway answers, and whether the network works: for load balancers and people, without a key."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from gateway.api.health.schemas import HealthView, LifeView
from gateway.api.health.view import health_view
from gateway.http.context import Gateway

router = APIRouter(tags=["network"])


@router.get("/healthz")
async def get_life() -> LifeView:
    """Whether this process answers. It looks at nothing else: restart the process if it does not."""
    return LifeView()


@router.get(
    "/readyz",
    responses={503: {"model": HealthView, "description": "Some part does not work; `checks` says which"}},
)
async def get_readiness(request: Request, response: Response) -> HealthView:
    """Whether every part of the network works: 200 if all do, else 503. They are looked at once a second at most, for everybody."""
    gateway: Gateway = request.app.state.gateway
    health = await gateway.health.get()
    response.status_code = 200 if health.ok else 503
    return health_view(health)
