"""Node errors: sorts the messages of geth, Besu, anvil and their relatives by what they mean for a transaction or call."""

from __future__ import annotations

from enum import Enum, auto

from clearing.chain.contract import decode_error
from clearing.chain.errors import ChainError


class Refusal(Enum):
    """Why a node refuses a transaction."""

    KNOWN = auto()
    NONCE_USED = auto()
    TOO_CHEAP = auto()
    TOO_LARGE = auto()
    OTHER = auto()
    """A passing reason: a full pool, an account without funds, a fault of the node. The transaction is sent again later."""


_REFUSAL_PHRASES = (
    (Refusal.KNOWN, ("already known", "already imported", "known transaction")),
    (Refusal.NONCE_USED, ("nonce too low", "nonce is too low", "nonce below current nonce")),
    (
        Refusal.TOO_CHEAP,
        (
            "underpriced",
            "less than block base fee",
            "gas price too low",
            "fee too low",
            "gasprice is less than",
            "feecap",
        ),
    ),
    (
        Refusal.TOO_LARGE,
        (
            "oversized",
            "gas limit too high",
            "greater than the cap",
            "exceeds block gas limit",
            "exceeds the block gas limit",
            "exceeds transaction gas limit",
            "gas limit exceeds",
            "intrinsic gas",
            "gas too high",
        ),
    ),
)


def refusal_of(error: ChainError) -> Refusal:
    """The kind of refusal that an error of `eth_sendRawTransaction` is."""
    message = error.message.lower()
    return next(
        (refusal for refusal, phrases in _REFUSAL_PHRASES if any(phrase in message for phrase in phrases)),
        Refusal.OTHER,
    )


_FAILURE_PHRASES = (
    "revert",
    "evm error",
    "out of gas",
    "out-of-gas",
    "outofgas",
    "oog",
    "insufficient_gas",
    "gas required exceeds",
)
"""What nodes say when a call failed in the contract without a custom error."""


def is_contract_failure(error: ChainError) -> bool:
    """Whether the call failed in the contract. Any other error (a missing block, a limit) is the node's own trouble and says
    nothing about the call."""
    message = error.message.lower()
    return bool(revert_data(error)) or any(phrase in message for phrase in _FAILURE_PHRASES)


def is_batch_too_large(error: ChainError) -> bool:
    """Whether the call failed because it contains too much, and not because the contract objects to its content."""
    data = revert_data(error)
    return is_contract_failure(error) and (not data or decode_error(data).startswith("BatchTooLarge"))


def revert_data(error: ChainError) -> bytes:
    """The data with which the contract reverted; empty if it ran out of gas."""
    if isinstance(error.data, str) and error.data.startswith("0x"):
        return bytes.fromhex(error.data[2:])
    return b""


def explanation_of(error: ChainError) -> str:
    """The contract's error if there is one; otherwise the node's message."""
    data = revert_data(error)
    return decode_error(data) if data else error.message
