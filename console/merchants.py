"""The names of merchants: ids are for machines."""

from __future__ import annotations

from console.visit import Visit


async def merchant_names(visit: Visit) -> dict[str, str]:
    """The name of every merchant of the network, by id."""
    return {one.id: one.name async for one in visit.client.merchants.list(page_size=200)}
