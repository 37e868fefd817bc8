"""Deploys the contract and grants its roles. Running it again does only what is still missing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from eth_typing import HexAddress, HexStr
from eth_utils.address import to_checksum_address

from clearing.chain import contract
from clearing.chain.client import ChainClient
from clearing.chain.contract_code import contract_fault
from clearing.chain.errors import ChainError
from clearing.chain.fees import Fees
from clearing.chain.logs import first_block_with_logs
from clearing.chain.sender import CannotSend, Sender, Sending
from clearing.chain.state import ContractState
from clearing.kit.config import variable
from clearing.kit.signing.role_keys import RoleKeys
from tongdui.encoding import text_word

DEPLOYMENT_GAS = 12_000_000
"""More than the contract needs, with its lens and its succession."""
_ROLE_GAS = 200_000


class CannotDeploy(CannotSend):
    """The contract cannot be deployed; the message says why, and what to do about it."""


def contract_address(admin: str) -> str:
    """The address of the contract, deployed or not: the admin key's first transaction creates it."""
    return created_address(admin, 0)


def created_address(account: str, nonce: int) -> str:
    """The address of what an account's transaction with this nonce creates, checksummed."""
    from web3.types import Nonce  # takes a while to import; only whoever deploys needs it
    from web3.utils import get_create_address

    return str(get_create_address(HexAddress(HexStr(account)), Nonce(nonce)))


def deploy(
    client: ChainClient,
    keys: RoleKeys,
    *,
    operator_name: str,
    utc_offset_seconds: int,
    max_fee_per_gas: int | None = None,
) -> str:
    """Deploys with the admin key and grants each role to its key. Returns the contract's address, checksummed.

    It goes on where it was: what is on the chain stays, and a transaction that waits for a block is replaced by one that pays more.
    Raises CannotDeploy or CannotSend, and ChainError where the node refuses a transaction for a reason of its own.
    """
    sender = admin_sender(client, keys, max_fee_per_gas)
    address = contract_address(sender.address)
    is_there = client.has_code(address)
    if is_there:
        _check_contract(client, address, utc_offset_seconds)
    elif client.next_nonce(sender.address):
        raise CannotDeploy(
            f"the admin account {sender.address} has sent transactions on this chain, but its first one made no contract at "
            f"{address}; deploy with an admin key that was never used"
        )
    grants = _missing_grants(client, keys, address, is_there=is_there)
    gas = (0 if is_there else DEPLOYMENT_GAS) + len(grants) * _ROLE_GAS
    if gas:
        sender.check_funds(gas)
    if not is_there:
        code = contract.deployment_code(sender.address, text_word(operator_name), utc_offset_seconds)
        sender.send(Sending(None, code, DEPLOYMENT_GAS, partial(client.has_code, address)))
    _grant(client, sender, address, grants)
    return address


def grant_roles(client: ChainClient, sender: Sender, keys: RoleKeys, address: str) -> None:
    """Grants each role of a contract to its key, where it lacks it."""
    grants = _missing_grants(client, keys, address, is_there=True)
    if grants:
        sender.check_funds(len(grants) * _ROLE_GAS)
    _grant(client, sender, address, grants)


def _missing_grants(client: ChainClient, keys: RoleKeys, address: str, *, is_there: bool) -> list[tuple[str, str]]:
    """Roles and their keys' addresses, where a contract lacks them. Nobody has two: whoever is stopped cannot restart."""
    state = ContractState(client, address)
    holders = {role: to_checksum_address(keys.address(role)) for role in contract.ROLES}
    return [(role, holder) for role, holder in holders.items() if not is_there or not state.has_role(role, holder)]


def _grant(client: ChainClient, sender: Sender, address: str, grants: Sequence[tuple[str, str]]) -> None:
    state = ContractState(client, address)
    for role, holder in grants:
        data = contract.encode_call("setRole", [contract.ROLES.index(role), holder, True])
        sender.send(Sending(address, data, _ROLE_GAS, partial(state.has_role, role, holder)))


def without_funds(client: ChainClient, keys: RoleKeys, max_fee_per_gas: int | None) -> dict[str, str]:
    """The addresses, by role, that cannot pay for gas where it costs money."""
    if max_fee_per_gas is None:
        return {}
    addresses = {role: to_checksum_address(keys.address(role)) for role in contract.ROLES}
    return {role: address for role, address in addresses.items() if not client.balance(address)}


def _check_contract(client: ChainClient, address: str, utc_offset_seconds: int) -> None:
    """Refuses what an earlier run left that this one would not make."""
    fault = contract_fault(client, address, chain_id=client.chain_id(), utc_offset_seconds=utc_offset_seconds)
    if fault is not None:
        raise CannotDeploy(f"{variable(fault.setting)}: {fault.what}")


def admin_sender(client: ChainClient, keys: RoleKeys, max_fee_per_gas: int | None) -> Sender:
    """Sends the admin key's transactions."""
    return Sender(client, keys.signer("admin"), Fees(client, max_fee_per_gas), owner="admin")


def deployment_block(client: ChainClient, address: str) -> int:
    """The block that created the contract, found by bisection; by its first event, if the node keeps no old states.

    Raises ChainError if there is no contract yet.
    """
    missing, present = -1, client.head()
    if not client.has_code(address, present):
        raise ChainError("eth_getCode", 0, f"there is no contract at {address or 'no address'} yet")
    try:
        while present - missing > 1:
            middle = (missing + present) // 2
            if client.has_code(address, middle):
                present = middle
            else:
                missing = middle
    except ChainError:
        return first_block_with_logs(client, address) or 0
    return present
