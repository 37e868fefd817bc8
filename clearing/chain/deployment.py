"""Deploys the contract and grants its roles. Running it again does only what is still missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from eth_typing import HexAddress, HexStr
from eth_utils.address import to_checksum_address
from web3.types import Nonce
from web3.utils import get_create_address

from clearing.chain import contract
from clearing.chain.client import ChainClient, ChainError
from clearing.chain.contract_code import contract_fault
from clearing.chain.fees import Fees, decoded
from clearing.chain.node_errors import Refusal, refusal_of
from clearing.chain.transactions import sign_transaction
from clearing.kit.config import variable
from clearing.kit.signing.role_keys import RoleKeys
from clearing.kit.signing.signer import Signer
from tongdui.encoding import hex_of, keccak256, text_word

_DEPLOYMENT_GAS = 12_000_000
_ROLE_GAS = 200_000
_PATIENCE = 120.0
"""Seconds for one transaction to get into a block."""
_RAISE_AFTER = 10.0
"""Seconds after which a transaction that waits is replaced by one that pays more."""
_LOOK_EVERY = 0.02
_ROLES = {
    "operator": (contract.OPERATOR, contract.PAUSER),
    "sequencer": (contract.SEQUENCER,),
    "treasury": (contract.TREASURY,),
}


class CannotDeploy(Exception):
    """The contract cannot be deployed; the message says why, and what to do about it."""


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
    """Deploys with the admin key and grants each role to its key. Returns the contract's address, checksummed.

    It goes on where it was: what is on the chain stays, and a transaction that waits for a block is replaced by one that pays more.
    Raises CannotDeploy, and ChainError where the node refuses a transaction for a reason of its own.
    """
    admin = keys.signer("admin")
    address = contract_address(admin.address)
    sender = _Sender(client, admin, Fees(client, max_fee_per_gas))
    is_there = _has_code(client, address)
    if is_there:
        _check_contract(client, address, utc_offset_seconds)
    elif client.next_nonce(admin.address):
        raise CannotDeploy(
            f"the admin account {to_checksum_address(admin.address)} has sent transactions on this chain, but its first one "
            f"made no contract at {address}; deploy with an admin key that was never used"
        )
    grants = [
        (number, to_checksum_address(keys.address(role)))
        for role, numbers in _ROLES.items()
        for number in numbers
        if not is_there or not _has_role(client, address, number, to_checksum_address(keys.address(role)))
    ]
    gas = (0 if is_there else _DEPLOYMENT_GAS) + len(grants) * _ROLE_GAS
    if gas:
        sender.check_funds(gas)
    if not is_there:
        code = contract.deployment_code(admin.address, text_word(operator_name), utc_offset_seconds)
        sender.send(None, code, _DEPLOYMENT_GAS, lambda: _has_code(client, address))
    for number, holder in grants:
        data = contract.encode_call("setRole", [number, holder, True])
        sender.send(address, data, _ROLE_GAS, partial(_has_role, client, address, number, holder))
    return address


def without_funds(client: ChainClient, keys: RoleKeys, max_fee_per_gas: int | None) -> dict[str, str]:
    """The addresses, by role, that cannot pay for gas where it costs money."""
    if max_fee_per_gas is None:
        return {}
    addresses = {role: to_checksum_address(keys.address(role)) for role in _ROLES}
    return {role: address for role, address in addresses.items() if not client.balance(address)}


def _has_code(client: ChainClient, address: str) -> bool:
    return bool(client.call("eth_getCode", address, "latest") != "0x")


def _has_role(client: ChainClient, address: str, number: int, holder: str) -> bool:
    held = client.eth_call(address, contract.encode_call("hasRole", [number, holder]))
    return int.from_bytes(held, "big") != 0


def _check_contract(client: ChainClient, address: str, utc_offset_seconds: int) -> None:
    """Refuses what an earlier run left that this one would not make."""
    fault = contract_fault(client, address, chain_id=client.chain_id(), utc_offset_seconds=utc_offset_seconds)
    if fault is not None:
        raise CannotDeploy(f"{variable(fault.setting)}: {fault.what}")


class _Sender:
    """Sends transactions of one key, one after the other, each until its effect is on the chain."""

    def __init__(self, client: ChainClient, signer: Signer, fees: Fees) -> None:
        self._client = client
        self._signer = signer
        self._address = to_checksum_address(signer.address)
        self._fees = fees
        self._chain_id = client.chain_id()

    def check_funds(self, gas: int) -> None:
        """Refuses fees that the chain does not take, and an account that cannot pay for so much gas."""
        price = self._fees.most()
        balance, needed = self._client.balance(self._address), gas * price
        if balance < needed:
            raise CannotDeploy(
                f"the admin account {self._address} has {balance} wei and needs {needed} wei, for {gas} gas at up to "
                f"{price} wei; send it at least {needed - balance} wei and run the same command again"
            )

    def send(self, to: str | None, data: bytes, gas: int, is_done: Callable[[], bool]) -> None:
        """Sends a transaction until a block contains it, for higher fees from time to time. Raises CannotDeploy where that has no
        effect, or takes too long."""
        nonce = self._client.next_nonce(self._address)
        raw = self._offer(self._signed(nonce, to, data, gas, self._fees.first()))
        deadline = time.monotonic() + _PATIENCE
        raise_at = time.monotonic() + _RAISE_AFTER
        while self._client.next_nonce(self._address) == nonce:
            if time.monotonic() > deadline:
                raise CannotDeploy(
                    f"transaction {hex_of(keccak256(raw))} of the admin account is in no block after {_PATIENCE:.0f} s; see "
                    "whether the chain makes blocks, and run the same command again: it goes on from here"
                )
            if time.monotonic() > raise_at:
                raw = self._offer(self._raised(raw) or raw)
                raise_at = time.monotonic() + _RAISE_AFTER
            time.sleep(_LOOK_EVERY)
        if not is_done():
            raise CannotDeploy(
                f"transaction {hex_of(keccak256(raw))} of the admin account changed nothing: it was reverted"
            )

    def _offer(self, raw: bytes) -> bytes:
        """Sends the bytes; others with higher fees, where an earlier run's transaction is in the way. The bytes that were taken."""
        while True:
            (error,) = self._client.send_raw([raw])
            refusal = refusal_of(error) if error is not None else Refusal.KNOWN
            if error is None or refusal in (Refusal.KNOWN, Refusal.NONCE_USED):
                return raw
            higher = self._raised(raw) if refusal is Refusal.TOO_CHEAP else None
            if higher is None:
                raise error
            raw = higher

    def _raised(self, raw: bytes) -> bytes | None:
        """The same transaction for higher fees; None where these would be over the ceiling."""
        fees = self._fees.raised(raw)
        if fees is None:
            return None
        before = decoded(raw)
        to = hex_of(before["to"]) if before["to"] else None
        return self._signed(before["nonce"], to, bytes(before["data"]), before["gas"], fees)

    def _signed(self, nonce: int, to: str | None, data: bytes, gas: int, fees: dict[str, Any]) -> bytes:
        signed = sign_transaction(
            self._signer, chain_id=self._chain_id, nonce=nonce, to=to, data=data, gas=gas, fees=fees
        )
        return signed.raw


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
