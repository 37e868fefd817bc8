"""How the application is served: connections that tell of changes never end by themselves, so they are ended with the process."""

from __future__ import annotations

import socket
from typing import Final

import uvicorn
from fastapi import FastAPI

_DRAIN_SECONDS: Final = 10
"""How long requests in progress may take to finish."""


class _Server(uvicorn.Server):
    """Ends the streams before it waits for what is in progress."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._end_streams = app.state.end_streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no more requests, and waits for those in progress."""
        self._end_streams()
        await super().shutdown(sockets)


def server_of(app: FastAPI, *, host: str, port: int, trusted_proxies: str) -> uvicorn.Server:
    """A server of the programme's application, which `run` has serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=trusted_proxies,  # attempts to sign in are counted by where they come from
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    return _Server(config, app)
