"""The application: it builds every part and hands them on, so nothing is global."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import anyio
from anyio import to_thread
from fastapi import FastAPI

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.chain.client import ChainClient
from clearing.kit import tracing
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.identity import NetworkIdentity
from clearing.kit.signing.keyrings import Keyrings
from clearing.oversight.health.service import HealthService
from clearing.oversight.operations.overview import newest_block
from clearing.parties.staff.oidc import OidcProvider
from gateway.api.activity import routes as activity
from gateway.api.agreements import routes as agreements
from gateway.api.agreements.view import AGREEMENTS
from gateway.api.api_keys import routes as api_keys
from gateway.api.approvals import routes as approvals
from gateway.api.approvals.view import APPROVALS
from gateway.api.attention import routes as attention
from gateway.api.audit_log import routes as audit_log
from gateway.api.batches import routes as batches
from gateway.api.codes import routes as codes
from gateway.api.entries import routes as entries
from gateway.api.events import routes as events
from gateway.api.events.catalogue import webhooks
from gateway.api.events.view import event_messages
from gateway.api.examples import BODIES, PATHS
from gateway.api.expansions import EXPANDERS
from gateway.api.health import routes as health
from gateway.api.holds import routes as holds
from gateway.api.invitations import routes as invitations
from gateway.api.lots import routes as lots
from gateway.api.members import routes as members
from gateway.api.merchants import routes as merchants
from gateway.api.merchants.view import MERCHANTS
from gateway.api.merges import routes as merges
from gateway.api.movements import routes as movements
from gateway.api.movements.view import MOVEMENTS
from gateway.api.network import routes as network
from gateway.api.operations import routes as operations
from gateway.api.orders import routes as orders
from gateway.api.orders.view import ORDERS
from gateway.api.password_resets import routes as password_resets
from gateway.api.profile import routes as profile
from gateway.api.programs import routes as programs
from gateway.api.programs.view import PROGRAMS
from gateway.api.quotes import routes as quotes
from gateway.api.rates import routes as rates
from gateway.api.sessions import routes as sessions
from gateway.api.settlement import routes as settlement
from gateway.api.settlement.view import DEPOSITS, WITHDRAWALS
from gateway.api.staff import routes as staff
from gateway.api.statements import routes as statements
from gateway.api.tags import TAGS
from gateway.api.webhook_endpoints import routes as webhook_endpoints
from gateway.http import description, front_page, problem_pages, problems
from gateway.http.acceptance import accept_group
from gateway.http.context import ChainResource, Gateway
from gateway.http.description import Extras
from gateway.http.feed import EventFeed
from gateway.http.groups import Groups
from gateway.http.middleware import RequestMiddleware
from gateway.http.paths import Paths, SlashMiddleware
from gateway.http.rate_limits import RateLimits
from gateway.http.resources import responses_after_waiting
from gateway.http.schemas import View
from gateway.http.segments import SegmentMiddleware
from gateway.http.shared_answer import SharedAnswer
from gateway.http.waiting import Waiters

ROUTERS = (
    lots.router,  # its /v1/expirations/due and /upcoming would look like ids of expirations
    movements.router,  # early, because routers are matched in this order, and most requests are for these
    orders.router,
    network.router,
    merchants.router,
    programs.router,
    members.router,
    codes.router,
    merges.router,
    agreements.router,
    rates.router,
    quotes.router,
    holds.router,
    settlement.router,
    activity.router,
    attention.router,
    statements.router,
    webhook_endpoints.router,
    entries.router,
    batches.router,
    events.router,
    api_keys.router,
    sessions.router,
    operations.router,
    profile.router,
    staff.router,
    invitations.router,
    password_resets.router,
    approvals.router,
    audit_log.router,
    health.router,
)

RESOURCES: tuple[ChainResource[View], ...] = (
    MERCHANTS,
    PROGRAMS,
    AGREEMENTS,
    DEPOSITS,
    WITHDRAWALS,
    APPROVALS,
    ORDERS,
    *MOVEMENTS.values(),
)
"""Every resource that changes until the chain confirms it."""

_UNTRACED = frozenset({"/healthz", "/readyz", "/v1/events/stream"})

THREADS = 27
"""Requests that run at the same time. The pool has a connection for each, and for each thread of groups, waiters, feed, strangers,
issuers and health, so no thread ever waits for a connection."""


def create_app(settings: Settings, database: Database | None = None) -> FastAPI:
    """The gateway for these settings. Whoever passes a database closes it."""
    own = Database(settings.database_url) if database is None else database
    keyrings = Keyrings.of(settings)
    chain = ChainClient.of(settings, timeout=settings.health_timeout)
    gateway = Gateway(
        settings=settings,
        database=own,
        network=NetworkIdentity.of(settings),
        keyrings=keyrings,
        oidc=OidcProvider(settings, keyrings.staff_secrets, own.clock),
        health=SharedAnswer(HealthService(own, chain, settings).check),
        newest_block=SharedAnswer(partial(newest_block, chain)),
        waiters=Waiters(own, responses_after_waiting),
        feed=EventFeed(own, event_messages),
        groups=Groups(accept_group),
        limits=RateLimits(settings),
        resources={resource.prefix: resource for resource in RESOURCES},
        expanders=EXPANDERS,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gateway.waiters.run)
            tasks.start_soon(gateway.feed.run)
            tasks.start_soon(gateway.groups.run)
            tasks.start_soon(gateway.key_uses.run, gateway.writing)
            yield
            tasks.cancel_scope.cancel()
        chain.close()
        if database is None:
            own.close()

    app = FastAPI(
        title="Tongdui gateway",
        version=_version(),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={
            "tracing": tracing.is_on(),
            "tracer_provider": tracing.provider(),
            "operation_spans": False,
            "exclude": _is_untraced,
            "metrics": False,  # our own are in clearing.kit.metrics
            "logs": False,
        },
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
    )
    app.state.gateway = gateway
    app.state.chain = chain  # no part of the gateway: requests ask the node only through the answers that they share
    problems.install(app)
    description.install(app, Extras(TAGS, BODIES, PATHS, webhooks))
    problem_pages.install(app)
    front_page.install(app, settings.console_url)
    for router in ROUTERS:
        app.include_router(router)
    app.state.paths = Paths([*app.routes, *(route for router in ROUTERS for route in router.routes)])
    app.add_middleware(SlashMiddleware, paths=app.state.paths)
    app.add_middleware(SegmentMiddleware)
    app.add_middleware(RequestMiddleware)
    return app


def _is_untraced(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request is of no order: somebody looks whether the gateway lives, or listens for hours."""
    return scope["path"] in _UNTRACED


def _version() -> str:
    try:
        return version("tongdui-clearing")
    except PackageNotFoundError:
        return "0"
