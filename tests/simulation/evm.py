"""Runs transactions of the contract's own bytecode in this process, each on the storage that it would find in a block.

A transaction gets a fresh machine, because one machine keeps the words that it has read warm for the next transaction, which would
be too cheap. The storage is a plain dictionary, so a reorganisation is an older dictionary. Which words a call may touch follows
from its data and from the layout that the auditor's kit knows; `tests/simulation/test_chain.py` compares all of it with anvil.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_utils.address import to_checksum_address
from pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env

from clearing.chain.contract import deployment_code
from tongdui.audit.chain import layout
from tongdui.audit.chain.calls import UNKNOWN, call_of
from tongdui.audit.chain.signatures import NOBODY
from tongdui.encoding import address_word, bytes_of, text_word, word
from tongdui.orders import Domain, Order
from tongdui.receipts import Evidence

Storage = Mapping[int, int]
"""Words by slot; a slot that is missing is zero."""

CHAIN_ID = 31_337
_SPEC = "PRAGUE"
_AGREEMENT_SLOTS = 3
_MOST = 32
"""So many merchants, programs and agreements are looked at. A simulated network has fewer."""
_ROLES = 4
_OUTPUT = re.compile(r"^Revert \{.*output: (0x[0-9a-f]*) \}$")


class SimLog(NamedTuple):
    """A log entry of the contract."""

    topics: tuple[str, ...]
    data: str
    """Hex with 0x, as the topics."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a call."""

    succeeded: bool
    gas_used: int
    logs: tuple[SimLog, ...]
    storage: Storage
    """After it."""
    output: str
    """What it returned, or reverted with, as hex; nothing where it ran out of gas."""
    halted: str
    """Why the machine stopped it; nothing where it did not."""


class Contract:
    """The contract at its address: code, and how to call it."""

    def __init__(self, admin: str, utc_offset_seconds: int, operator_name: str = "Test") -> None:
        machine = EVM(env=_env(1, 1, 30_000_000), spec_id=_SPEC)
        code = deployment_code(admin, text_word(operator_name), utc_offset_seconds)
        self.address = str(to_checksum_address(machine.deploy(admin, code)))
        self.domain = Domain(CHAIN_ID, self.address)
        codes = {address: machine.get_code(address) or b"" for address in machine.journal_state}
        self._accounts = {one: AccountInfo(nonce=1, code=code) for one, code in codes.items() if len(code) > 1}
        """The contract, and those that it has created itself."""
        self.founded: Storage = _read(machine, self.address, _fixed_slots([admin]))
        """The storage after the deployment."""

    def run(
        self, storage: Storage, sender: str, data: bytes, gas: int, number: int, timestamp: int, block_gas: int
    ) -> Ran:
        """Runs a transaction, or a call, on this storage."""
        machine = EVM(env=_env(number, timestamp, block_gas), spec_id=_SPEC)
        for address, account in self._accounts.items():
            machine.insert_account_info(address, account)
        slots = {*storage, *self._slots(storage, sender, data)}
        for slot, packed in storage.items():
            begun = (
                machine.snapshot()
            )  # taken back at once: otherwise the word would be warm, and written in this transaction
            machine.insert_account_storage(self.address, slot, packed)
            machine.revert(begun)
        try:
            output = machine.message_call(sender, self.address, data, gas=gas)
        except RuntimeError as error:
            found = _OUTPUT.match(str(error))
            used = machine.result.gas_used if machine.result is not None else gas
            return Ran(False, used, (), storage, found[1] if found else "0x", "" if found else str(error))
        logs = tuple(SimLog(tuple(log.topics), "0x" + bytes(log.data[1]).hex()) for log in machine.result.logs)
        after = _read(machine, self.address, slots)
        return Ran(True, machine.result.gas_used, logs, after, "0x" + bytes(output).hex(), "")

    # ---------------------------------------------------------------- which words a call may touch

    def _slots(self, storage: Storage, sender: str, data: bytes) -> Iterator[int]:
        yield from _fixed_slots([sender])
        yield from _rows()
        method, arguments = call_of(data, self.domain.separator)
        if method == "execute":
            yield from _of_batch(storage, *arguments)
        elif method != UNKNOWN:
            yield from _of_arguments(arguments)
            if method == "registerAgreement":
                yield layout.mapped(layout.DIGESTS, arguments[1].digest(self.domain))


def _of_batch(storage: Storage, orders: Iterable[Any], evidence: Iterable[Evidence]) -> Iterator[int]:
    for one in orders:
        if one.signer and one.signer != NOBODY:
            yield layout.mapped(layout.SIGNERS, address_word(one.signer))
        yield from _of_order(one.signed.order)
    newest = storage.get(layout.NEWEST_BATCH, 0) >> 8 & (1 << 40) - 1
    for batch in {newest + 1, *(one.entry.batch for one in evidence)}:
        yield layout.mapped(layout.ROOTS, word(batch))
    for one in evidence:
        yield from _pages(one.entry.member)
        if one.entry.link != bytes(32):
            yield from _pages(_address(one.entry.link))


def _of_order(order: Order) -> Iterator[int]:
    yield layout.mapped(layout.NONCES, word(order.merchant << 40 | order.nonce >> 8))
    for instruction in order.instructions:
        yield from _pages(instruction.member)
        if instruction.link != bytes(32):
            yield from _pages(_address(instruction.link))
            yield layout.mapped(layout.REVERSED, instruction.link)


def _of_arguments(arguments: Iterable[Any]) -> Iterator[int]:
    """What privileged calls name: keys, accounts, bank references."""
    for value in arguments:
        if isinstance(value, str) and value.startswith("0x"):
            yield layout.mapped(layout.SIGNERS, address_word(value))
            yield from _roles(value)
        elif isinstance(value, bytes) and len(value) == 32:
            yield layout.mapped(layout.BANK_REFERENCES, value)
        elif isinstance(value, tuple):
            yield from _of_arguments(value)


def _fixed_slots(accounts: Iterable[str]) -> Iterator[int]:
    yield from (layout.OWNER, layout.PENDING_OWNER, layout.COUNTS, layout.AGREEMENT_COUNT, layout.FUNDS)
    yield from (layout.NEWEST_BATCH, layout.HEAD, layout.merchant_slot(0))
    for account in accounts:
        yield from _roles(account)


def _rows() -> Iterator[int]:
    """The words of merchants, programs and agreements, which lie in rows."""
    yield from range(layout.merchant_slot(0), layout.merchant_slot(_MOST))
    yield from range(layout.program_slot(0), layout.program_slot(_MOST))
    yield from range(layout.AGREEMENTS, layout.AGREEMENTS + _AGREEMENT_SLOTS * _MOST)


def _roles(account: str) -> Iterator[int]:
    for role in range(_ROLES):
        yield layout.mapped(layout.mapped(layout.ROLES, word(role)), address_word(account))


def _pages(member: str) -> Iterator[int]:
    yield layout.balance_slot(member, 1)


def _address(link: bytes) -> str:
    return "0x" + link[12:].hex()


def _read(machine: EVM, address: str, slots: Iterable[int]) -> Storage:
    found = {slot: machine.storage(address, slot) for slot in set(slots)}
    return {slot: packed for slot, packed in found.items() if packed}


def _env(number: int, timestamp: int, gas: int) -> Env:
    cfg = CfgEnv(chain_id=CHAIN_ID, limit_contract_code_size=60_000)
    return Env(cfg=cfg, block=BlockEnv(number=number, timestamp=timestamp, gas_limit=gas))


def returned(ran: Ran) -> bytes:
    """What a call returned."""
    return bytes_of(ran.output)
