"""Transactions that we sign are those that eth_account signs, byte for byte, wherever the key is."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from clearing.chain.transactions import sign_transaction
from clearing.kit.signing.signer import LocalSigner

SOMEBODY = to_checksum_address("0x" + "c1" * 20)
numbers = st.integers(0, 2**63)


@pytest.mark.parametrize("to", [SOMEBODY, None], ids=["call", "deployment"])
@given(
    key=st.binary(min_size=32, max_size=32),
    nonce=numbers,
    gas=numbers,
    data=st.binary(max_size=300),
    price=numbers,
    eip_1559=st.booleans(),
)
def test_the_bytes_are_those_of_another_implementation(
    key: bytes, nonce: int, gas: int, data: bytes, price: int, eip_1559: bool, to: str | None
) -> None:
    key = bytes([1]) + key[1:]  # a number that is a key
    fees = {"maxFeePerGas": price, "maxPriorityFeePerGas": price // 2} if eip_1559 else {"gasPrice": price}
    signed = sign_transaction(LocalSigner(key), chain_id=31_337, nonce=nonce, to=to, data=data, gas=gas, fees=fees)
    fields: dict[str, Any] = {"chainId": 31_337, "nonce": nonce, "gas": gas, "data": data, "value": 0, **fees}
    theirs = Account.sign_transaction({**fields, **({"to": to} if to else {})}, key)
    assert (signed.raw, signed.hash) == (bytes(theirs.raw_transaction), bytes(theirs.hash))
