"""What can go wrong between us and a chain node."""

from __future__ import annotations

from typing import Any


class ChainError(Exception):
    """The node answered with an error."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code = code
        self.message = message
        self.data = data


class ChainUnreachable(Exception):
    """No node answered."""


class TooLarge(Exception):
    """The node takes no request of this size."""
