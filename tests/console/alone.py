"""Coroutines in tests beside a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


def alone(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Runs it in another thread: the browser of these tests has a loop of its own in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
