"""A client's arguments from environment variables. Every error names the variable at fault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ._errors import SigningError
from ._gateway import is_visible_ascii
from ._signing import LocalSigner

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def client_arguments(env: Mapping[str, str], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Read the arguments of a client.

    Args:
        env: The environment variables.
        overrides: Arguments that the caller gave, even as None. Their variables are not looked at.

    Returns:
        All arguments, the caller's among them.

    Raises:
        ValueError: A variable is missing or wrong; the message names it.
        SigningError: TONGDUI_KEYSTORE is no keystore, or TONGDUI_KEYSTORE_PASSWORD is not its password.
    """
    readers = {
        "base_url": _base_url,
        "api_key": _api_key,
        "signer": _signer,
        "nonce_file": _nonce_file,
        "contract": _contract,
        "chain_id": _chain_id,
        "rpc_url": _rpc_url,
    }
    return {name: read(env) for name, read in readers.items() if name not in overrides} | dict(overrides)


def _base_url(env: Mapping[str, str]) -> str:
    if not env.get("TONGDUI_URL"):
        raise ValueError("TONGDUI_URL is not set: where is the gateway?")
    return _checked_url(env, "TONGDUI_URL")


def _api_key(env: Mapping[str, str]) -> str | None:
    key = env.get("TONGDUI_API_KEY")
    if key and not is_visible_ascii(key):
        raise ValueError("TONGDUI_API_KEY has characters that no API key has, such as a space or a line break")
    return key


def _signer(env: Mapping[str, str]) -> LocalSigner | None:
    path = env.get("TONGDUI_KEYSTORE")
    if not path:
        return None
    password = env.get("TONGDUI_KEYSTORE_PASSWORD")
    if password is None:
        raise ValueError("TONGDUI_KEYSTORE_PASSWORD is not set: TONGDUI_KEYSTORE cannot be opened without it")
    try:
        return LocalSigner.from_keystore(path, password)
    except OSError as error:
        raise ValueError(f"TONGDUI_KEYSTORE: {path} cannot be read: {error.strerror or error}") from error
    except SigningError as error:
        raise SigningError(f"TONGDUI_KEYSTORE cannot be opened with TONGDUI_KEYSTORE_PASSWORD: {error}") from error


def _nonce_file(env: Mapping[str, str]) -> str | None:
    return env.get("TONGDUI_NONCE_FILE") or None


def _contract(env: Mapping[str, str]) -> str | None:
    contract = env.get("TONGDUI_CONTRACT") or None
    if contract is not None and not _ADDRESS.fullmatch(contract):
        raise ValueError(f"TONGDUI_CONTRACT is {contract!r}, which is not an address (0x and 40 hexadecimal digits)")
    return contract


def _chain_id(env: Mapping[str, str]) -> int | None:
    chain_id = env.get("TONGDUI_CHAIN_ID")
    if not chain_id:
        return None
    try:
        return int(chain_id)
    except ValueError:
        raise ValueError(f"TONGDUI_CHAIN_ID is {chain_id!r}, which is not a whole number") from None


def _rpc_url(env: Mapping[str, str]) -> str | None:
    return _checked_url(env, "TONGDUI_RPC_URL") if env.get("TONGDUI_RPC_URL") else None


def _checked_url(env: Mapping[str, str], name: str) -> str:
    if not env[name].startswith(("http://", "https://")):
        raise ValueError(f"{name} is {env[name]!r}; it must begin with http:// or https://")
    return env[name]
