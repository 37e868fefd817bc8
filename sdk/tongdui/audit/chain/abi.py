"""Reads values that are encoded as the ABI does: what calls and events of the contract need of it, and no more.

A type is its name, `uint32`, `int256`, `bool`, `address`, `bytes32` or `bytes`, or a tuple of such types without `bytes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ...encoding import hex_of, keccak256
from ...orders import AgreementTerms

Type = str | tuple[str, ...]

TERMS: Type = (
    *("uint8", "uint8", "uint16", "uint16", "uint32", "uint32", "uint32", "uint32", "uint40", "uint40"),
    *("uint32", "uint32", "uint64", "uint64", "uint64", "uint32", "uint32", "uint40", "bool", "bytes32"),
)
"""`AgreementTerms`."""
PREDECESSOR: Type = ("uint64", "address", "uint32", "bytes32", "bytes32")
"""`Predecessor`."""
LEAF: Type = ("uint8", "uint256", "uint256")
"""`Leaf`."""
assert len(TERMS) == len(fields(AgreementTerms))


def signature_hash(name: str, types: Sequence[Type]) -> bytes:
    """The hash of a function's or an event's signature: the topic of the event; the selector is its first four bytes."""
    return keccak256(f"{name}({','.join(map(_text, types))})".encode())


def decoded(types: Sequence[Type], data: bytes) -> tuple[Any, ...]:
    """Decodes values that lie behind one another, as arguments do.

    Returns:
        Numbers and flags; addresses as text in lower case; words and bytes as bytes; tuples.

    Raises:
        ValueError: The data is too short, or a value does not fit its type: Solidity reverts.
    """
    values: list[Any] = []
    position = 0
    for kind in types:
        if isinstance(kind, tuple):
            values.append(decoded(kind, data[position : position + 32 * len(kind)]))
            position += 32 * len(kind)
        else:
            word = word_at(data, position)
            values.append(tail(data, position) if kind == "bytes" else value_of(kind, word))
            position += 32
    return tuple(values)


def word_at(data: bytes, position: int) -> bytes:
    """The word that begins at a byte. Raises ValueError where there are less than 32 left."""
    word = data[position : position + 32]
    if len(word) != 32:
        raise ValueError("the data is cut off")
    return word


def number_at(data: bytes, position: int) -> int:
    """The number that begins at a byte."""
    return int.from_bytes(word_at(data, position), "big")


def tail(data: bytes, position: int) -> bytes:
    """The bytes that the offset at `position` points to, from the beginning of `data`: their length, then they."""
    start = number_at(data, position)
    size = number_at(data, start)
    found = data[start + 32 : start + 32 + size]
    if len(found) != size:
        raise ValueError("the data is cut off")
    return found


def array_at(kind: Type, data: bytes, position: int) -> tuple[Any, ...]:
    """The elements of the array that the offset at `position` points to, from the beginning of `data`.

    Raises:
        ValueError: The data is too short, or a value does not fit its type.
    """
    start = number_at(data, position) + 32
    size = 32 * (len(kind) if isinstance(kind, tuple) else 1)
    count = number_at(data, start - 32)
    if start + count * size > len(data):
        raise ValueError("the data is cut off")
    return tuple(decoded([kind], data[at : at + size])[0] for at in range(start, start + count * size, size))


def value_of(kind: str, word: bytes) -> Any:
    """The value of a static type in a word."""
    if kind == "bytes32":
        return word
    number = int.from_bytes(word, "big")
    if kind == "int256":
        return int.from_bytes(word, "big", signed=True)
    bits = {"address": 160, "bool": 1}.get(kind) or int(kind.removeprefix("uint"))
    if number >> bits:
        raise ValueError(f"{hex_of(word)} is no {kind}")
    if kind == "address":
        return hex_of(word[12:])
    return bool(number) if kind == "bool" else number


def _text(kind: Type) -> str:
    return kind if isinstance(kind, str) else f"({','.join(map(_text, kind))})"
