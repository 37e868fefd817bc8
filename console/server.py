"""Serves the console with uvicorn until SIGTERM or SIGINT."""

from __future__ import annotations

import uvicorn

from console.app import create_app
from console.settings import Settings

DRAIN_SECONDS = 2
"""How long requests in progress may take to finish: pages are quick, and live connections never end by themselves."""
KEEP_ALIVE_SECONDS = 75


def run(settings: Settings) -> int:
    """Serves until told to stop; the exit code."""
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=settings.trusted_proxies,  # the gateway counts sign-ins by where they come from
            timeout_graceful_shutdown=DRAIN_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
    )
    server.run()
    return 0 if server.started else 3
