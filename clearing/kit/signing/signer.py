"""What signs: a key that is open here, or one that never leaves another machine."""

from __future__ import annotations

from typing import Protocol

from tongdui.encoding import keccak256
from tongdui.orders import address_of_key, sign_digest


class SignerUnavailable(Exception):
    """Whoever keeps the key did not sign: it does not answer, refuses, or is not the right one. The message says what to do.

    Nothing is lost: to ask again for the same signature does no harm.
    """


class Signer(Protocol):
    """A key that signs."""

    @property
    def address(self) -> str:
        """The key's address, lower-case."""
        ...

    def sign(self, preimage: bytes) -> bytes:
        """The compact signature (64 bytes, ERC-2098) of the keccak256 of these bytes. Raises SignerUnavailable."""
        ...


class LocalSigner:
    """A key that is open in this process."""

    def __init__(self, private_key: bytes) -> None:
        self._private_key = private_key
        self.address = address_of_key(private_key).lower()

    def sign(self, preimage: bytes) -> bytes:
        """The compact signature of the keccak256 of these bytes."""
        return sign_digest(keccak256(preimage), self._private_key)
