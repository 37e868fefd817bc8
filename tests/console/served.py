"""A console in this process: with pages of the tests' own, or with other settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from console.app import create_app
from console.pages import GROUPS, PAGES
from console.registry import EVERYBODY, Page
from console.settings import Settings
from scripts.dev.serving import serving

GALLERY = Page("gallery", "/gallery", "Gallery", EVERYBODY, GROUPS[0], "settings", package="tests.console")


@contextmanager
def served(
    gateway_url: str, pages: Sequence[Page] = PAGES, *, port: int | None = None, **settings: Any
) -> Iterator[str]:
    """Serves a console for this gateway; its address."""
    with serving(lambda at: create_app(Settings(gateway_url=gateway_url, port=at, **settings), pages), port) as address:
        yield address
