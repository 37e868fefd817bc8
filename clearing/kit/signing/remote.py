"""Keys that never come here: a reference says where one is, and whoever keeps it signs.

`web3signer:0x...` is the key with this address at a Web3Signer; `awskms:...` is a key of AWS KMS, by its id, ARN or alias; a bare
address is a key of which this process knows no more than that.
"""

from __future__ import annotations

import re
from importlib import import_module
from threading import Lock
from typing import Protocol

from clearing.kit.config import Settings, variable
from clearing.kit.signing.signer import Signer, SignerUnavailable
from clearing.kit.signing.web3signer import Web3Signer

_REFERENCE = re.compile(r"(web3signer):(0x[0-9a-fA-F]{40})|(awskms):(\S+)|(0x[0-9a-fA-F]{40})")


class SigningService(Protocol):
    """A service that keeps keys."""

    def signer(self, key: str) -> Signer:
        """What signs with a key of the service. Raises SignerUnavailable."""
        ...


def is_reference(text: str) -> bool:
    """Whether this says where a key is, and is not the key itself or the path of its file."""
    return _REFERENCE.fullmatch(text) is not None


class RemoteSigners:
    """Whoever signs for keys that are elsewhere. Connections are made when somebody first needs them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._services: dict[str, SigningService] = {}
        self._signers: dict[str, Signer] = {}
        self._lock = Lock()

    def signer(self, reference: str) -> Signer:
        """What signs for this reference. Raises SignerUnavailable."""
        with self._lock:
            if reference not in self._signers:
                self._signers[reference] = self._found(reference)
            return self._signers[reference]

    def _found(self, reference: str) -> Signer:
        match = _REFERENCE.fullmatch(reference)
        assert match is not None, reference
        web3signer, address, awskms, key, bare = match.groups()
        if bare:
            return AbsentSigner(bare.lower())
        name = web3signer or awskms
        if name not in self._services:
            self._services[name] = self._web3signer() if web3signer else self._aws_kms()
        return self._services[name].signer(address or key)

    def _web3signer(self) -> SigningService:
        if not self._settings.web3signer_url:
            raise SignerUnavailable(f"{variable('web3signer_url')}: is not set, but a key is at a Web3Signer")
        return Web3Signer(self._settings)

    def _aws_kms(self) -> SigningService:
        try:
            module = import_module("clearing.kit.signing.aws_kms")  # boto3 is there only where somebody asked for it
        except ImportError:
            raise SignerUnavailable(
                "a key is in AWS KMS, but boto3 is not installed: pip install 'tongdui-clearing[aws]'"
            ) from None

        service: SigningService = module.AwsKms(self._settings)
        return service


class AbsentSigner:
    """A key of which only the address is known here."""

    def __init__(self, address: str) -> None:
        self.address = address

    def sign(self, preimage: bytes) -> bytes:  # noqa: ARG002 (nothing is signed)
        """Raises SignerUnavailable."""
        raise SignerUnavailable(f"the key of {self.address} is not here; only its address is")
