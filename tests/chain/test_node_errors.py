"""What nodes say, in the words of several implementations."""

from __future__ import annotations

import pytest

from clearing.chain.errors import ChainError
from clearing.chain.node_errors import Refusal, refusal_of


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("already known", Refusal.KNOWN),
        ("Known transaction", Refusal.KNOWN),
        ("transaction already imported", Refusal.KNOWN),
        ("nonce too low: next nonce 5, tx nonce 4", Refusal.NONCE_USED),
        ("replacement transaction underpriced", Refusal.TOO_CHEAP),
        ("max fee per gas less than block base fee: address 0x00", Refusal.TOO_CHEAP),
        ("oversized data: transaction size 200000, limit 131072", Refusal.TOO_LARGE),
        ("exceeds block gas limit", Refusal.TOO_LARGE),
        ("Transaction gas limit exceeds block gas limit", Refusal.TOO_LARGE),
        ("transaction gas limit too high (cap: 16777216, tx: 20000000)", Refusal.TOO_LARGE),
        ("txpool is full", Refusal.OTHER),
        ("insufficient funds for gas * price + value", Refusal.OTHER),
    ],
)
def test_node_errors_are_understood(message: str, kind: Refusal) -> None:
    assert refusal_of(ChainError("eth_sendRawTransaction", -32_000, message)) is kind
