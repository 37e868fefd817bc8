"""What a node may say instead of the truth about an honest network. Each function makes such a lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rlp

from tests.audit.planted.lying_node import Json, Lie, Refusal
from tests.audit.planted.world import World
from tongdui.encoding import bytes_of, hex_of, keccak256

EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
_HEADER = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
    "baseFeePerGas",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
)
"""The fields of a header, in the order in which they are hashed."""
_NUMBERS = ["difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas"]


def wherever(key: str, change: Callable[[Json], Json | None]) -> Lie:
    """Changes whatever has this key, in whatever answer; None takes it out of its list."""

    def changed(value: Any) -> Any:
        if isinstance(value, list):
            return [one for one in map(changed, value) if one is not None]
        if not isinstance(value, dict):
            return value
        inside = {name: changed(one) for name, one in value.items()}
        return change(inside) if key in value else inside

    return lambda method, params, result: changed(result)


def _block_of(world: World, event: str, which: int = 0) -> int:
    """The block with the so-manyth event of this name, from 0; negative ones count from the end."""
    topic = world.chain.topic(event)
    logs = world.rpc("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "topics": [topic]})
    return int(logs[which]["blockNumber"], 16)


def edited_event(world: World) -> Lie:
    """A deposit of twice as much."""
    block, topic = hex(_block_of(world, "Deposited")), world.chain.topic("Deposited")

    def doubled(log: Json) -> Json:
        if log["blockNumber"] != block or log["topics"][0] != topic:
            return log
        return {**log, "data": hex_of((2 * int(log["data"], 16)).to_bytes(32, "big"))}

    return wherever("logIndex", doubled)


def removed_event(world: World) -> Lie:
    """An entry that nobody hears of."""
    block, topic = hex(_block_of(world, "EntryPosted", 5)), world.chain.topic("EntryPosted")
    return wherever(
        "logIndex",
        lambda log: None if (log["blockNumber"], log["topics"][0], log["logIndex"]) == (block, topic, "0x0") else log,
    )


def swapped_events(world: World) -> Lie:
    """Two entries of one batch in the other order."""
    block, topic = hex(_block_of(world, "EntryPosted")), world.chain.topic("EntryPosted")
    first, second = (
        log
        for log in world.rpc("eth_getLogs", {"fromBlock": block, "toBlock": block})
        if log["topics"][0] == topic and log["logIndex"] in ("0x0", "0x1")
    )
    said = {("0x0", block): second, ("0x1", block): first}

    def swapped(log: Json) -> Json:
        other = said.get((log["logIndex"], log["blockNumber"]))
        return log if other is None else {**log, "topics": other["topics"], "data": other["data"]}

    return wherever("logIndex", swapped)


def edited_calldata(world: World) -> Lie:
    """A batch in which an order asks for one point more."""
    block = hex(_block_of(world, "BatchClosed"))

    def edited(transaction: Json) -> Json:
        if transaction["blockNumber"] != block:
            return transaction
        return {**transaction, "input": transaction["input"].replace("00000000000003e8", "00000000000003e9", 1)}

    return wherever("input", edited)


def other_sender(world: World) -> Lie:
    """A batch that somebody else is said to have sent."""
    block = hex(_block_of(world, "BatchClosed"))
    stranger = world.stranger
    return wherever("input", lambda tx: {**tx, "from": stranger} if tx["blockNumber"] == block else tx)


def failed_transaction(world: World) -> Lie:
    """A deposit that is said to have failed."""
    block = hex(_block_of(world, "Deposited"))
    return wherever(
        "cumulativeGasUsed",
        lambda receipt: {**receipt, "status": "0x0"} if receipt["blockNumber"] == block else receipt,
    )


def dropped_batch(world: World) -> Lie:
    """A block whose only transaction, a batch, is left out, with its receipt."""
    return _without_transaction(hex(_block_of(world, "BatchClosed", 1)))


def _without_transaction(block: str, header: Callable[[Json], Json] = lambda header: header) -> Lie:
    def gone(found: Json) -> Json | None:
        return None if found["blockNumber"] == block else found

    no_transaction, no_receipt, no_log = (wherever(key, gone) for key in ("input", "cumulativeGasUsed", "logIndex"))

    def emptied(found: Json) -> Json:
        return header({**found, "transactions": []}) if found["number"] == block else found

    empty_block = wherever("parentHash", emptied)

    def lie(method: str, params: list[Any], result: Any) -> Any:
        for each in (no_log, no_receipt, no_transaction, empty_block):
            result = each(method, params, result)
        return result

    return lie


def dropped_batch_and_roots(world: World) -> Lie:
    """The same, with the roots of an empty block in its header; its hash is still the true one."""
    return _without_transaction(hex(_block_of(world, "BatchClosed", 1)), _empty_roots)


def dropped_batch_and_hash(world: World) -> Lie:
    """The same, with the hash of that header; the next block still names the true one."""
    return _without_transaction(hex(_block_of(world, "BatchClosed", 1)), lambda header: _rehashed(_empty_roots(header)))


def _empty_roots(header: Json) -> Json:
    return {
        **header,
        "transactionsRoot": EMPTY_ROOT,
        "receiptsRoot": EMPTY_ROOT,
        "logsBloom": "0x" + "00" * 256,
        "gasUsed": "0x0",
    }


def _rehashed(header: Json) -> Json:
    fields = [_minimal(header[name]) if name in _NUMBERS else bytes_of(header[name]) for name in _HEADER]
    return {**header, "hash": hex_of(keccak256(rlp.encode(fields)))}


def _minimal(number: str) -> bytes:
    value = int(number, 16)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def other_time(world: World) -> Lie:
    """A block that is said to be an hour younger, so that a deadline would have passed."""
    block = hex(_block_of(world, "BatchClosed", 1))
    return wherever(
        "parentHash",
        lambda found: (
            {**found, "timestamp": hex(int(found["timestamp"], 16) + 3_600)} if found["number"] == block else found
        ),
    )


def other_state_root(world: World) -> Lie:
    """A last block that is said to have another state."""
    block = hex(world.chain.height())
    return wherever(
        "parentHash", lambda found: {**found, "stateRoot": EMPTY_ROOT} if found["number"] == block else found
    )


def other_proof(world: World) -> Lie:
    """A proof of the contract's account with a changed node."""

    def changed(proof: Json) -> Json:
        last = proof["accountProof"][-1]
        return {
            **proof,
            "accountProof": [*proof["accountProof"][:-1], last[:-2] + ("00" if last[-2:] != "00" else "01")],
        }

    return wherever("storageHash", changed)


def other_code(world: World) -> Lie:
    """Other code at the contract's address."""
    return lambda method, params, result: result[:-2] + "00" if method == "eth_getCode" and result != "0x" else result


def hidden_blocks(world: World) -> Lie:
    """A node that does not know the last three blocks."""
    height = world.chain.height() - 3

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_blockNumber":
            return hex(height)
        if method == "eth_getBlockByNumber" and params[0] in ("latest", "safe", "finalized"):
            return world.rpc(method, hex(height), *params[1:])
        wanted = params[0] if params and isinstance(params[0], str) else ""
        return None if wanted.startswith("0x") and len(wanted) < 20 and int(wanted, 16) > height else result

    return lie


def other_chain_after(world: World) -> Lie:
    """A node whose blocks are others from the third day on: each has an extra byte in its header, and the hashes link."""
    first = world.chain.height() - 5
    told: dict[int, str] = {}
    for number in range(first, world.chain.height() + 1):
        header = world.rpc("eth_getBlockByNumber", hex(number), False)
        told[number] = _other_header(header, told)["hash"]

    def changed(found: Json) -> Json:
        return _other_header(found, told) if int(found["number"], 16) >= first else found

    return wherever("parentHash", changed)


def _other_header(header: Json, told: dict[int, str]) -> Json:
    number = int(header["number"], 16)
    return _rehashed({**header, "extraData": "0x2a", "parentHash": told.get(number - 1, header["parentHash"])})


# -------------------------------------------------------------------- nodes that can do less


def without(*methods: str) -> Lie:
    """A node that does not know some methods."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method in methods:
            raise Refusal(-32_601, f"the method {method} does not exist/is not available")
        return result

    return lie


def without_history(world: World) -> Lie:
    """A node that has forgotten the first blocks."""
    kept = world.first_block + 10

    def lie(method: str, params: list[Any], result: Any) -> Any:
        wanted = params[0] if params and isinstance(params[0], str) else ""
        if (
            method.startswith("eth_getBlock")
            and wanted.startswith("0x")
            and len(wanted) < 20
            and int(wanted, 16) < kept
        ):
            return None
        return result

    return lie
