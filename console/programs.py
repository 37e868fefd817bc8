"""The programs of a person's merchant."""

from __future__ import annotations

from console.visit import Visit
from tongdui import Program

_PAGE_SIZE = 200


async def programs_of(visit: Visit) -> list[Program]:
    """The programs of the merchant for which the person acts, whatever their state."""
    every = visit.client.programs.list(page_size=_PAGE_SIZE)
    return [program async for program in every if program.merchant == visit.merchant]
