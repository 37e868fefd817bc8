"""Keys at a Web3Signer, over its REST API for eth1 keys.

It names a key by its public key, and hashes what it signs: it gets the bytes of a transaction, or of EIP-712 with 0x1901 before
them, and never a digest.
"""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import Any

import httpx

from clearing.kit.config import Settings, variable
from clearing.kit.signing.remote_signer import RemoteSigner, Rest, address_of_public_key
from clearing.kit.signing.signer import SignerUnavailable
from tongdui.encoding import bytes_of, hex_of

_SIGNATURE_BYTES = 65
_PREFIXED_BYTES = 65
"""Of a public key with the byte that says it is uncompressed."""
_UNCOMPRESSED = b"\x04"


class Web3Signer:
    """A connection to one Web3Signer."""

    def __init__(self, settings: Settings) -> None:
        self._where = f"the Web3Signer at {httpx.URL(settings.web3signer_url).host}"
        self._rest = Rest(self._where)
        self._http = httpx.Client(
            base_url=settings.web3signer_url.rstrip("/"), timeout=settings.signer_timeout, verify=_trust(settings)
        )
        self._public_keys: dict[str, str] = {}
        """By address: how it names the key."""

    def signer(self, key: str) -> RemoteSigner:
        """What signs with the key of this address. Raises SignerUnavailable if there is none."""
        address = key.lower()
        self._public_key(address)
        return RemoteSigner(address, self._where, lambda preimage: self._sign(address, preimage))

    def _sign(self, address: str, preimage: bytes) -> tuple[int, int]:
        response = self._asked("POST", f"/api/v1/eth1/sign/{self._public_key(address)}", {"data": hex_of(preimage)})
        if response.status_code == HTTPStatus.NOT_FOUND:
            self._public_keys.clear()  # perhaps it has loaded its keys anew
            raise SignerUnavailable(
                f"{self._where} has no key of {address} any more; give it the key, and let it reload"
            )
        try:
            raw = bytes_of(response.text.strip())
        except ValueError:
            raw = b""
        if len(raw) != _SIGNATURE_BYTES:
            raise SignerUnavailable(
                f"{self._where} answers with something that is no signature: {response.text[:80]!r}"
            )
        return int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big")

    def _public_key(self, address: str) -> str:
        """How it names the key of this address."""
        if address not in self._public_keys:
            listed = self._asked("GET", "/api/v1/eth1/publicKeys").json()
            self._public_keys = {_address_of(public_key): public_key for public_key in listed}
        if address not in self._public_keys:
            raise SignerUnavailable(f"{self._where} has no key of {address}; give it the key, and let it reload")
        return self._public_keys[address]

    def _asked(self, method: str, path: str, body: Any = None) -> httpx.Response:
        self._rest.check()
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise self._rest.begin(str(error) or type(error).__name__) from error
        if response.is_success or response.status_code == HTTPStatus.NOT_FOUND:
            return response
        raise SignerUnavailable(f"{self._where} refuses with status {response.status_code}: {response.text[:200]}")


def _address_of(public_key: str) -> str:
    raw = bytes_of(public_key)
    return address_of_public_key(raw.removeprefix(_UNCOMPRESSED) if len(raw) == _PREFIXED_BYTES else raw)


def _trust(settings: Settings) -> ssl.SSLContext:
    """Whom to believe, and how to show who we are."""
    ca, certificate = settings.web3signer_ca, settings.web3signer_certificate
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise SignerUnavailable(f"{variable('web3signer_ca')}: {ca} cannot be used: {error}") from None
    if certificate is not None:
        try:
            context.load_cert_chain(certificate)
        except OSError as error:
            raise SignerUnavailable(
                f"{variable('web3signer_certificate')}: {certificate} cannot be used: {error}"
            ) from None
    return context
