"""Serves the gateway with uvicorn until SIGTERM or SIGINT."""

from __future__ import annotations

import uvicorn

from clearing.kit import logs
from clearing.kit.config import Settings
from clearing.runtime import metrics
from gateway.app import create_app

DRAIN_SECONDS = 10
"""How long running requests may take to finish when the process is told to end."""
KEEP_ALIVE_SECONDS = 75
"""How long a connection may idle: longer than clients and proxies keep one (httpx 5 seconds, nginx 60), so that none sends a
request at the moment in which this side closes it."""


def run(settings: Settings) -> None:
    """Serves until told to stop; running requests are answered first."""
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
            timeout_graceful_shutdown=DRAIN_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
    )
    app.state.gateway.waiters.is_stopping = lambda: server.should_exit
    with metrics.serving(settings, app.state.gateway.database, app.state.gateway.chain):
        server.run()
