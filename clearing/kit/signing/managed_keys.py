"""The signer keys that the gateway keeps for merchants, or has kept elsewhere."""

from __future__ import annotations

from clearing.kit.errors import Unavailable
from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.remote import RemoteSigners, is_reference
from clearing.kit.signing.signer import LocalSigner, Signer, SignerUnavailable


class ManagedKeys:
    """Signs with merchants' keys. A process without their password makes and opens none."""

    def __init__(self, keyring: Keyring, remote: RemoteSigners | None = None) -> None:
        self._keyring = keyring
        self._remote = remote
        self._signers: dict[str, Signer] = {}

    @classmethod
    def none(cls) -> ManagedKeys:
        """For whoever signs nothing."""
        return cls(Keyring())

    @property
    def are_kept(self) -> bool:
        """Whether this process signs with keys of merchants."""
        return self._keyring.is_open

    def create(self) -> tuple[str, str]:
        """Creates a key. Returns its address (lower-case), and what to store of it."""
        return self._keyring.create()

    def sign(self, address: str, kept: str, preimage: bytes) -> bytes:
        """The compact signature (64 bytes) of the keccak256 of these bytes.

        Args:
            address: The key's address, lower-case.
            kept: What is stored of it: its keystore, or a reference to whoever keeps it.
            preimage: What to hash and sign.

        Raises:
            Unavailable: Whoever keeps it does not sign, or has another key there.
        """
        try:
            return self._signer(address, kept).sign(preimage)
        except SignerUnavailable as error:
            raise Unavailable(str(error), code="signer_unavailable") from error

    def _signer(self, address: str, kept: str) -> Signer:
        signer = self._signers.get(kept)
        if signer is None:
            signer = self._signers[kept] = self._found(kept)
        if signer.address != address:
            raise SignerUnavailable(f"{kept} is the key of {signer.address}, not of {address}; name the right one")
        return signer

    def _found(self, kept: str) -> Signer:
        if self._remote is not None and is_reference(kept):
            return self._remote.signer(kept)
        return LocalSigner(self._keyring.private_key(kept))
