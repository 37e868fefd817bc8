"""Writes RLP. Joined by hand: the library takes several times as long, and each header, transaction and receipt is encoded."""

from __future__ import annotations

from typing import Any


def encoded(item: Any) -> bytes:
    """The encoding of bytes, or of a list of such items, however deep."""
    return string(item) if isinstance(item, bytes) else list_of(b"".join(map(encoded, item)))


def string(raw: bytes) -> bytes:
    """The encoding of bytes."""
    size = len(raw)
    if size < 56:
        return raw if size == 1 and raw[0] < 0x80 else _SHORT_STRING[size] + raw
    return _long(size, 0xB7) + raw


def list_of(payload: bytes) -> bytes:
    """The encoding of a list whose items, encoded and joined, are `payload`."""
    size = len(payload)
    return (_SHORT_LIST[size] if size < 56 else _long(size, 0xF7)) + payload


_SHORT_STRING = [bytes((0x80 + size,)) for size in range(56)]
_SHORT_LIST = [bytes((0xC0 + size,)) for size in range(56)]


def _long(size: int, kind: int) -> bytes:
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((kind + len(length),)) + length
