"""Signatures of agreements: which ones count, and making one with a merchant's managed key."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import ClearingError, Refused
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.parties.merchants.directory import merchants_in
from clearing.parties.merchants.service import merchant_by_number, require_open
from tongdui.orders import Domain, recover_signer

_HALF_CURVE_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class TypedHash(NamedTuple):
    """What is to be signed: a struct of a domain, by its hash."""

    domain: Domain
    struct_hash: bytes

    @property
    def digest(self) -> bytes:
        """What a merchant signs."""
        return self.domain.digest(self.struct_hash)

    @property
    def preimage(self) -> bytes:
        """Its bytes before they are hashed."""
        return self.domain.preimage(self.struct_hash)


def signature_of(
    session: Session, keyring: ManagedKeys, merchant_number: int, typed: TypedHash, given: bytes | None
) -> bytes | None:
    """The given signature if it counts; without one, a signature by the merchant's managed key, if there is such a key.

    A closed merchant signs nothing: the contract would refuse it.
    """
    require_open(merchant_by_number(session, merchant_number))
    if given is not None:
        check_signature(session, merchant_number, typed.digest, given)
        return given
    key = merchants_in(session).managed_key(merchant_number, clock_of(session).unix())
    if key is None or key.keystore is None or not keyring.are_kept:
        return None
    return keyring.sign(key.address, key.keystore, typed.preimage)


def check_signature(session: Session, merchant_number: int, digest: bytes, signature: bytes) -> None:
    """Refuses a signature that the contract would refuse: not by a live key of the merchant, or malleable."""
    try:
        signer = recover_signer(digest, signature)
    except ValueError as error:
        raise _wrong_signer(str(error)) from error
    if int.from_bytes(signature[32:], "big") & (1 << 255) - 1 > _HALF_CURVE_ORDER:
        raise _wrong_signer("its s is in the upper half of the curve's order, which the chain refuses")
    if merchants_in(session).live_key(merchant_number, signer.lower(), clock_of(session).unix()) is None:
        raise _wrong_signer(f"its signer {signer} is not a live key of the merchant")


def _wrong_signer(detail: str) -> ClearingError:
    return Refused.at("/signature", f"the signature does not count: {detail}", code="wrong_signer")
