"""Packing, hashing and hex of the EVM's 32-byte words. Standard ABI, joined by hand because it is on the hot path."""

from __future__ import annotations

from sha3 import keccak_256

ZERO_WORD = bytes(32)


def keccak256(data: bytes) -> bytes:
    """Hash `data` as the EVM does. Written in C, because every instruction signed and every entry read needs one."""
    return bytes(keccak_256(data).digest())


def word(value: int) -> bytes:
    """Encode an unsigned integer below 2**256 as one big-endian word."""
    return value.to_bytes(32, "big")


def address_word(address: str) -> bytes:
    """Encode a 0x-prefixed address as one word, padded on the left."""
    return bytes(12) + bytes.fromhex(address[2:])


def text_word(text: str) -> bytes:
    """Encode short text as one word, padded on the right.

    Args:
        text: At most 32 bytes in UTF-8.

    Returns:
        The 32 bytes.

    Raises:
        ValueError: The text is longer than 32 bytes.
    """
    raw = text.encode()
    if len(raw) > 32:
        raise ValueError(f"{text!r} takes {len(raw)} bytes in UTF-8; the chain stores at most 32")
    return raw.ljust(32, b"\0")


def word_text(raw: bytes) -> str:
    """Decode the text of a word that is padded on the right: the inverse of `text_word`."""
    return raw.rstrip(b"\0").decode()


def hex_of(raw: bytes) -> str:
    """Write bytes as 0x-prefixed lower-case hex."""
    return "0x" + raw.hex()


def bytes_of(text: str) -> bytes:
    """Read bytes from hex, with or without the 0x prefix. Raises ValueError for anything else."""
    return bytes.fromhex(text.removeprefix("0x"))
