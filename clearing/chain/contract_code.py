"""What stands at the contract's address: is it the clearing house of this version, and made for this network?"""

from __future__ import annotations

from dataclasses import dataclass

from clearing.chain.client import ChainClient
from tongdui.audit.chain.builds import build_of, published
from tongdui.encoding import bytes_of


@dataclass(frozen=True, slots=True)
class Fault:
    """Why this version cannot work with the contract: the setting that is wrong, and what is wrong, as the rest of a sentence."""

    setting: str
    what: str


def contract_fault(client: ChainClient, contract: str, *, chain_id: int, utc_offset_seconds: int) -> Fault | None:
    """What is wrong with the contract at an address, or with what the settings say of it; None if all is well.

    Raises ChainError or ChainUnreachable where the node does not say.
    """
    code = bytes_of(client.call("eth_getCode", contract, "latest"))
    if not code:
        return Fault(
            "contract", f"there is no contract at {contract} on chain {chain_id}; `clearing deploy` prints the address"
        )
    found, newest = build_of(code), published()[-1]
    if found is None:
        return Fault(
            "contract", f"the code at {contract} is not ClearingHouse's; `clearing deploy` prints the right address"
        )
    build, values = found
    if build is not newest:
        return Fault(
            "contract",
            f"the contract at {contract} is ClearingHouse of build {build.name}, and this version works with build "
            f"{newest.name}; run the version that deployed it",
        )
    made_for = int.from_bytes(values["CHAIN_ID"], "big")
    if made_for != chain_id:
        return Fault("chain_id", f"the contract at {contract} is made for chain {made_for}, and this is {chain_id}")
    offset = int.from_bytes(values["UTC_OFFSET"], "big", signed=True)
    if offset != utc_offset_seconds:
        return Fault(
            "utc_offset_seconds",
            f"must be {offset}, as in the contract at {contract}, where it cannot change; this is {utc_offset_seconds}",
        )
    return None
