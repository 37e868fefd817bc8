"""The 32-byte words of the EVM: packing, hashing and hex. Standard ABI, joined by hand because it is on the hot path."""

from __future__ import annotations

from sha3 import keccak_256

ZERO_WORD = bytes(32)


def keccak256(data: bytes) -> bytes:
    """The EVM's hash. In C: there is one for every instruction signed and every entry read."""
    return bytes(keccak_256(data).digest())


def word(value: int) -> bytes:
    """`value` (unsigned, below 2**256) as one big-endian word."""
    return value.to_bytes(32, "big")


def address_word(address: str) -> bytes:
    """A 0x-prefixed address as one word, left-padded."""
    return bytes(12) + bytes.fromhex(address[2:])


def text_word(text: str) -> bytes:
    """UTF-8 `text` of at most 32 bytes as one word, right-padded. Raises ValueError when it is longer."""
    raw = text.encode()
    if len(raw) > 32:
        raise ValueError(f"{text!r} takes {len(raw)} bytes in UTF-8; the chain stores at most 32")
    return raw.ljust(32, b"\0")


def word_text(raw: bytes) -> str:
    """The text of a right-padded word: the inverse of `text_word`."""
    return raw.rstrip(b"\0").decode()


def hex_of(raw: bytes) -> str:
    """0x-prefixed lower-case hex."""
    return "0x" + raw.hex()


def bytes_of(text: str) -> bytes:
    """Bytes of hex with or without 0x prefix."""
    return bytes.fromhex(text.removeprefix("0x"))
