"""Who made a signature: the heaviest part of an audit, so it calls the library in C directly."""

from __future__ import annotations

import coincurve

from ...encoding import keccak256

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of the curve. A larger `s` makes the mirror image of another signature, and the contract does not accept it."""

NOBODY = ""


def signer_of(digest: bytes, r: bytes, s: bytes, parity: int) -> str:
    """The address, in lower case, of the key that made a signature; `NOBODY` if it is malformed or malleable.

    Args:
        digest: The 32 bytes that were signed.
        r: 32 bytes.
        s: 32 bytes.
        parity: 0 or 1.
    """
    if parity not in (0, 1) or int.from_bytes(s, "big") > HALF_ORDER:
        return NOBODY
    try:
        key = coincurve.PublicKey.from_signature_and_message(r + s + bytes((parity,)), digest, hasher=None)
    except Exception:  # noqa: BLE001 - the library has no common class for what it does not like
        return NOBODY
    return "0x" + keccak256(key.format(compressed=False)[1:])[12:].hex()


def signer_of_compact(digest: bytes, compact: bytes) -> str:
    """The same for a compact signature (ERC-2098), as orders carry it: `r`, and `s` with the parity in its top bit."""
    first = compact[32]
    return signer_of(digest, compact[:32], bytes((first & 0x7F,)) + compact[33:], first >> 7)
