"""A pause of an asynchronous client, in the event loop that it runs in."""

from __future__ import annotations

import asyncio
from importlib import import_module


async def pause(seconds: float) -> None:
    """Pause on asyncio or trio, whichever runs this task."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # asyncio does not run here, so trio does: whoever runs it has it
        await import_module("trio").sleep(seconds)
    else:
        await asyncio.sleep(seconds)
