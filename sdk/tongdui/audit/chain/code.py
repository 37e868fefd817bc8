"""The code at the contract's address is a published build, made for this chain and address; and what its constructor was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...encoding import bytes_of, hex_of, keccak256
from ...orders import Domain
from ..findings import CannotCheck, Finding, NotChecked, Place
from .account import ask_proof
from .builds import Build, BuiltCode, build_of, published
from .events import event_of
from .node import Node, NodeRefused
from .trie import TrieError

RULES = {
    "code.contract": "the code of the contract is a published build of the clearing house, made for this chain and address",
    "code.succession": "the code of the contract's succession is that of the same build",
    "code.lens": "the code of the contract's lens is that of the same build, made for this contract",
}

_MOST_OFFSET = 14 * 3_600
"""Seconds between UTC and the time zone of any place on Earth."""
_NOBODY = hex_of(bytes(32))
_OWNERSHIP_TRANSFERRED = hex_of(keccak256(b"OwnershipTransferred(address,address)"))
_FOUNDING = {"OwnershipTransferred", "MerchantRegistered"}
"""Events with which a clearing house begins."""
_CONSTRUCTOR_BYTES = 96


@dataclass(frozen=True, slots=True)
class CodeChecked:
    """What was found about the code."""

    findings: tuple[Finding, ...]
    not_checked: tuple[NotChecked, ...]
    build: str | None
    """The name of the build that it is."""


@dataclass(frozen=True, slots=True)
class Network:
    """What the contract was founded with."""

    domain: Domain
    created: int
    """The block in which the contract came into being."""
    owner: str
    operator_name: bytes
    utc_offset: int
    """Seconds by which the network's time is ahead of UTC."""
    how: str
    """How the beginning and the time zone were found, in a sentence for the report."""


def check_code(node: Node, contract: str, block: int, state_root: bytes, domain: Domain) -> CodeChecked:
    """Compares the code at the contract's address, and at those of its lens and its succession, with the published builds.

    Args:
        node: Is asked and not believed, as far as it offers proofs.
        contract: The contract's address, in lower case.
        block: The code after this block counts.
        state_root: The block's state root, proven.
        domain: What the contract's code must be made for.

    Raises:
        CannotCheck: The node does not answer, or has no state of that block.
    """
    reading = _Reading(node, block, state_root)
    code = reading.code(contract, "code.contract", f"the code of the contract {contract}")
    found = None if code is None else build_of(code)
    if code is None or found is None:
        if code is not None:
            reading.differs(
                "code.contract", f"the code of the contract {contract}", _builds_in_words(), _code_in_words(code)
            )
        return CodeChecked(tuple(reading.findings), tuple(reading.not_checked), None)
    build, values = found
    _check_immutables(reading, contract, values, domain)
    lens = hex_of(values["lens"][12:])
    lens_code = reading.code(lens, "code.lens", f"the code of the contract's lens {lens}")
    if lens_code is not None:
        _check_lens(reading, lens, lens_code, build, contract)
    _check_succession(reading, hex_of(values["succession"][12:]), build)
    return CodeChecked(tuple(reading.findings), tuple(reading.not_checked), build.name)


def network_of(node: Node, contract: str, last: int) -> Network:
    """Finds out when and with what the contract was founded. The replay proves it: it begins with what its constructor did.

    Args:
        node: Is asked.
        contract: The contract's address, in lower case.
        last: The last block of the audit.

    Raises:
        CannotCheck: There is no clearing house at the address, or the node has not its beginning.
    """
    created = node.created_at(contract, last)
    how = "The contract's first block was found by asking where its code begins."
    events = {} if created is None else _events(node, contract, created)
    if created is None or not events.keys() >= _FOUNDING:
        created = _first_event(node, contract, last)
        how = "The contract's first block was found by looking for its first event: the node cannot say where its code begins."
        events = {} if created is None else _events(node, contract, created)
    if created is None or not events.keys() >= _FOUNDING:
        raise CannotCheck(
            f"The contract at {contract} is no clearing house, or the node at {node.name} does not know its beginning: it has no "
            "such events. Check the address with --contract, or name an archive node with --rpc."
        )
    ((_, owner), transaction), (registered, _) = events["OwnershipTransferred"], events["MerchantRegistered"]
    offset, source = _utc_offset(node, contract, created, last, transaction)
    domain = Domain(node.chain_id(), contract)
    return Network(domain, created, owner, registered[2], offset, f"{how} {source}")


# ---------------------------------------------------------------- the code


class _Reading:
    """Reads code and proves it, and keeps what was found on the way."""

    def __init__(self, node: Node, block: int, state_root: bytes) -> None:
        self.findings: list[Finding] = []
        self.not_checked: list[NotChecked] = []
        self._node = node
        self._block = block
        self._state_root = state_root

    def code(self, address: str, rule: str, subject: str) -> bytes | None:
        """The code at an address, if it is the one that the state root proves."""
        code = _code_at(self._node, address, self._block)
        try:
            account = ask_proof(self._node, address, self._block).account_under(self._state_root)
        except NodeRefused as refused:
            self.not_checked.append(NotChecked(f"the proof of {subject}", f"{refused} The node was believed."))
            return code
        except TrieError as error:
            self.differs(rule, subject, f"code proven by the state root {hex_of(self._state_root)}", str(error))
            return None
        proven = keccak256(b"") if account is None else account.code_hash
        if proven != keccak256(code):
            self.differs(
                rule, subject, f"code with the hash {hex_of(proven)}, which the state proves", _code_in_words(code)
            )
            return None
        return code

    def differs(self, rule: str, subject: str, expected: str, found: str) -> None:
        """Notes a finding."""
        self.findings.append(Finding(rule, subject, expected, found, Place(block=self._block)))


def _code_at(node: Node, address: str, block: int) -> bytes:
    answer = node.ask("eth_getCode", [address, hex(block)])
    try:
        return bytes_of(answer)
    except (AttributeError, ValueError) as error:
        raise CannotCheck(
            f"What the node at {node.name} says of the code at {address} is no code. Name another node with --rpc."
        ) from error


def _check_immutables(reading: _Reading, contract: str, values: dict[str, bytes], domain: Domain) -> None:
    subject = f"the code of the contract {contract}"
    number = int.from_bytes(values["CHAIN_ID"], "big")
    if number != domain.chain_id:
        reading.differs("code.contract", subject, f"made for chain {domain.chain_id}", f"made for chain {number}")
    elif values["DOMAIN_SEPARATOR"] != domain.separator:
        must, found = hex_of(domain.separator), hex_of(values["DOMAIN_SEPARATOR"])
        reading.differs("code.contract", subject, f"the domain separator {must} of this chain and address", found)
    offset = _signed(values["UTC_OFFSET"])
    if abs(offset) > _MOST_OFFSET:
        reading.differs("code.contract", subject, "the time zone of a place on Earth", f"{offset} seconds ahead of UTC")


def _check_lens(reading: _Reading, lens: str, code: bytes, build: Build, contract: str) -> None:
    subject = f"the code of the contract's lens {lens}"
    built: BuiltCode = build.lens
    values = built.immutables_of(code)
    if values is None:
        must = f"the lens of build {build.name}: {built.size} bytes, masked hash {built.hash}"
        reading.differs("code.lens", subject, must, _code_in_words(code))
    elif hex_of(values["HOUSE"][12:]) != contract.lower():
        reading.differs(
            "code.lens", subject, f"made for the contract {contract}", f"made for {hex_of(values['HOUSE'][12:])}"
        )


def _check_succession(reading: _Reading, address: str, build: Build) -> None:
    subject = f"the code of the contract's succession {address}"
    code = reading.code(address, "code.succession", subject)
    if code is not None and build.succession.immutables_of(code) is None:
        must = (
            f"the succession of build {build.name}: {build.succession.size} bytes, masked hash {build.succession.hash}"
        )
        reading.differs("code.succession", subject, must, _code_in_words(code))


def _builds_in_words() -> str:
    return " or ".join(
        f"build {build.name} ({build.house.size} bytes, masked hash {build.house.hash})" for build in published()
    )


def _code_in_words(code: bytes) -> str:
    return f"{len(code)} bytes with the hash {hex_of(keccak256(code))}" if code else "no code"


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


# ---------------------------------------------------------------- the beginning


def _events(node: Node, contract: str, block: int) -> dict[str, tuple[tuple[Any, ...], str]]:
    """The first event of each name in a block: its values, and its transaction."""
    events: dict[str, tuple[tuple[Any, ...], str]] = {}
    for log in _logs(node, contract, block, block):
        try:
            name, values = event_of(log)
            events.setdefault(name, (values, log["transactionHash"]))
        except (AttributeError, KeyError, TypeError, ValueError):
            continue  # the replay says what is wrong with it
    return events


def _first_event(node: Node, contract: str, last: int) -> int | None:
    """The block in which the contract got its first owner; None if the node knows none."""
    first, size = 0, 1 << 20
    while first <= last:
        until = min(last, first + size - 1)
        try:
            logs = _logs(node, contract, first, until, [_OWNERSHIP_TRANSFERRED, _NOBODY])
        except NodeRefused as refused:
            if size == 1 or refused.lacks_method:
                raise
            size = max(1, size // 8)  # nodes limit how many blocks they search at once
            continue
        if logs:
            return min(int(log["blockNumber"], 16) for log in logs)
        first = until + 1
    return None


def _logs(node: Node, contract: str, first: int, last: int, topics: list[str] | None = None) -> list[dict[str, Any]]:
    asked = {
        "address": contract,
        "fromBlock": hex(first),
        "toBlock": hex(last),
        **({"topics": topics} if topics else {}),
    }
    logs = node.ask("eth_getLogs", [asked])
    if not isinstance(logs, list):
        raise CannotCheck(f"The node at {node.name} answers no list to eth_getLogs. Name another node with --rpc.")
    return logs


def _utc_offset(node: Node, contract: str, created: int, last: int, transaction: str) -> tuple[int, str]:
    """Seconds by which the network's time is ahead of UTC, and how it was found."""
    for block in (last, created):
        try:
            found = build_of(_code_at(node, contract, block))
        except NodeRefused:
            continue  # no state of that block
        if found is not None:
            return _signed(
                found[1]["UTC_OFFSET"]
            ), f"The time zone stands in the contract's code (build {found[0].name})."
    created_by = node.ask("eth_getTransactionByHash", [transaction])
    try:
        data = bytes_of(created_by["input"])
        offset = _signed(data[-32:])
        if created_by["to"] is None and len(data) > _CONSTRUCTOR_BYTES and abs(offset) <= _MOST_OFFSET:
            return (
                offset,
                "The time zone was read from what the contract's constructor was told: its code is no published build.",
            )
    except (TypeError, KeyError, AttributeError, ValueError):
        pass
    raise CannotCheck(
        f"The code at {contract} is no published build of the clearing house, and the transaction that created it does not tell "
        "the network's time zone. Check the address with --contract."
    )
