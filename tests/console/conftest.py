"""One network with its console for all tests of a worker, and one browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from clearing.runtime.embedded.network import EmbeddedNetwork
from tests.console.site import Person, Site, browsers_arguments, person, seeded

As = Callable[..., Person]


@pytest.fixture(scope="package")  # a network that only waits takes the time of others
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A network with its console, merchants on board, and a morning's movements."""
    directory = tmp_path_factory.mktemp("console")
    with EmbeddedNetwork(directory, worker=False, console=True, console_port=0) as network:
        found = seeded(network)
        yield found
        found.close()


@pytest.fixture(scope="package")  # its loop runs in this thread, so tests elsewhere could not use asyncio beside it
def browser() -> Iterator[Browser]:
    """Chromium of the system's packages."""
    program = shutil.which("chromium")
    assert program is not None, "no chromium: run `make browser`"
    expect.set_options(timeout=30_000)  # a machine may be busy
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(browsers_arguments()))
        yield chromium
        chromium.close()


@pytest.fixture
def someone(site: Site, browser: Browser) -> Iterator[Callable[..., Person]]:
    """Makes people with browsers: `someone("merchant:admin", language="en", width="phone")`. See `tests.console.site.person`."""
    with ExitStack() as stack:

        def made(seat: str | None, **wishes: Any) -> Person:
            entering: AbstractContextManager[Person] = person(site, browser, seat, **wishes)
            return stack.enter_context(entering)

        yield made
