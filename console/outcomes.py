"""Many requests of one form: each has a key of its own that follows from the form's, and an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Generic, TypeVar

from console.problem_texts import sentence_of
from tongdui import APIConnectionError, APIError, Approval, IdempotencyInFlightError

AT_ONCE = 8
"""Requests of one form that are on their way together."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What became of one of them."""

    about: T
    id: str | None = None
    refusal: str | None = None
    is_open: bool = False
    """Whether the gateway did not answer: sent again, it happens once."""


async def outcome_of(about: T, request: Awaitable[Approval], gate: asyncio.Semaphore) -> Outcome[T]:
    """Makes one request when its turn has come."""
    async with gate:
        try:
            made = await request
        except (APIConnectionError, IdempotencyInFlightError):
            return Outcome(about, is_open=True)
        except APIError as error:
            if error.status >= 500 or error.status == 429:
                return Outcome(about, is_open=True)
            return Outcome(about, refusal=sentence_of(error.code, error.title))
    return Outcome(about, made.id)
