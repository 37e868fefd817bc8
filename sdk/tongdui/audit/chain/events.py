"""The contract's events, from the logs of a receipt, in the shape in which the model writes them."""

from __future__ import annotations

from typing import Any

from ...encoding import bytes_of, hex_of
from ...receipts import Entry
from ..watching import Event
from .abi import PREDECESSOR, TERMS, Type, decoded, signature_hash, value_of

Json = dict[str, Any]

_EVENTS: dict[str, tuple[tuple[Type, bool], ...]] = {
    "RoleChanged": (("uint8", True), ("address", True), ("bool", False)),
    "MerchantRegistered": (("uint32", True), ("uint96", False), ("bytes32", False)),
    "MerchantStatusChanged": (("uint32", True), ("uint8", False)),
    "SignerChanged": (("uint32", True), ("address", True), ("uint40", False), ("uint40", False), ("uint64", False)),
    "ProgramRegistered": (("uint32", True), ("uint32", True), ("bytes32", False), ("bytes32", False)),
    "IssuanceCapChanged": (("uint32", True), ("uint64", False), ("uint32", False)),
    "ProgramPauseChanged": (("uint32", True), ("bool", False)),
    "AgreementRegistered": (("uint32", True), ("bytes32", True), (TERMS, False), ("bytes", False), ("bytes", False)),
    "AgreementEnds": (("uint32", True), ("uint40", False), ("uint32", False)),
    "CreditLimitChanged": (("uint32", True), ("uint96", False)),
    "Deposited": (("uint32", True), ("uint96", False), ("bytes32", True)),
    "Withdrawn": (("uint32", True), ("uint96", False), ("bytes32", True)),
    "EntryPosted": (("address", True), ("uint256", False), ("uint256", False), ("bytes32", False)),
    "LinkedEntryPosted": (
        *(("address", True), ("bytes32", True)),
        *(("uint256", False), ("uint256", False), ("bytes32", False)),
    ),
    "InstructionRejected": (("uint32", True), ("uint48", True), ("uint16", False), ("uint8", False)),
    "OrderRejected": (("uint32", True), ("uint48", True), ("bytes32", False), ("uint8", False)),
    "BatchClosed": (("uint40", True), ("uint16", False), ("bytes32", False), ("bytes32", False)),
    "Paused": (("address", False),),
    "Unpaused": (("address", False),),
    "OwnershipTransferStarted": (("address", True), ("address", True)),
    "OwnershipTransferred": (("address", True), ("address", True)),
    "Frozen": tuple((kind, False) for kind in ("uint40", "bytes32", "int256", "uint32", "uint32", "uint32")),
    "ImportBegun": ((PREDECESSOR, False),),
    "LeafImported": (("uint256", True), ("uint8", False), ("uint256", False), ("uint256", False)),
    "Opened": (("uint40", False), ("bytes32", False), ("int256", False)),
}
"""Types of each event's values, and whether the value is a topic of the log."""


def _topic(name: str) -> str:
    return hex_of(signature_hash(name, [kind for kind, _ in _EVENTS[name]]))


_BY_TOPIC = {_topic(name): name for name in _EVENTS}
_POSTED, _LINKED = _topic("EntryPosted"), _topic("LinkedEntryPosted")
_ENTRY_BYTES = 96


def event_of(log: Json) -> Event:
    """The event that a log of the contract records.

    Raises:
        ValueError: The contract has no such event.
    """
    topics: list[str] = log["topics"]
    data = bytes_of(log["data"])
    first = topics[0].lower() if topics else ""
    if len(data) == _ENTRY_BYTES:
        if first == _POSTED and len(topics) == 2:
            return "EntryPosted", (Entry.from_log(_member(topics[1]), data),)
        if first == _LINKED and len(topics) == 3:
            return "LinkedEntryPosted", (Entry.from_log(_member(topics[1]), data, bytes_of(topics[2])),)
    name = _BY_TOPIC.get(first)
    if name is None:
        raise ValueError(f"no event of the contract has the topic {first or 'of nothing'}")
    return name, _values(name, topics[1:], data)


def _values(name: str, topics: list[str], data: bytes) -> tuple[Any, ...]:
    kinds = _EVENTS[name]
    others = iter(decoded([kind for kind, is_topic in kinds if not is_topic], data))
    if len(topics) != sum(is_topic for _, is_topic in kinds) or name in ("EntryPosted", "LinkedEntryPosted"):
        raise ValueError(f"a log of {name} has other topics or other data")
    words = (bytes_of(topic) for topic in topics)
    return tuple(value_of(str(kind), next(words)) if is_topic else next(others) for kind, is_topic in kinds)


def _member(topic: str) -> str:
    return "0x" + topic[-40:].lower()
