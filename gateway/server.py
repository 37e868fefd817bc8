"""Serves the gateway with uvicorn until SIGTERM or SIGINT."""

from __future__ import annotations

import uvicorn

from clearing.kit import logs
from clearing.kit.config import Settings
from clearing.kit.garbage import freeze_startup_objects
from clearing.runtime import metrics
from gateway.app import create_app

DRAIN_SECONDS = 10
"""How long requests in progress may take to finish after the process was told to stop."""
KEEP_ALIVE_SECONDS = 75
"""How long a connection may stay idle. Clients and proxies close theirs earlier (httpx after 5 seconds, nginx after 60), so no
request arrives on a connection that the gateway is just closing."""


def run(settings: Settings) -> None:
    """Serves until told to stop, then answers the requests in progress."""
    logs.configure()
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.gateway_host,
            port=settings.gateway_port,
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # nothing here asks where a request came from
            timeout_graceful_shutdown=DRAIN_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
    )
    gateway = app.state.gateway
    gateway.waiters.is_stopping = gateway.feed.is_stopping = lambda: server.should_exit
    freeze_startup_objects()
    with metrics.serving(settings, gateway.database, gateway.chain):
        server.run()
