"""The reader on a real chain: what it says is what happened, and whatever a node changes about it is found and named."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest

from scripts.dev.services import Anvil
from tests.audit.chain.odd_node import Answer, odd_node, results
from tests.audit.chain.world import World, build
from tests.contracts.chain import ARTIFACT
from tongdui.audit.chain.calls import UNKNOWN
from tongdui.audit.chain.headers import header_of
from tongdui.audit.chain.node import Node
from tongdui.audit.chain.proving import BlockProver
from tongdui.audit.chain.reading import Block, ChainReader
from tongdui.audit.findings import CannotCheck
from tongdui.encoding import hex_of
from tongdui.orders import execute_calldata, recover_signer

Json = dict[str, Any]

ABI = json.loads(ARTIFACT.read_text())["abi"]


@pytest.fixture(scope="module")
def world(chain: Anvil) -> World:
    return build(chain.url)


@pytest.fixture(scope="module")
def blocks(chain: Anvil, world: World) -> list[Block]:
    """All of them, read without workers."""
    return read(chain.url, world)


def read(
    url: str, world: World, first: int = 0, last: int | None = None, workers: int = 0, **settings: Any
) -> list[Block]:
    with closing(Node(url)) as node:
        reader = ChainReader([node], world.twins.chain.address, workers)
        return list(reader.blocks(first, world.last if last is None else last, **settings))


OF_SUCCESSION = {"Frozen", "ImportBegun", "LeafImported", "Opened"}
"""Events of a contract's end and of its successor's beginning: tests/audit/test_succession.py reads those."""


class TestHonestNode:
    def test_has_no_faults(self, blocks: list[Block], world: World) -> None:
        assert [block.faults for block in blocks] == [()] * (world.last + 1)
        assert [block.number for block in blocks] == list(range(world.last + 1))

    def test_gives_the_events_that_the_model_made(self, blocks: list[Block], world: World) -> None:
        assert [event for block in blocks for call in block.calls for event in call.events] == world.events

    def test_gives_every_event_that_the_contract_has(self, world: World) -> None:
        told = {name for name, _ in world.events} | OF_SUCCESSION
        assert told == {item["name"] for item in ABI if item["type"] == "event"}

    def test_gives_calls_as_they_were_made(self, blocks: list[Block], world: World) -> None:
        chain = world.twins.chain
        methods: Counter[str] = Counter()
        for block in blocks:
            body = chain.rpc("eth_getBlockByNumber", hex(block.number), True)
            for call in block.calls:
                sent = body["transactions"][call.index]
                assert (call.transaction, call.sender) == (sent["hash"], sent["from"])
                methods[call.method] += 1
                if call.method not in ("", "execute"):
                    assert hex_of(chain.encode_call(call.method, *call.arguments)) == sent["input"]
        changing = {
            item["name"] for item in ABI if item["type"] == "function" and item["stateMutability"] == "nonpayable"
        }
        assert set(methods) - {""} == changing - {"executeAtomic", "freeze", "beginImport", "importLeaves", "open"}
        assert methods[""] == 4  # its creation, two calls by another contract, and one that failed

    def test_gives_a_call_that_failed(self, blocks: list[Block], world: World) -> None:
        failed = [
            (block.number, call.method, call.events) for block in blocks for call in block.calls if not call.succeeded
        ]
        assert failed == [(world.mixed_block, "", ())]

    def test_gives_orders_with_their_signers(self, blocks: list[Block], world: World) -> None:
        (call,) = blocks[world.batch_block].calls
        orders, evidence = call.arguments
        domain = world.twins.chain.domain
        assert [order.signed for order in orders] == world.orders
        assert evidence == world.evidence
        assert [order.evidence for order in orders] == [(0, 0), (0, 1), (0, 0), (0,), (0,)]
        for order in orders[:4]:
            digest = order.signed.order.digest(domain)
            assert order.digest == digest
            assert order.signer == recover_signer(digest, order.signed.signature).lower()
        assert [order.signer for order in orders[:3]] == [orders[0].signer] * 3
        assert orders[3].signer not in ("", orders[0].signer)  # a signature over something else
        assert orders[4].signer == ""

    def test_gives_calls_by_another_contract(self, blocks: list[Block], world: World) -> None:
        calls = [call for block in blocks for call in block.calls if call.to == world.forwarder]
        assert [(call.method, call.sender, call.events[0][0]) for call in calls] == [
            ("", world.twins.stranger, "Paused"),
            ("", world.twins.stranger, "Unpaused"),
        ]

    def test_gives_transactions_of_several_types(self, blocks: list[Block], world: World) -> None:
        methods = [(call.index, call.method) for call in blocks[world.mixed_block].calls]
        assert methods == [(0, "pause"), (1, "unpause"), (2, "")]  # the last one failed
        assert [(call.index, call.method) for call in blocks[world.borrowed_block].calls] == [(0, "pause")]

    def test_gives_the_same_through_workers(self, chain: Anvil, blocks: list[Block], world: World) -> None:
        assert read(chain.url, world, workers=2) == blocks

    def test_gives_any_part(self, chain: Anvil, blocks: list[Block], world: World) -> None:
        assert read(chain.url, world, 5, 17, parent=blocks[4].hash) == blocks[5:18]
        assert read(chain.url, world, 9, 8) == []

    def test_is_not_asked_about_blocks_without_events(self, chain: Anvil, world: World) -> None:
        asked: list[Any] = []
        with forwarding(chain.url, seen=asked) as url:
            read(url, world, world.empty_blocks[0], world.empty_blocks[-1])
        assert {request["method"] for request in asked} == {"eth_chainId", "eth_getBlockByNumber"}
        assert not any(request["params"][1:] == [True] for request in asked)

    def test_need_not_offer_receipts_of_blocks(self, chain: Anvil, blocks: list[Block], world: World) -> None:
        asked: list[Any] = []

        def without(method: str, params: list[Any], result: Any) -> Any:
            if method == "eth_getBlockReceipts":
                raise ValueError(-32_601, "Method not found")
            return result

        with forwarding(chain.url, without, asked) as url:
            assert read(url, world) == blocks
        methods = Counter(request["method"] for request in asked)
        assert methods["eth_getTransactionReceipt"] >= sum(len(block.calls) for block in blocks)
        assert methods["eth_getBlockReceipts"] <= 4  # and never again


Lie = Callable[[str, list[Any], Any], Any]


def forwarding(truth: str, lie: Lie = lambda method, params, result: result, seen: list[Any] | None = None) -> Any:
    """A node that asks another one, and says something else."""
    http = httpx.Client(timeout=60)

    def respond(asked: Any) -> Answer:
        if seen is not None:
            seen.extend(asked if isinstance(asked, list) else [asked])
        answers = http.post(truth, json=asked).json()
        by_number = {answer["id"]: answer["result"] for answer in (answers if isinstance(answers, list) else [answers])}
        numbers = iter(sorted(by_number))
        return results(asked, lambda method, params: lie(method, params, by_number[next(numbers)]))

    return odd_node(respond)


class TestChangedBlock:
    """A block as the node gave it, with one thing changed."""

    @pytest.fixture
    def prove(self, chain: Anvil, world: World) -> Callable[..., Block]:
        def prove(
            change: Callable[[Json, list[Json], list[Json]], object], number: int = world.batch_block
        ) -> list[tuple[str, str]]:
            header = chain.rpc("eth_getBlockByNumber", hex(number), False)
            transactions = chain.rpc("eth_getBlockByNumber", hex(number), True)["transactions"]
            receipts = chain.rpc("eth_getBlockReceipts", hex(number))
            change(header, transactions, receipts)
            prover = BlockProver(world.twins.chain.address, world.twins.chain.domain.separator)
            block, _ = prover.block(header_of(header), number, transactions, receipts)
            for fault in block.faults:
                assert fault.place.block == number
                assert fault.expected != fault.found
            return [fault.rule for fault in block.faults]

        return prove

    def test_holds_unchanged(self, prove: Any) -> None:
        assert prove(lambda header, transactions, receipts: None) == []

    @pytest.mark.parametrize(
        "field", ["parentHash", "stateRoot", "timestamp", "gasUsed", "baseFeePerGas", "requestsHash", "withdrawalsRoot"]
    )
    def test_header(self, prove: Any, field: str) -> None:
        def change(header: Json, *_: Any) -> None:
            header[field] = header[field][:-1] + ("1" if header[field][-1] != "1" else "2")

        assert prove(change) == ["block.hash"]

    def test_header_without_a_field_of_a_fork(self, prove: Any) -> None:
        assert prove(lambda header, *_: header.pop("requestsHash")) == ["block.hash"]

    def test_header_of_another_block(self, prove: Any, chain: Anvil, world: World) -> None:
        other = chain.rpc("eth_getBlockByNumber", hex(world.last), False)
        rules = prove(lambda header, *_: header.update(other))
        assert rules[0] == "block.hash"

    def test_filter(self, prove: Any) -> None:
        assert prove(lambda header, *_: header.update(logsBloom="0x" + "00" * 256)) == ["block.hash", "block.bloom"]

    def test_event(self, prove: Any) -> None:
        def change(header: Json, transactions: Any, receipts: list[Json]) -> None:
            log = receipts[0]["logs"][0]
            log["data"] = log["data"][:-1] + ("1" if log["data"][-1] != "1" else "2")

        assert prove(change) == ["block.receipts"]

    def test_member_of_an_event(self, prove: Any) -> None:
        def change(header: Json, transactions: Any, receipts: list[Json]) -> None:
            receipts[0]["logs"][0]["topics"][1] = "0x" + "00" * 12 + "ab" * 20

        assert prove(change) == ["block.receipts", "block.bloom"]

    def test_event_that_is_missing(self, prove: Any) -> None:
        assert "block.receipts" in prove(lambda header, transactions, receipts: receipts[0]["logs"].pop())

    def test_event_that_the_contract_does_not_have(self, prove: Any) -> None:
        def change(header: Json, transactions: Any, receipts: list[Json]) -> None:
            receipts[0]["logs"][0]["topics"][0] = "0x" + "ab" * 32

        assert prove(change) == ["block.receipts", "block.bloom", "event.unknown"]

    @pytest.mark.parametrize("topics", [[], ["0x" + "00" * 32], 1, 4])
    def test_event_with_other_topics(self, prove: Any, topics: Any) -> None:
        def change(header: Json, transactions: Any, receipts: list[Json]) -> None:
            log = receipts[0]["logs"][0]
            log["topics"] = topics if isinstance(topics, list) else (log["topics"] * 3)[:topics]

        assert prove(change)[-1] == "event.unknown"

    def test_status(self, prove: Any) -> None:
        assert prove(lambda header, transactions, receipts: receipts[0].update(status="0x0")) == ["block.receipts"]

    def test_receipt_that_is_missing(self, prove: Any, world: World) -> None:
        rules = prove(lambda header, transactions, receipts: receipts.pop(), world.mixed_block)
        assert rules == ["block.receipts", "block.receipts"]

    def test_receipts_in_another_order(self, prove: Any, world: World) -> None:
        rules = prove(lambda header, transactions, receipts: receipts.reverse(), world.mixed_block)
        assert rules[:2] == ["block.receipts", "block.receipts"]

    def test_batch_that_is_dropped(self, prove: Any) -> None:
        def change(header: Json, transactions: list[Json], receipts: list[Json]) -> None:
            transactions.clear()
            receipts.clear()

        assert prove(change) == ["block.transactions", "block.receipts", "block.bloom"]

    def test_input(self, prove: Any) -> None:
        def change(header: Json, transactions: list[Json], *_: Any) -> None:
            transactions[0]["input"] = transactions[0]["input"][:-2] + "01"

        assert prove(change) == ["transaction.hash", "block.transactions", "transaction.sender"]

    def test_hash_of_a_transaction(self, prove: Any) -> None:
        rules = prove(lambda header, transactions, receipts: transactions[0].update(hash="0x" + "ab" * 32))
        assert rules == ["transaction.hash", "block.receipts"]

    def test_sender(self, prove: Any) -> None:
        def change(header: Json, transactions: list[Json], *_: Any) -> None:
            transactions[0]["from"] = "0x" + "ab" * 20

        assert prove(change) == ["transaction.sender"]

    def test_transactions_of_an_unknown_type_are_not_believed(self, chain: Anvil, world: World) -> None:
        def lie(method: str, params: list[Any], result: Any) -> Any:
            changed = copy.deepcopy(result)
            for item in (
                changed
                if method == "eth_getBlockReceipts"
                else changed.get("transactions", [])
                if params[1:] == [True]
                else []
            ):
                item["type"] = "0x7e"
            return changed

        with forwarding(chain.url, lie) as url, closing(Node(url)) as node:
            reader = ChainReader([node], world.twins.chain.address, workers=0, chain_id=31_337)
            with pytest.raises(CannotCheck, match=f"Block {world.mixed_block}, .*transactions of type 126"):
                list(reader.blocks(world.mixed_block, world.borrowed_block))


class TestOddData:
    @pytest.fixture
    def call(self, blocks: list[Block], world: World) -> Callable[[bytes], tuple[str, Any]]:
        """What a transaction of the mixed block calls, if its data is replaced."""
        chain = world.twins.chain

        def call(data: bytes) -> tuple[str, Any]:
            number = hex(world.mixed_block)
            body = chain.rpc("eth_getBlockByNumber", number, True)
            body["transactions"][0]["input"] = hex_of(data)
            prover = BlockProver(chain.address, chain.domain.separator)
            receipts = chain.rpc("eth_getBlockReceipts", number)
            block, _ = prover.block(header_of(body), world.mixed_block, body["transactions"], receipts)
            return block.calls[0].method, block.calls[0].arguments

        return call

    def test_of_no_function_is_unknown(self, call: Any) -> None:
        for data in (b"", b"\x01", b"\x12\x34\x56\x78" + bytes(32)):
            assert call(data) == (UNKNOWN, (data,))

    def test_that_is_cut_off_is_unknown(self, call: Any, world: World) -> None:
        evidence = world.evidence[0]
        whole = execute_calldata(world.orders, lambda instruction: evidence)
        assert call(whole)[0] == "execute"
        for size in (5, 36, 68, 100, 700, len(whole) - 33):
            assert call(whole[:size]) == (UNKNOWN, (whole[:size],))

    def test_that_does_not_fit_its_type_is_unknown(self, call: Any, world: World) -> None:
        data = world.twins.chain.encode_call("setProgramPaused", 1, True)
        assert call(data) == ("setProgramPaused", (1, True))
        assert call(data[:-1] + b"\x02")[0] == UNKNOWN
        assert call(data[:4] + b"\x01" + data[5:])[0] == UNKNOWN


class TestSentences:
    def test_of_a_block_that_is_hidden(self, chain: Anvil, world: World) -> None:
        with pytest.raises(CannotCheck, match=f"does not have block {world.last + 1}, or no longer all of it"):
            read(chain.url, world, world.last - 2, world.last + 1)

    @pytest.mark.parametrize(
        ("method", "hidden"),
        [("eth_getBlockReceipts", None), ("eth_getBlockByNumber", None)],
        ids=["receipts", "blocks"],
    )
    def test_of_what_is_pruned(self, chain: Anvil, world: World, method: str, hidden: Any) -> None:
        with (
            forwarding(chain.url, lambda asked, params, result: hidden if asked == method else result) as url,
            pytest.raises(CannotCheck, match="does not have block 1, or no longer all of it"),
        ):
            read(url, world, 1)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("logsBloom", None), ("number", "seven"), ("stateRoot", 5), ("transactions", ["0x12"]), ("hash", None)],
    )
    def test_of_a_block_that_is_none(self, chain: Anvil, world: World, name: str, value: Any) -> None:
        def lie(method: str, params: list[Any], result: Any) -> Any:
            return {**result, name: value} if method == "eth_getBlockByNumber" else result

        sentence = "says about block 1 is not written as a block is"
        with forwarding(chain.url, lie) as url, pytest.raises(CannotCheck, match=sentence):
            read(url, world, 1, 1)

    def test_of_a_block_that_is_replaced_meanwhile(self, chain: Anvil, world: World) -> None:
        other = hex(world.last)

        def lie(method: str, params: list[Any], result: Any) -> Any:
            nonlocal other
            if method == "eth_getBlockByNumber" and params == [other, False]:
                other = ""  # from now on it is the right one
                return {**result, "hash": "0x" + "12" * 32}
            return result

        with forwarding(chain.url, lie) as url, pytest.raises(CannotCheck, match=f"replaced block {world.last} while"):
            read(url, world)

    def test_of_a_last_block_that_is_replaced_later(self, chain: Anvil, world: World) -> None:
        rpc = world.twins.chain.rpc
        before = rpc("evm_snapshot")
        try:
            rpc("anvil_mine")
            with closing(Node(chain.url)) as node:
                reader = ChainReader([node], world.twins.chain.address, workers=0)
                (last,) = reader.blocks(world.last + 1, world.last + 1)
                reader.require_unchanged(last)
                rpc("anvil_rollback", 1)
                rpc("anvil_mine", "0x1", "0x99")
                rpc("eth_sendTransactionSync", {"from": world.twins.admin, "gasPrice": "0x0"})
                with pytest.raises(CannotCheck, match=f"replaced block {world.last + 1} while it was read"):
                    reader.require_unchanged(last)
        finally:
            rpc("evm_revert", before)

    def test_of_a_process_that_dies(self, chain: Anvil, world: World) -> None:
        with closing(Node(chain.url)) as node:
            reader = ChainReader([node], world.twins.chain.address, workers=1)
            blocks = reader.blocks(0, world.last)
            next(blocks)
            for process in multiprocessing.active_children():
                process.kill()
            with pytest.raises(CannotCheck, match="most likely because memory ran out"):
                list(blocks)


def test_a_block_that_does_not_follow_is_found(chain: Anvil, world: World) -> None:
    wrong = "0x" + "12" * 32
    first, *others = read(chain.url, world, 5, 9, parent=wrong)
    (fault,) = first.faults
    assert (fault.rule, fault.place.block) == ("block.parent", 5)
    assert fault.expected.startswith(wrong)
    assert fault.found == first.parent
    assert not any(block.faults for block in others)


def test_blocks_with_a_wrong_header_are_asked_for_all(chain: Anvil, world: World) -> None:
    """A filter of a header that does not hold says nothing: a node could hide a batch with it."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0] == hex(world.batch_block):
            return {**result, "logsBloom": "0x" + "00" * 256}
        return result

    with forwarding(chain.url, lie) as url:
        (block,) = read(url, world, world.batch_block, world.batch_block)
    assert [fault.rule for fault in block.faults] == ["block.hash", "block.bloom"]
    assert block.calls[0].method == "execute"


def test_interrupt_ends_all_processes_at_once(world: World) -> None:
    """The node never answers about blocks, so that all workers wait for it."""
    asked = []
    program = textwrap.dedent(
        """
        import sys
        from tongdui.audit.chain.node import Node
        from tongdui.audit.chain.reading import ChainReader
        if __name__ == "__main__":
            try:
                for _ in ChainReader([Node(sys.argv[1])], "0x" + "12" * 20, workers=2, chain_id=1).blocks(0, 10_000):
                    pass
            except KeyboardInterrupt:
                print("ended in order")
        """
    )
    first, never = threading.Event(), threading.Event()

    def respond(request: Any) -> Answer:
        asked.append(request)
        if len(asked) == 2:
            first.set()
        never.wait()
        return b""

    with odd_node(respond) as url:
        process = subprocess.Popen(
            [sys.executable, "-c", program, url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert first.wait(60)
        os.killpg(process.pid, signal.SIGINT)
        try:
            out, errors = process.communicate(timeout=20)
        finally:
            never.set()
    assert (process.returncode, out, errors) == (0, "ended in order\n", "")
    assert _is_over(process.pid)


def _is_over(group: int) -> bool:
    """Whether nobody is left of a process group, soon: Python's own helper process ends after the others."""
    for _ in range(400):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
