"""Transactions: their encoding, from which their hashes and the block's root follow, and who signed them."""

from __future__ import annotations

from typing import Any

from ...encoding import bytes_of, hex_of, keccak256
from . import rlp_writing
from .headers import number_bytes
from .signatures import NOBODY, signer_of

Json = dict[str, Any]

_LEGACY = ("nonce", "gasPrice", "gas", "to", "value", "input")
_FEES = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", "to", "value", "input", "accessList")
_TYPED = {
    1: ("chainId", *_LEGACY, "accessList"),
    2: _FEES,
    3: (*_FEES, "maxFeePerBlobGas", "blobVersionedHashes"),
    4: (*_FEES, "authorizationList"),
}
"""Fields of each type, in the order of the RLP. Types 3 (with blobs) and 4 (accounts that borrow code) are of public chains."""
KNOWN_TYPES = (0, *_TYPED)
_FIRST_WITH_CHAIN = 35
"""`v` of a legacy transaction for one chain only is this, twice the chain's id, and the parity. For any chain it is 27 or 28."""


class UnsupportedType(Exception):
    """A type of transaction whose encoding is not known here."""


def type_of(transaction: Json) -> int:
    """The type: 0 is the one without a number."""
    return int(transaction.get("type") or "0x0", 16)


def encoded(transaction: Json) -> bytes:
    """The transaction as it stands in the block. Its hash is its name.

    Raises:
        UnsupportedType: Its type is not known here.
    """
    r, s = number_bytes(transaction["r"]), number_bytes(transaction["s"])
    return _encoded(transaction, [number_bytes(_v(transaction)), r, s])


def sender_of(transaction: Json) -> str:
    """The address, in lower case, of the account that signed; `NOBODY` where the signature is none.

    Raises:
        UnsupportedType: Its type is not known here.
    """
    v = int(_v(transaction), 16)
    domain: list[Any] = []
    if type_of(transaction):
        parity = v
    elif v < _FIRST_WITH_CHAIN:
        parity = v - 27
    else:
        chain_id, parity = divmod(v - _FIRST_WITH_CHAIN, 2)
        domain = [number_bytes(hex(chain_id)), b"", b""]
    r, s = number_bytes(transaction["r"]).rjust(32, b"\0"), number_bytes(transaction["s"]).rjust(32, b"\0")
    if len(r) != 32 or len(s) != 32:
        return NOBODY
    return signer_of(keccak256(_encoded(transaction, domain)), r, s, parity)


def _v(transaction: Json) -> str:
    parity = transaction.get("yParity") if type_of(transaction) else None
    return str(transaction["v"] if parity is None else parity)


def _encoded(transaction: Json, last: list[Any]) -> bytes:
    kind = type_of(transaction)
    names = _TYPED.get(kind) if kind else _LEGACY
    if names is None:
        raise UnsupportedType(f"transactions of type {kind}")
    raw = rlp_writing.encoded([_field(name, transaction.get(name)) for name in names] + last)
    return bytes((kind,)) + raw if kind else raw


def _field(name: str, value: Any) -> Any:
    if name == "to":
        return b"" if value is None else bytes_of(value)
    if name == "input":
        return bytes_of(value)
    if name == "accessList":
        return [[bytes_of(item["address"]), [bytes_of(key) for key in item["storageKeys"]]] for item in value]
    if name == "blobVersionedHashes":
        return [bytes_of(one) for one in value]
    if name == "authorizationList":
        return [_permit(one) for one in value]
    return number_bytes(value)


def _permit(permit: Json) -> list[bytes]:
    """What an account signed to borrow code."""
    return [
        number_bytes(permit["chainId"]),
        bytes_of(permit["address"]),
        *(number_bytes(permit[name]) for name in ("nonce", "yParity", "r", "s")),
    ]


def hash_of(raw: bytes) -> str:
    """The hash that names an encoded transaction."""
    return hex_of(keccak256(raw))
