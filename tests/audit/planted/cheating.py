"""Puts things on a chain that the contract would refuse.

What the contract does in another world, in which a key is known or a cap is higher, is recorded there and then done in this one:
for one transaction, code stands at the contract's address that writes the same storage and the same events, and checks nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.audit.planted.world import World, hex_word
from tests.contracts.chain import GAS
from tongdui.encoding import bytes_of, hex_of, keccak256, word
from tongdui.orders import SignedOrder, execute_calldata

MERCHANTS = 2
PROGRAMS = 2 + 2**32
NONCES = 3 + 7 * 2**32
AGREEMENTS = 6 + 7 * 2**32
BALANCES = 8 + 10 * 2**32
REVERSED = 14 + 10 * 2**32
"""Slots; `contracts/libraries/StorageLayout.sol` says what is in most of them."""
FEE, RATE, MAX_POINTS, DAILY_CAP = (0, 8, 16), (1, 0, 32), (1, 128, 64), (1, 192, 64)
"""Fields of an agreement: which of its three slots, from which bit, how many bits."""


@dataclass(slots=True)
class Deed:
    """What a transaction did to the contract."""

    by: str
    data: bytes
    logs: list[tuple[list[bytes], bytes]]
    """Topics and data of each event."""
    writes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Slot to its value before and after."""

    def replace(self, old: bytes, new: bytes) -> None:
        """Writes something else wherever something stood in the events and in the storage."""
        self.logs = [
            ([topic.replace(old, new) for topic in topics], data.replace(old, new)) for topics, data in self.logs
        ]
        self.writes = {
            slot: (before, int.from_bytes(word(after).replace(old, new), "big"))
            for slot, (before, after) in self.writes.items()
        }


@contextmanager
def elsewhere(world: World) -> Iterator[None]:
    """Another world: whatever is done to the chain in it has not happened afterwards, and the world does not know of it."""
    snapshot = world.rpc("evm_snapshot")
    kept = {name: copy.deepcopy(value) for name, value in vars(world).items() if name not in ("chain", "rpc")}
    try:
        yield
    finally:
        assert world.rpc("evm_revert", snapshot)
        vars(world).update(kept)


def observe(world: World, by: str, data: bytes) -> Deed:
    """Sends a transaction, which must succeed, and says what it did."""
    world.pass_time(1)
    receipt = _mine(world, by, data)
    assert receipt["status"] == "0x1", "the other world refuses it too"
    trace = world.rpc(
        "debug_traceTransaction",
        receipt["transactionHash"],
        {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}},
    )
    contract = world.chain.address
    before, after = (trace[when].get(contract, {}).get("storage", {}) for when in ("pre", "post"))
    slots = sorted(set(before) | set(after))
    return Deed(
        by,
        data,
        [([bytes_of(topic) for topic in log["topics"]], bytes_of(log["data"])) for log in receipt["logs"]],
        {int(slot, 16): (int(before.get(slot, "0x0"), 16), int(after.get(slot, "0x0"), 16)) for slot in slots},
    )


def observe_batch(world: World, *orders: SignedOrder) -> Deed:
    """The same for a batch."""
    return observe(world, world.sequencer, execute_calldata(orders, world.evidence))


def impose(world: World, deed: Deed) -> None:
    """Does here what was done elsewhere. A word that differs here from there moves by as much as it did there."""
    writes = {}
    for slot, (before, after) in deed.writes.items():
        here = int(world.rpc("eth_getStorageAt", world.chain.address, hex_word(slot), "latest"), 16)
        writes[slot] = after if here == before else (here + after - before) % 2**256
    with code_replaced(world, _doing(writes, deed.logs)):
        world.pass_time(1)
        receipt = _mine(world, deed.by, deed.data)
    assert receipt["status"] == "0x1"
    assert len(receipt["logs"]) == len(deed.logs)
    empty_block(world)  # the contract's own code is there again, so that nothing but the deed can be found


@contextmanager
def code_replaced(world: World, code: bytes) -> Iterator[None]:
    """Other code at the contract's address, for a while."""
    contract = world.chain.address
    real = world.rpc("eth_getCode", contract, "latest")
    world.rpc("anvil_setCode", contract, hex_of(code))
    yield
    world.rpc("anvil_setCode", contract, real)


def poke(world: World, slot: int, shift: int, bits: int, value: int) -> int:
    """Writes a field of a word of the contract's storage, in the next block. Returns what it was."""
    old = int(world.rpc("eth_getStorageAt", world.chain.address, hex_word(slot), "latest"), 16)
    mask = (2**bits - 1) << shift
    new = old & ~mask | value << shift
    world.rpc("anvil_setStorageAt", world.chain.address, hex_word(slot), hex_word(new))
    return (old & mask) >> shift


def poke_agreement(world: World, number: int, what: tuple[int, int, int], value: int) -> None:
    """Writes a term of a registered agreement."""
    slot, shift, bits = what
    poke(world, AGREEMENTS + 3 * number + slot, shift, bits, value)


def mapped(base: int, key: int) -> int:
    """The slot of a key in the mapping at `base`."""
    return int.from_bytes(keccak256(word(key) + word(base)), "big")


def nonce_slot(merchant: int, nonce: int) -> tuple[int, int]:
    """The slot of a merchant's nonce, and its bit."""
    return mapped(NONCES, merchant << 40 | nonce >> 8), nonce % 256


def empty_block(world: World) -> None:
    """A block in which nothing happens, so that there is a header that tells of what was written behind the chain's back."""
    world.pass_time(1)
    world.rpc("evm_setNextBlockTimestamp", world.now)
    world.rpc("evm_mine")


def _mine(world: World, by: str, data: bytes) -> dict[str, Any]:
    world.rpc("evm_setNextBlockTimestamp", world.now)
    transaction = {"from": by, "to": world.chain.address, "data": hex_of(data), "gas": hex(GAS), "gasPrice": "0x0"}
    receipt: dict[str, Any] = world.rpc("eth_sendTransactionSync", transaction)
    return receipt


# -------------------------------------------------------------------- code that checks nothing

_SSTORE, _CODECOPY, _LOG, _STOP = b"\x55", b"\x39", 0xA0, b"\x00"
_ZERO = b"\x60\x00"


def _doing(writes: dict[int, int], logs: Sequence[tuple[list[bytes], bytes]]) -> bytes:
    """Code that writes these words and these events, whatever it is called with."""
    stores = b"".join(_push_word(word(value)) + _push_word(word(slot)) + _SSTORE for slot, value in writes.items())
    size = len(stores) + sum(_size_of_log(topics) for topics, _ in logs) + len(_STOP)
    code, tail = stores, b""
    for topics, data in logs:
        where, length = _push_short(size + len(tail)), _push_short(len(data))
        code += length + where + _ZERO + _CODECOPY
        code += b"".join(map(_push_word, reversed(topics))) + length + _ZERO + bytes([_LOG + len(topics)])
        tail += data
    return code + _STOP + tail


def _size_of_log(topics: Sequence[bytes]) -> int:
    return 3 * len(_push_short(0)) + 2 * len(_ZERO) + len(_CODECOPY) + 33 * len(topics) + 1


def _push_word(value: bytes) -> bytes:
    return b"\x7f" + value


def _push_short(value: int) -> bytes:
    return b"\x61" + value.to_bytes(2, "big")
