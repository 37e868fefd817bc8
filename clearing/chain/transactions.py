"""Signs transactions: legacy ones where gas is free, and those of EIP-1559. The key may be anywhere: it gets bytes to sign."""

from __future__ import annotations

from typing import Any, NamedTuple

from clearing.kit.signing.signer import Signer
from tongdui.audit.chain.rlp_writing import encoded
from tongdui.encoding import bytes_of, keccak256

_EIP_1559 = b"\x02"


class SignedTransaction(NamedTuple):
    """A transaction as nodes take it."""

    raw: bytes
    hash: bytes


def sign_transaction(
    signer: Signer, *, chain_id: int, nonce: int, to: str | None, data: bytes, gas: int, fees: dict[str, Any]
) -> SignedTransaction:
    """Signs a call of `to`, or a deployment without it. `fees` are those of `Fees`: `gasPrice`, or both of EIP-1559.

    Raises SignerUnavailable.
    """
    head, call = _number(nonce), [_number(gas), bytes_of(to) if to else b"", b"", data]
    if "gasPrice" in fees:
        fields: list[Any] = [head, _number(fees["gasPrice"]), *call]
        v, r, s = _signature(signer, encoded([*fields, _number(chain_id), b"", b""]))
        raw = encoded([*fields, _number(chain_id * 2 + 35 + v), r, s])
    else:
        prices = [_number(fees["maxPriorityFeePerGas"]), _number(fees["maxFeePerGas"])]
        fields = [_number(chain_id), head, *prices, *call, []]
        v, r, s = _signature(signer, _EIP_1559 + encoded(fields))
        raw = _EIP_1559 + encoded([*fields, _number(v), r, s])
    return SignedTransaction(raw, keccak256(raw))


def _signature(signer: Signer, preimage: bytes) -> tuple[int, bytes, bytes]:
    """The parity of the signature's point, and its two numbers."""
    compact = signer.sign(preimage)
    s_and_parity = int.from_bytes(compact[32:], "big")
    return s_and_parity >> 255, compact[:32].lstrip(b"\0"), _number(s_and_parity & (1 << 255) - 1)


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
