"""Serves an application in this process, in a thread: for tests and benchmarks that look at it over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from clearing.runtime.embedded.ports import free_port

_STOP_SECONDS = 30


@contextmanager
def serving(make: Callable[[int], FastAPI], port: int | None = None) -> Iterator[str]:
    """Serves what is made for this port, or for a free one; the address."""
    port = port or free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            make(port), port=port, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), "it did not start"
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)
