"""Why a node refuses a transaction, or a call of the contract fails: the words of geth, Besu, anvil and their kin, as kinds."""

from __future__ import annotations

from enum import Enum, auto

from clearing.chain.client import ChainError
from clearing.chain.contract import decode_error


class Refusal(Enum):
    """What a node's answer to a transaction means for it."""

    KNOWN = auto()
    NONCE_USED = auto()
    TOO_CHEAP = auto()
    TOO_LARGE = auto()
    OTHER = auto()
    """For now: a full pool, an account without funds, a fault of the node. It is sent again later."""


_WORDS = (
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
    """What kind of refusal an answer to `eth_sendRawTransaction` is."""
    message = error.message.lower()
    return next((kind for kind, words in _WORDS if any(word in message for word in words)), Refusal.OTHER)


_FAILED = (
    "revert",
    "evm error",
    "out of gas",
    "out-of-gas",
    "outofgas",
    "oog",
    "insufficient_gas",
    "gas required exceeds",
)
"""What nodes say when a call ended in the contract without a word of its own."""


def is_of_contract(error: ChainError) -> bool:
    """Whether the contract was asked and failed. Anything else (a block that the node has not, a limit) is the node's own trouble
    and says nothing about the call."""
    message = error.message.lower()
    return bool(revert_data(error)) or any(words in message for words in _FAILED)


def is_want_of_room(error: ChainError) -> bool:
    """Whether the contract failed because there was too much in a call, rather than because it refuses it."""
    data = revert_data(error)
    return is_of_contract(error) and (not data or decode_error(data).startswith("BatchTooLarge"))


def revert_data(error: ChainError) -> bytes:
    """What the contract reverted with; nothing where it ran out of gas."""
    if isinstance(error.data, str) and error.data.startswith("0x"):
        return bytes.fromhex(error.data[2:])
    return b""


def explained(error: ChainError) -> str:
    """The contract's words, or else the node's."""
    data = revert_data(error)
    return decode_error(data) if data else error.message
