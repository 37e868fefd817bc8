"""A console in this process: with pages of the tests' own, or with other settings."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from clearing.runtime.embedded.ports import free_port
from console.app import create_app
from console.pages import GROUPS, PAGES
from console.registry import EVERYBODY, Page
from console.settings import Settings
from tests.gateway.site import until

GALLERY = Page("gallery", "/gallery", "Gallery", EVERYBODY, GROUPS[0], "settings", package="tests.console")


@contextmanager
def served(
    gateway_url: str, pages: Sequence[Page] = PAGES, *, port: int | None = None, **settings: Any
) -> Iterator[str]:
    """Serves a console for this gateway; its address."""
    port = port or free_port()
    app = create_app(Settings(gateway_url=gateway_url, port=port, **settings), pages)
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_config=None, server_header=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    assert thread.is_alive()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
