"""Keys that sign orders on this machine."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ._errors import SigningError
from .encoding import bytes_of, hex_of, keccak256
from .orders import address_of_key, recover_signer, sign_digest


@runtime_checkable
class Signer(Protocol):
    """Signs a merchant's orders: a local key, a KMS, a hardware module.

    `reference_salt` (32 bytes) must stay the same as long as references have to be recognised. The chain sees only
    `keccak256(reference_salt || reference)`: nobody can guess document numbers from it, and a retry gives the same hash.
    """

    @property
    def address(self) -> str:
        """The key's checksummed address."""
        ...

    @property
    def reference_salt(self) -> bytes:
        """The secret that hides references on the chain."""
        ...

    def sign(self, digest: bytes) -> bytes:
        """Sign a digest.

        Args:
            digest: 32 bytes.

        Returns:
            The signature: 64 bytes (compact, ERC-2098), or 65 bytes (r, s, v).
        """
        ...


class LocalSigner:
    """A private key in this process's memory.

    The reference salt is derived from the key, so it needs no storage and survives a restart. After a key rotation, pass
    the old key's `reference_salt`; otherwise earlier references are no longer recognised.

    Args:
        private_key: 32 bytes, or their hex.
        reference_salt: 32 bytes that replace the derived salt.

    Raises:
        ValueError: This is not a private key, or the salt has another length.
    """

    __slots__ = ("_address", "_key", "_salt")

    def __init__(self, private_key: bytes | str, *, reference_salt: bytes | None = None) -> None:
        self._key = _key_bytes(private_key)
        self._address = address_of_key(self._key)
        self._salt = reference_salt or keccak256(b"tongdui reference salt" + self._key)
        if len(self._salt) != 32:
            raise ValueError(f"a reference salt has 32 bytes, not {len(self._salt)}")

    @classmethod
    def generate(cls) -> LocalSigner:
        """Make a new random key. Save it (`save_keystore`) before you register it anywhere."""
        while True:
            try:
                return cls(secrets.token_bytes(32))
            except ValueError:  # outside the curve's order: once in 2**128
                continue

    @classmethod
    def from_keystore(cls, path: str | Path, password: str) -> LocalSigner:
        """Read the key of an encrypted keystore file (V3, as geth and eth-account write it).

        Args:
            path: The keystore file.
            password: Its password.

        Returns:
            The signer.

        Raises:
            SigningError: The password is wrong, or the file is not a keystore; the message names the file.
            OSError: The file cannot be read.
        """
        from eth_keyfile.keyfile import decode_keyfile_json  # takes a while to import; only keystores need it

        try:
            return cls(decode_keyfile_json(json.loads(Path(path).read_bytes()), _as_bytes(password)))
        except (ValueError, TypeError, LookupError, AttributeError, NotImplementedError) as error:
            if "MAC mismatch" in str(error):
                sentence = f"{path}: wrong password; give the one that the keystore was written with"
            else:
                sentence = f"{path} is not a keystore (V3 JSON, as `tongdui key new` writes it): {error}"
            raise SigningError(sentence) from error

    def save_keystore(self, path: str | Path, password: str) -> Path:
        """Write the key, encrypted, to a new file that only its owner can read.

        Args:
            path: The file. An existing one is never overwritten.
            password: The password to encrypt with.

        Returns:
            The path.

        Raises:
            FileExistsError: There is a file already.
            OSError: The file cannot be written.
        """
        from eth_keyfile.keyfile import create_keyfile_json  # takes a while to import; only keystores need it

        path = Path(path)
        keystore = create_keyfile_json(self._key, _as_bytes(password), kdf="scrypt")
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(keystore, file)
        except OSError:
            path.unlink()  # half a keystore would only be mistaken for a whole one
            raise
        return path

    @property
    def address(self) -> str:
        """The key's checksummed address, which the operator registers as the merchant's signer."""
        return self._address

    @property
    def reference_salt(self) -> bytes:
        """The secret that hides references on the chain."""
        return self._salt

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest; the signature is compact (64 bytes)."""
        return sign_digest(digest, self._key)

    def __repr__(self) -> str:
        return f"LocalSigner({self._address})"

    def __reduce__(self) -> str:
        raise TypeError("a signer cannot be pickled, because that would write down its private key; use save_keystore")


def compact(signature: bytes) -> bytes:
    """Bring a signature into compact form. Raises ValueError when it has neither 64 nor 65 bytes."""
    if len(signature) == 64:
        return signature
    if len(signature) == 65 and signature[64] in (0, 1, 27, 28):
        parity = signature[64] - 27 if signature[64] >= 27 else signature[64]
        return signature[:32] + bytes([signature[32] | parity << 7]) + signature[33:64]
    raise ValueError(f"a signature has 64 or 65 bytes, not {len(signature)}")


def signed(signer: Signer, digest: bytes) -> str:
    """Have a digest signed, and check that the signature is the signer's own (a KMS may hold another key).

    Args:
        signer: Who signs.
        digest: 32 bytes.

    Returns:
        The compact signature, as hex.

    Raises:
        SigningError: It signed with a different key.
    """
    signature = compact(signer.sign(digest))
    found = recover_signer(digest, signature)
    if found.lower() != signer.address.lower():
        raise SigningError(f"the signer answers for {signer.address} but signed as {found}")
    return hex_of(signature)


def reference_hash(signer: Signer, reference: str | None) -> bytes:
    """What the chain sees of a reference: its salted hash, or zero without one."""
    return keccak256(signer.reference_salt + reference.encode()) if reference else bytes(32)


def _as_bytes(password: str) -> Any:
    """What eth_keyfile takes, whatever its type hints say."""
    return password.encode()


def _key_bytes(private_key: bytes | str) -> bytes:
    try:
        raw = bytes_of(private_key) if isinstance(private_key, str) else bytes(private_key)
    except ValueError:
        raise ValueError("the private key is not hexadecimal") from None
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    if len(raw) != 32 or not 0 < int.from_bytes(raw, "big") < order:
        raise ValueError("a private key is a number of 32 bytes, above 0 and below the order of secp256k1")
    return raw
