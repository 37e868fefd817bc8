"""What the explorer's pages show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from console.visit import Guest, present_request
from tongdui import Network, Receipt

_LEAF = re.compile(r"0x[0-9a-fA-F]{64}")
_BATCH = re.compile(r"[1-9][0-9]{0,11}")


@dataclass(frozen=True, slots=True)
class Offer:
    """Whom the check of a receipt asks, unless the person names somebody else."""

    rpc_url: str | None
    contract: str
    chain_id: int


def offer_of(network: Network) -> Offer:
    """What the network offers for a check."""
    return Offer(network.rpc_hint, network.contract, network.chain_id)


def text_of(receipt: Receipt) -> str:
    """A receipt as its file has it."""
    return receipt.model_dump_json(indent=2) + "\n"


async def network_of(guest: Guest) -> Network:
    """The network; what is shown to somebody who has not signed in is shown in its zone and currency, too."""
    network = await guest.parts.network(guest.client)
    if guest.session is None:
        present_request(guest.request, guest.secret, None, network)
    return network


def address_of_sought(text: str) -> str | None:
    """Where a batch (by its number) or an entry (by its leaf) is shown; None for anything else."""
    text = text.strip().replace(",", "")
    if _BATCH.fullmatch(text):
        return f"/explorer/batches/{text}"
    return f"/explorer/entries/{text.lower()}" if _LEAF.fullmatch(text) else None


def moment_of_day(day: int) -> datetime | None:
    """The day that an entry counts from 1970-01-01; None for never."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day) if day else None
