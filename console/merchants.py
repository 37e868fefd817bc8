"""Merchants and programs of the network, for pages that name them: ids are for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from console.visit import Visit
from tongdui import Merchant, Program


async def all_merchants(visit: Visit) -> Sequence[Merchant]:
    """Every merchant of the network."""
    return await visit.parts.directory.merchants(visit.client)


async def merchant_names(visit: Visit) -> dict[str, str]:
    """The name of every merchant of the network, by id."""
    return {one.id: one.name for one in await all_merchants(visit)}


async def all_programs(visit: Visit) -> Sequence[Program]:
    """Every program of the network."""
    return await visit.parts.directory.programs(visit.client)


def program_choices(programs: Iterable[Program]) -> list[tuple[str, str]]:
    """What a filter or a field of programs offers: codes, with what people read."""
    return [(one.code, f"{one.code} · {one.name}") for one in programs]


async def programs_of(visit: Visit, merchant: str) -> list[Program]:
    """The programs of a merchant, whatever their state."""
    return [program for program in await all_programs(visit) if program.merchant == merchant]
