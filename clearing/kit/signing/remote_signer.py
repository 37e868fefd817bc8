"""A key that a service keeps, whichever service that is."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from clearing.kit.signing.signer import SignerUnavailable
from tongdui.encoding import hex_of, keccak256, word
from tongdui.orders import recover_signer

_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_REST_SECONDS = 2.0
"""So long nobody asks a service again that did not answer: whoever waits for it keeps others waiting."""


class RemoteSigner:
    """A key that somebody else keeps. What comes back is believed only if it is a signature by that key."""

    def __init__(self, address: str, where: str, ask: Callable[[bytes], tuple[int, int]]) -> None:
        """With `ask`, which returns the numbers r and s for these bytes, hashed or not, as the service wants them."""
        self.address = address
        self._where = where
        self._ask = ask

    def sign(self, preimage: bytes) -> bytes:
        """The compact signature of the keccak256 of these bytes. Raises SignerUnavailable."""
        r, s = self._ask(preimage)
        digest = keccak256(preimage)
        s = min(s, _CURVE_ORDER - s)  # the chain takes the lower one only
        for parity in (0, 1):
            compact = word(r) + word(s | parity << 255)
            if _signer_of(digest, compact) == self.address:
                return compact
        raise SignerUnavailable(
            f"{self._where} has signed with another key than that of {self.address}; name the right one"
        )


class Rest:
    """Lets a service rest that did not answer, so that not everybody waits for it in turn."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._until = 0.0

    def check(self) -> None:
        """Raises SignerUnavailable while it rests."""
        if monotonic() < self._until:
            raise SignerUnavailable(f"{self._where} did not answer a moment ago")

    def begin(self, why: str) -> SignerUnavailable:
        """It does not answer: the failure to raise."""
        self._until = monotonic() + _REST_SECONDS
        return SignerUnavailable(f"{self._where} does not answer: {why}")


def address_of_public_key(coordinates: bytes) -> str:
    """The address, lower-case, of a public key: its x and y (64 bytes)."""
    return hex_of(keccak256(coordinates)[12:])


def _signer_of(digest: bytes, compact: bytes) -> str | None:
    try:
        return recover_signer(digest, compact).lower()
    except ValueError:
        return None
