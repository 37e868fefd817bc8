"""The pauses of the asynchronous client, in both kinds of event loop."""

from __future__ import annotations

import asyncio
import time

import trio

from tongdui._pause import pause


def test_it_pauses_on_asyncio() -> None:
    began = time.monotonic()
    asyncio.run(pause(0.05))
    assert time.monotonic() - began >= 0.05


def test_it_pauses_on_trio() -> None:
    began = time.monotonic()
    trio.run(pause, 0.05)
    assert time.monotonic() - began >= 0.05
