"""Serves the gateway with uvicorn until SIGTERM or SIGINT, in one process or in several."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from clearing.kit import logs, tracing
from clearing.kit.config import Settings
from clearing.kit.garbage import freeze_startup_objects
from clearing.oversight.health.service import HealthService
from clearing.runtime import metrics
from gateway.app import create_app
from gateway.workers import NOT_STARTED, Workers

DRAIN_SECONDS = 10
"""How long requests in progress may take to finish after the process was told to stop."""
KEEP_ALIVE_SECONDS = 75
"""How long a connection may stay idle. Clients and proxies close theirs earlier (httpx after 5 seconds, nginx after 60), so no
request arrives on a connection that the gateway is just closing."""
_BACKLOG = 2_048


def run(settings: Settings) -> int:
    """Serves until told to stop, then answers the requests in progress; the exit code."""
    logs.configure()
    if settings.gateway_workers == 1:
        return _serve(settings)
    freeze_startup_objects()  # before the processes part: they share what nobody touches
    with _listener(settings) as listener:
        workers = Workers(
            settings.gateway_workers,
            lambda number: _serve(_of_worker(settings, number), listener),
            patience=DRAIN_SECONDS + 5,
        )
        return workers.run()


def _serve(settings: Settings, listener: socket.socket | None = None) -> int:
    with tracing.exporting("gateway"):
        return _serve_app(create_app(settings), settings, listener)


def _serve_app(app: FastAPI, settings: Settings, listener: socket.socket | None) -> int:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.gateway_host,
            port=settings.gateway_port,
            access_log=False,
            log_config=None,
            server_header=False,
            forwarded_allow_ips=settings.trusted_proxies,  # sign-ins are counted by where they come from
            backlog=_BACKLOG,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
    )
    gateway = app.state.gateway
    gateway.waiters.is_stopping = gateway.feed.is_stopping = lambda: server.should_exit
    freeze_startup_objects()
    health = HealthService(gateway.database, app.state.chain, settings)
    with metrics.serving(settings, gateway.database, app.state.chain, health):
        server.run([listener] if listener is not None else None)
    return 0 if server.started else NOT_STARTED


def _listener(settings: Settings) -> socket.socket:
    host, port = settings.gateway_host, settings.gateway_port
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server(address[:2], family=family, backlog=_BACKLOG)


def _of_worker(settings: Settings, number: int) -> Settings:
    """A worker's own settings: each serves its metrics on a port of its own."""
    port = settings.metrics_port
    return settings.model_copy(update={"metrics_port": port + number}) if port else settings
