"""Calls of the contract: which function, with which arguments, and who signed each order of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...encoding import keccak256
from ...orders import EXECUTE_SELECTOR, AgreementTerms, SignedOrder, decode_orders_with_evidence
from ...receipts import Entry, Evidence
from ..leaves import Leaf
from .abi import LEAF, PREDECESSOR, TERMS, Type, array_at, decoded, number_at, signature_hash, tail, value_of, word_at
from .signatures import signer_of_compact

UNKNOWN = "unknown"
"""The method of a call whose data cannot be decoded. Its argument is the data."""

_CHANGE: Type = ("uint32", "address", "uint40", "uint40", "uint48")

_FUNCTIONS: dict[str, tuple[Type, ...]] = {
    "setRole": ("uint8", "address", "bool"),
    "registerMerchant": ("uint32", "bytes32", "address", "uint96"),
    "setMerchantStatus": ("uint32", "uint8"),
    "changeSigner": (_CHANGE, "bytes", "bytes"),
    "revokeSigner": ("address", "uint40"),
    "recoverSigner": ("uint32", "address"),
    "registerProgram": ("uint32", "uint32", "bytes32", "bytes32"),
    "setIssuanceCap": ("uint32", "uint64"),
    "setProgramPaused": ("uint32", "bool"),
    "pause": (),
    "unpause": (),
    "registerAgreement": ("uint32", TERMS, "bytes", "bytes"),
    "terminateAgreement": ("uint32", "uint40", "uint32", "bytes"),
    "setCreditLimit": ("uint32", "uint96"),
    "deposit": ("uint32", "uint96", "bytes32"),
    "withdraw": ("uint32", "uint96", "bytes32"),
    "transferOwnership": ("address",),
    "acceptOwnership": (),
    "renounceOwnership": (),
    "freeze": (),
    "beginImport": (PREDECESSOR,),
    "open": (),
}
"""Types of the arguments of each function that changes something, but for `execute` and `importLeaves`."""

_IMPORT_SELECTOR = keccak256(b"importLeaves(uint256,(uint8,uint256,uint256)[],bytes32[])")[:4]
_BY_SELECTOR = {signature_hash(name, types)[:4]: name for name, types in _FUNCTIONS.items()}
_ENTRY_WORDS = 5


@dataclass(frozen=True, slots=True)
class SignedBy:
    """An order of a batch, and who signed it."""

    signed: SignedOrder
    digest: bytes
    """What the merchant signed, recomputed from the order."""
    signer: str
    """Address of the key, in lower case; empty if the signature is malformed or malleable."""
    evidence: tuple[int, ...]
    """For each instruction, the position of its evidence in the batch. It counts for reversals only."""


def call_of(data: bytes, separator: bytes) -> tuple[str, tuple[Any, ...]]:
    """The method that a transaction's data calls, and its arguments in the order of the interface.

    `importLeaves` has a tuple of `Leaf`.
    `execute` has a tuple of `SignedBy` and one of `Evidence`; `registerAgreement` has its terms as `AgreementTerms`; other tuples
    are tuples. What cannot be decoded is a call of `UNKNOWN`, and the contract has refused it.

    Args:
        data: The input of the transaction.
        separator: The EIP-712 domain separator of the contract.
    """
    try:
        if data[:4] == EXECUTE_SELECTOR:
            return "execute", _execute(data[4:], separator)
        if data[:4] == _IMPORT_SELECTOR:
            return "importLeaves", _import(data[4:])
        name = _BY_SELECTOR[data[:4]]
        arguments = decoded(_FUNCTIONS[name], data[4:])
    except (KeyError, ValueError):
        return UNKNOWN, (data,)
    if name == "registerAgreement":
        number, terms, *signatures = arguments
        return name, (number, AgreementTerms(*terms), *signatures)
    return name, arguments


def _execute(arguments: bytes, separator: bytes) -> tuple[tuple[SignedBy, ...], tuple[Evidence, ...]]:
    orders = []
    for signed, evidence in decode_orders_with_evidence(tail(arguments, 0)):
        digest = keccak256(b"\x19\x01" + separator + signed.order.struct_hash())
        orders.append(SignedBy(signed, digest, signer_of_compact(digest, signed.signature), evidence))
    return tuple(orders), tuple(_evidence(arguments[number_at(arguments, 32) :]))


def _import(arguments: bytes) -> tuple[int, tuple[Leaf, ...], tuple[bytes, ...]]:
    leaves = tuple(Leaf(*values) for values in array_at(LEAF, arguments, 32))
    return number_at(arguments, 0), leaves, array_at("bytes32", arguments, 64)


def _evidence(array: bytes) -> Iterator[Evidence]:
    """The elements of an array of `Evidence`, whose length it begins with."""
    elements = array[32:]
    for number in range(number_at(array, 0)):
        element = elements[number_at(elements, 32 * number) :]
        member, *_, link = (word_at(element, 32 * place) for place in range(_ENTRY_WORDS))
        entry = Entry.from_log(value_of("address", member), element[32:128], link)
        start = number_at(element, 32 * _ENTRY_WORDS)
        size = number_at(element, start)
        yield Evidence(entry, tuple(word_at(element, start + 32 * (place + 1)) for place in range(size)))
