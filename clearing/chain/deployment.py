"""Deploys the contract and grants its roles. Running it again does only what is still missing."""

from __future__ import annotations

import time
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import HexAddress, HexStr
from eth_utils.address import to_checksum_address
from web3.types import Nonce
from web3.utils import get_create_address

from clearing.chain import contract
from clearing.chain.client import ChainClient, ChainError
from clearing.chain.fees import Fees
from clearing.kit.signing.keyring import RoleKeys
from tongdui.encoding import hex_of, text_word

_DEPLOYMENT_GAS = 12_000_000
_ROLE_GAS = 200_000
_ROLES = {
    "operator": (contract.OPERATOR, contract.PAUSER),
    "sequencer": (contract.SEQUENCER,),
    "treasury": (contract.TREASURY,),
}


def contract_address(admin: str) -> str:
    """The address of the contract, deployed or not: the admin key's first transaction creates it."""
    return str(get_create_address(HexAddress(HexStr(admin)), Nonce(0)))


def deploy(
    client: ChainClient,
    keys: RoleKeys,
    *,
    operator_name: str,
    utc_offset_seconds: int,
    max_fee_per_gas: int | None = None,
) -> str:
    """Deploys with the admin key and grants each role to its key. Returns the contract's address, checksummed."""
    admin: LocalAccount = Account.from_key(keys.private_key("admin"))
    fees = Fees(client, max_fee_per_gas).first()
    address = contract_address(admin.address)
    if client.call("eth_getCode", address, "latest") == "0x":
        code = contract.deployment_code(admin.address, text_word(operator_name), utc_offset_seconds)
        _send(client, admin, None, code, _DEPLOYMENT_GAS, fees)
    for role, numbers in _ROLES.items():
        holder = to_checksum_address(keys.address(role))
        for number in numbers:
            held = client.eth_call(address, contract.encode_call("hasRole", [number, holder]))
            if int.from_bytes(held, "big") == 0:
                _send(client, admin, address, contract.encode_call("setRole", [number, holder, True]), _ROLE_GAS, fees)
    return address


def deployment_block(client: ChainClient, address: str) -> int:
    """The block that created the contract, found by bisection; 0 if the node keeps no old states.

    Raises ChainError if there is no contract yet.
    """
    missing, present = -1, client.head()
    if client.call("eth_getCode", address, hex(present)) == "0x":
        raise ChainError("eth_getCode", 0, f"there is no contract at {address or 'no address'} yet")
    try:
        while present - missing > 1:
            middle = (missing + present) // 2
            if client.call("eth_getCode", address, hex(middle)) == "0x":
                missing = middle
            else:
                present = middle
    except ChainError:
        return 0
    return present


def _send(
    client: ChainClient, sender: LocalAccount, to: str | None, data: bytes, gas: int, fees: dict[str, Any]
) -> None:
    transaction: dict[str, Any] = {
        "chainId": client.chain_id(),
        "nonce": client.next_nonce(sender.address),
        "gas": gas,
        "value": 0,
        "data": data,
        **({"to": to} if to else {}),
        **fees,
    }
    signed = sender.sign_transaction(transaction)
    client.call("eth_sendRawTransaction", hex_of(bytes(signed.raw_transaction)))
    receipt = _wait(client, hex_of(bytes(signed.hash)))
    if receipt["status"] != "0x1":
        raise ChainError("deploy", 0, f"transaction {hex_of(bytes(signed.hash))} reverted")


def _wait(client: ChainClient, tx_hash: str, seconds: float = 120) -> dict[str, str]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        receipt: dict[str, str] | None = client.call("eth_getTransactionReceipt", tx_hash)
        if receipt is not None:
            return receipt
        time.sleep(0.1)
    raise ChainError("deploy", 0, f"transaction {tx_hash} is in no block after {seconds:.0f} s")
