"""What every resource has: the shared core, and a driver that makes it blocking or asynchronous."""

from __future__ import annotations

from typing import Any

from tongdui._core import Core
from tongdui._flow import AsyncDriver, Driver
from tongdui._instructions import Desk
from tongdui._reference import Book


class Resource:
    """A group of operations under one path."""

    _driver: Any  # the mixins `Blocking` and `Awaiting` say which

    def __init__(self, desk: Desk, driver: Driver | AsyncDriver) -> None:
        self._desk = desk
        self._core: Core = desk.core
        self._book: Book = desk.book
        self._driver = driver
