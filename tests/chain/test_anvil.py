"""The tests' chain is one that a real node could have."""

from __future__ import annotations

from itertools import pairwise

from eth_account import Account

from scripts.dev.services import Anvil

_BUSY = "0x6103e85b600190038060035700"
"""Counts down from a thousand while a contract is made, so that mining takes a moment."""


def test_a_reorganised_chain_lacks_no_block(own_chain: Anvil) -> None:
    sender = Account.create()
    own_chain.rpc("anvil_setBalance", sender.address, hex(10**24))
    own_chain.rpc("anvil_mine", hex(10))
    for _ in range(40):
        nonce = int(own_chain.rpc("eth_getTransactionCount", sender.address, "latest"), 16)
        wanted = {
            "nonce": nonce,
            "gasPrice": 10**10,
            "gas": 5_000_000,
            "value": 0,
            "data": _BUSY,
            "chainId": own_chain.chain_id,
        }
        own_chain.rpc("eth_sendRawTransaction", f"0x{sender.sign_transaction(wanted).raw_transaction.hex()}")
        own_chain.reorganise(3)
        head = int(own_chain.rpc("eth_blockNumber"), 16)
        blocks = [own_chain.rpc("eth_getBlockByNumber", hex(number), False) for number in range(head - 5, head + 1)]
        assert None not in blocks
        for parent, block in pairwise(blocks):
            assert block["parentHash"] == parent["hash"]
