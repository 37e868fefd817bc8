"""Everything settles through nodes that take small batches, or none, and that lack a method which is not needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from clearing.chain import client as client_module
from clearing.chain.client import ChainClient
from clearing.chain.deployment import deployment_block
from clearing.chain.errors import ChainError, ChainUnreachable
from clearing.chain.state import ContractState
from clearing.ordering.orders.models import OrderState
from clearing.oversight.reconciliation.service import ReconciliationService
from scripts.dev.services import Anvil
from tests.support.harness import Harness
from tests.support.limited_node import LimitedNode, Refusal

RECEIPTS = "eth_getBlockReceipts"
_BLOCK = "eth_getBlockByNumber"
LAST = 60


@pytest.mark.parametrize(("refusal", "largest"), zip(Refusal, (0, 3, 3, 3, 5), strict=True))
def test_a_node_that_refuses_large_batches_gets_smaller_ones(
    own_chain: Anvil, migrated: Callable[[str, Path], str], tmp_path: Path, refusal: Refusal, largest: int
) -> None:
    with LimitedNode(own_chain.url, largest=largest, refusal=refusal) as node:
        _settles(node, migrated("sqlite", tmp_path), tmp_path)
        assert 0 < node.refused < 20, "it learns what the node takes"


@pytest.mark.parametrize("largest", [0, 5])
def test_receipts_are_read_one_by_one_where_a_node_has_no_others(
    own_chain: Anvil, migrated: Callable[[str, Path], str], tmp_path: Path, largest: int
) -> None:
    refusal = Refusal.FIRST_ALONE
    with LimitedNode(own_chain.url, largest=largest, refusal=refusal, without=(RECEIPTS,)) as node:
        _settles(node, migrated("sqlite", tmp_path), tmp_path)
        assert node.asked.count(RECEIPTS) < 10, "it is asked no more"


@pytest.mark.parametrize("searches", [1, 7, 100_000])
def test_the_contracts_first_block_is_found_on_a_node_without_history(harness: Harness, searches: int) -> None:
    contract = harness.settings.contract
    first = deployment_block(harness.client, contract)
    assert first > 0
    with LimitedNode(harness.settings.rpc_url, searches=searches, remembers=1) as node:
        client = ChainClient(node.url)
        assert deployment_block(client, contract) == first
        with pytest.raises(ChainError):
            client.has_code(contract, first)
        client.close()


def test_a_node_that_searches_few_blocks_is_asked_for_few(harness: Harness) -> None:
    state = ContractState(harness.client, harness.settings.contract)
    with LimitedNode(harness.settings.rpc_url, searches=5) as node:
        client = ChainClient(node.url)
        limited = ContractState(client, harness.settings.contract)
        assert limited.holders("sequencer") == state.holders("sequencer") != []
        assert ReconciliationService(harness.database, client, harness.settings).run().drifts == []
        client.close()


def test_a_node_that_finds_no_logs_at_all_says_so(harness: Harness) -> None:
    with LimitedNode(harness.settings.rpc_url, without=("eth_getLogs",)) as node:
        client = ChainClient(node.url)
        with pytest.raises(ChainError, match="eth_getLogs"):
            ContractState(client, harness.settings.contract).holders("sequencer")
        client.close()


class TwoHeaded(LimitedNode):
    """Answers for receipts from another node than for blocks, as a fail-over between two questions could."""

    other = ""

    def _one(self, request: dict[str, Any]) -> Any:
        if request["method"] == RECEIPTS:
            return httpx.post(self.other, json=request, timeout=60).json()
        return super()._one(request)


def test_a_block_and_the_receipts_of_another_one_are_never_put_together(chain: Anvil, own_chain: Anvil) -> None:
    for value, node in enumerate((chain, own_chain), 1):
        account, _, other = node.rpc("eth_accounts")[:3]
        sending = {"from": account, "to": other, "value": hex(value), "gasPrice": "0x0"}
        while int(node.rpc("eth_blockNumber"), 16) < LAST:
            node.rpc("eth_sendTransaction", sending)
            node.rpc("evm_mine")  # so that it is in a block now
    both = (all(node.rpc(_BLOCK, hex(n), False)["transactions"] for node in (chain, own_chain)) for n in range(LAST))
    sent = next(number for number, has_some in enumerate(both) if has_some)
    with TwoHeaded(chain.url) as node:
        client = ChainClient(node.url)
        node.other = chain.url
        assert [block.number for block in client.blocks(sent, sent, "0x" + "00" * 20)] == [sent]
        node.other = own_chain.url
        assert client.blocks(sent, sent, "0x" + "00" * 20) == []
        client.close()


def _settles(node: LimitedNode, database_url: str, directory: Path) -> None:
    harness = Harness(database_url, node.url, directory)
    harness.onboard()
    members = [harness.member() for _ in range(3)]
    orders = [harness.issue(member, 100) for member in members]
    harness.settle()
    orders += [harness.exchange(member, 40) for member in members]
    harness.settle()
    assert {harness.order(order).state for order in orders} == {OrderState.SETTLED}
    assert ReconciliationService(harness.database, harness.client, harness.settings).run().drifts == []
    harness.check()
    harness.close()


@pytest.mark.parametrize("refusal", Refusal)
def test_every_request_is_answered_in_its_place(chain: Anvil, refusal: Refusal) -> None:
    with LimitedNode(chain.url, largest=2, refusal=refusal, without=("web3_sha3",)) as node:
        client = ChainClient(node.url)
        calls = [("eth_chainId", ()), ("web3_sha3", ("0x",)), *(("eth_getBlockByNumber", ("0x0", False)),) * 5]
        chain_id, error, *blocks = client.batch(calls)
        assert int(chain_id, 16) == chain.chain_id
        assert isinstance(error, ChainError)
        assert {block["number"] for block in blocks} == {"0x0"}
        assert len(blocks) == 5
        assert client.batch([]) == []
        client.close()


def test_a_node_that_takes_more_again_gets_more(chain: Anvil, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_TRY_MORE_AFTER", 3)
    calls = [("eth_chainId", ())] * 12
    with LimitedNode(chain.url, largest=2, refusal=Refusal.STATUS) as node:
        client = ChainClient(node.url)
        client.batch(calls)
        learned = node.refused
        client.batch(calls)
        assert node.refused > learned, "it is tried now and then"
        node.largest = 100
        for _ in range(9):
            client.batch(calls)
        learned = node.refused
        node.batches = 0
        client.batch(calls)
        client.close()
        assert (node.refused, node.batches) == (learned, 1)


def test_refused_transactions_do_not_make_batches_smaller(chain: Anvil) -> None:
    with LimitedNode(chain.url, largest=100, refusal=Refusal.STATUS) as node:
        error = {"code": -32003, "message": "nonce too low"}
        node._one = lambda request: {"id": request["id"], "error": error}  # type: ignore[method-assign]
        client = ChainClient(node.url)
        assert [str(one) for one in client.send_raw([b"1", b"2", b"3"])] == [
            "eth_sendRawTransaction: nonce too low (-32003)"
        ] * 3
        assert client._most_at_once is None
        client.close()


def test_a_node_that_answers_no_json_rpc_is_not_reachable(chain: Anvil) -> None:
    with LimitedNode(chain.url, largest=0, refusal=Refusal.STATUS) as node:
        node._one = lambda request: {"hello": math.pi}  # type: ignore[method-assign]
        client = ChainClient(node.url)
        for ask in (lambda: client.call("eth_chainId"), lambda: client.batch([("eth_chainId", ())] * 2)):
            with pytest.raises(ChainUnreachable, match="no JSON-RPC"):
                ask()
        client.close()
