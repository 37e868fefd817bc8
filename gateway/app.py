"""The application: everything hangs on it, nothing is global."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

import anyio
from anyio import to_thread
from fastapi import FastAPI

from clearing.chain.client import ChainClient
from clearing.chain.identity import NetworkIdentity
from clearing.config import Settings
from clearing.database import Database
from clearing.signing.keyring import Keyring

from . import docs, problems
from .context import Gateway
from .middleware import RequestFrame
from .routes import (
    access,
    agreements,
    health,
    holds,
    journal,
    lots,
    members,
    merchants,
    movements,
    network,
    orders,
    programs,
    quotes,
    settlement,
    statements,
    webhook_endpoints,
)
from .waiting import Waiters

ROUTERS = (
    network.router,
    merchants.router,
    programs.router,
    lots.router,  # before members: their paths take in whatever comes
    members.router,
    agreements.router,
    quotes.router,
    movements.router,
    holds.router,
    orders.router,
    settlement.router,
    statements.router,
    webhook_endpoints.router,
    journal.router,
    access.router,
    health.router,
)

THREADS = 40
"""Requests that run at the same time: as many as the pool has connections, so that none holds a thread and waits for one."""


def create_app(settings: Settings, database: Database | None = None) -> FastAPI:
    """The gateway for these settings. A database that is given stays the caller's to close."""
    own = Database(settings.database_url) if database is None else database
    gateway = Gateway(
        settings=settings,
        database=own,
        network=NetworkIdentity.of(settings),
        keyring=Keyring(settings.keystore_password.get_secret_value()),
        chain=ChainClient(settings.rpc_url, timeout=settings.health_timeout),
        waiters=Waiters(own),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gateway.waiters.run)
            yield
            tasks.cancel_scope.cancel()
        gateway.chain.close()
        if database is None:
            own.close()

    app = FastAPI(
        title="Tongdui gateway",
        version=_version(),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
    )
    app.state.gateway = gateway
    app.add_middleware(RequestFrame)
    problems.install(app)
    docs.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


def _version() -> str:
    try:
        return version("tongdui-clearing")
    except PackageNotFoundError:
        return "0"
