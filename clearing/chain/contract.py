"""The compiled ClearingHouse: its artifact, encoding of privileged calls, decoding of its events and errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode, encode

from clearing.chain.client import Log
from tongdui.encoding import bytes_of, hex_of, keccak256

OPERATOR, SEQUENCER, TREASURY, PAUSER = range(4)
"""The numbers of the contract's `Role`."""
ROLES = ("operator", "sequencer", "treasury", "pauser")
"""Their names, by number."""

ENTRY_POSTED = keccak256(b"EntryPosted(address,uint256,uint256,bytes32)")
LINKED_ENTRY_POSTED = keccak256(b"LinkedEntryPosted(address,bytes32,uint256,uint256,bytes32)")
INSTRUCTION_REJECTED = keccak256(b"InstructionRejected(uint32,uint48,uint16,uint8)")
ORDER_REJECTED = keccak256(b"OrderRejected(uint32,uint48,bytes32,uint8)")
BATCH_CLOSED = keccak256(b"BatchClosed(uint40,uint16,bytes32,bytes32)")


@dataclass(frozen=True, slots=True)
class ContractEvent:
    """A decoded event of the contract. Bytes are hex with 0x, so that the arguments can be stored as JSON."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ContractError:
    """A decoded custom error, with its arguments as JSON values."""

    name: str
    arguments: dict[str, Any]


@lru_cache
def artifact() -> dict[str, Any]:
    """The compiled contract that ships with the package (`scripts/dev/compile.py` writes it)."""
    text = files("clearing.chain").joinpath("artifacts/ClearingHouse.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def deployment_code(admin: str, operator_name: bytes, utc_offset_seconds: int) -> bytes:
    """The initcode that deploys the contract."""
    arguments = encode(["address", "bytes32", "int32"], [admin, operator_name, utc_offset_seconds])
    return bytes_of(artifact()["bytecode"]) + arguments


def encode_call(function: str, arguments: list[Any]) -> bytes:
    """The calldata of a function. `arguments` are JSON values: bytes as hex with 0x, tuples and arrays as lists."""
    abi = _by_name("function", function)
    values = [_from_json(spec, value) for spec, value in zip(abi["inputs"], arguments, strict=True)]
    return _selector(abi) + encode([_type(spec) for spec in abi["inputs"]], values)


def signature_of(function: str) -> str:
    """A function with the types of its arguments, as in `setRole(uint8,address,bool)`."""
    return _signature(_by_name("function", function))


def decode_result(function: str, data: bytes) -> list[Any]:
    """What a function returns, as JSON values: structs with their fields by name."""
    outputs = _by_name("function", function)["outputs"]
    values = decode([_type(spec) for spec in outputs], data)
    return [_named(spec, value) for spec, value in zip(outputs, values, strict=True)]


def custom_error(data: bytes) -> ContractError | None:
    """The error of the contract that this is; None if the contract has no such error."""
    for abi in artifact()["abi"]:
        if abi["type"] == "error" and _selector(abi) == data[:4]:
            values = decode([_type(spec) for spec in abi["inputs"]], data[4:])
            named = zip(abi["inputs"], values, strict=True)
            return ContractError(abi["name"], {spec["name"]: _to_json(value) for spec, value in named})
    return None


def decode_error(data: bytes) -> str:
    """A custom error as `Name(arguments)`; plain hex if the contract has no such error."""
    error = custom_error(data)
    return hex_of(data) if error is None else f"{error.name}({', '.join(map(str, error.arguments.values()))})"


def decode_log(log: Log) -> ContractEvent | None:
    """The event of the contract that a log holds; None if the contract has no such event."""
    abi = _events().get(log.topics[0])
    if abi is None:
        return None
    indexed = [spec for spec in abi["inputs"] if spec["indexed"]]
    unindexed = [spec for spec in abi["inputs"] if not spec["indexed"]]
    arguments = {
        spec["name"]: _to_json(decode([_type(spec)], topic)[0])
        for spec, topic in zip(indexed, log.topics[1:], strict=True)
    }
    values = decode([_type(spec) for spec in unindexed], log.data)
    arguments |= {spec["name"]: _named(spec, value) for spec, value in zip(unindexed, values, strict=True)}
    return ContractEvent(abi["name"], arguments)


@lru_cache
def _events() -> dict[bytes, dict[str, Any]]:
    return {_signature_hash(abi): abi for abi in artifact()["abi"] if abi["type"] == "event"}


def _signature(abi: dict[str, Any]) -> str:
    return f"{abi['name']}({','.join(_type(spec) for spec in abi['inputs'])})"


def _signature_hash(abi: dict[str, Any]) -> bytes:
    return keccak256(_signature(abi).encode())


def _selector(abi: dict[str, Any]) -> bytes:
    return _signature_hash(abi)[:4]


def _by_name(kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(abi for abi in artifact()["abi"] if abi["type"] == kind and abi["name"] == name)
    return found


def _type(spec: dict[str, Any]) -> str:
    kind: str = spec["type"]
    if not kind.startswith("tuple"):
        return kind
    members = ",".join(_type(component) for component in spec["components"])
    return f"({members}){kind.removeprefix('tuple')}"


def _from_json(spec: dict[str, Any], value: Any) -> Any:
    if spec["type"].endswith("[]"):
        element = {**spec, "type": spec["type"].removesuffix("[]")}
        return [_from_json(element, one) for one in value]
    if spec["type"].startswith("bytes"):
        return bytes_of(value)
    if spec["type"] == "tuple":
        return tuple(_from_json(c, v) for c, v in zip(spec["components"], value, strict=True))
    return value


def _named(spec: dict[str, Any], value: Any) -> Any:
    """Like `_to_json`, but with a struct's fields by name."""
    if spec["type"] == "tuple":
        return {c["name"]: _named(c, v) for c, v in zip(spec["components"], value, strict=True)}
    return _to_json(value)


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return hex_of(value)
    if isinstance(value, tuple):
        return [_to_json(element) for element in value]
    return value
