"""The signer keys that the gateway keeps for merchants."""

from __future__ import annotations

from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.signer import LocalSigner


class ManagedKeys:
    """Signs with merchants' keys. A process without their password makes and opens none."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._signers: dict[str, LocalSigner] = {}

    @property
    def are_kept(self) -> bool:
        """Whether this process keeps keys of merchants."""
        return self._keyring.is_open

    def create(self) -> tuple[str, str]:
        """Creates a key. Returns its address (lower-case), and what to store of it."""
        return self._keyring.create()

    def sign(self, kept: str, preimage: bytes) -> bytes:
        """The compact signature (64 bytes) of the keccak256 of these bytes, by the key that was stored as `kept`."""
        signer = self._signers.get(kept)
        if signer is None:
            signer = self._signers[kept] = LocalSigner(self._keyring.private_key(kept))
        return signer.sign(preimage)
