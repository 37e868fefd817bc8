"""Nodes fall ill one after another, and everything settles once: the chain's nodes are asked in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from clearing.chain import nodes
from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainUnreachable
from clearing.ordering.orders.models import OrderState
from clearing.runtime.preflight.node import check_chain
from clearing.runtime.preflight.refusal import CannotRun
from scripts.dev.services import Anvil, anvil
from tests.gateway.site import until
from tests.support.harness import Harness
from tests.support.relay_node import Mood, RelayNode


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "_LOOK_EVERY", 0.1)
    monkeypatch.setattr(nodes, "_LOOK_TIMEOUT", 60)


@pytest.fixture
def first(own_chain: Anvil) -> Iterator[RelayNode]:
    with RelayNode(own_chain.url) as node:
        yield node
        node.be(Mood.WELL)  # nobody waits for it any more


@pytest.fixture
def second(own_chain: Anvil) -> Iterator[RelayNode]:
    with RelayNode(own_chain.url) as node:
        yield node
        node.be(Mood.WELL)


@pytest.fixture
def network(
    first: RelayNode, second: RelayNode, migrated: Callable[[str, Path], str], tmp_path: Path
) -> Iterator[Harness]:
    harness = Harness(migrated("sqlite", tmp_path), f"{first.url}, {second.url}", tmp_path)
    harness.onboard()
    yield harness
    harness.close()


def _asked(node: RelayNode) -> int:
    """How often the node was asked what only a pipeline asks."""
    return sum(method in ("eth_getTransactionReceipt", "eth_getBlockReceipts", "eth_call") for method in node.asked)


def _trade(network: Harness) -> None:
    member = network.member()
    orders = [network.issue(member, 100) for _ in range(3)]
    network.settle()
    orders.append(network.exchange(member, 40))
    network.settle()
    assert {network.order(order).state for order in orders} == {OrderState.SETTLED}
    network.check()


@pytest.mark.parametrize("mood", [Mood.AWAY, Mood.FROZEN, Mood.BEHIND])
def test_the_next_node_is_used_until_the_first_one_is_well_again(
    network: Harness,
    first: RelayNode,
    second: RelayNode,
    own_chain: Anvil,
    mood: Mood,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not _asked(second), "the first one is preferred"
    if mood is Mood.FROZEN:
        monkeypatch.setattr(nodes, "_LOOK_TIMEOUT", 0.5)
    first.be(mood)
    if mood is Mood.BEHIND:
        own_chain.rpc("anvil_mine", hex(nodes.MAX_BEHIND + 1))
    until(lambda: network.client._nodes._current == 1)
    _trade(network)
    assert _asked(second)
    monkeypatch.setattr(nodes, "_LOOK_TIMEOUT", 60)
    first.be(Mood.WELL)
    until(lambda: network.client._nodes._current == 0)
    before = _asked(second)
    _trade(network)
    assert _asked(second) == before


def test_what_the_first_node_does_not_answer_the_next_one_does_at_once(
    network: Harness, first: RelayNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "_LOOK_EVERY", 600)
    with closing(ChainClient(network.settings.rpc_url, timeout=1.0)) as client:
        head = client.head()
        for mood in (Mood.AWAY, Mood.FROZEN):
            first.be(mood)
            assert client.head() == head


def test_a_node_that_comes_back_is_used_once_it_has_caught_up(
    network: Harness, first: RelayNode, second: RelayNode, own_chain: Anvil
) -> None:
    chosen = network.client._nodes
    first.be(Mood.AWAY)
    until(lambda: chosen._current == 1)
    first.be(Mood.BEHIND)
    own_chain.rpc("anvil_mine", hex(nodes.MAX_BEHIND - 1))
    for node in (first, second):
        looks = node.asked.count("eth_blockNumber")
        until(lambda node=node, looks=looks: node.asked.count("eth_blockNumber") > looks + 4)  # type: ignore[misc]
    assert chosen._current == 1
    first.be(Mood.WELL)
    until(lambda: chosen._current == 0)


def test_no_node_answers(network: Harness, first: RelayNode, second: RelayNode) -> None:
    first.be(Mood.AWAY)
    second.be(Mood.AWAY)
    with pytest.raises(ChainUnreachable, match="503"):
        network.client.head()
    second.be(Mood.WELL)
    assert network.client.head()


def test_transactions_are_shown_to_all_nodes(network: Harness, second: RelayNode) -> None:
    _trade(network)
    until(lambda: "eth_sendRawTransaction" in second.asked)


def test_a_node_of_another_chain_is_never_used(network: Harness, first: RelayNode) -> None:
    with anvil() as elsewhere, RelayNode(elsewhere.url) as stranger:
        with closing(ChainClient(f"{first.url},{stranger.url}")) as client:
            assert client.head() > 0
            first.be(Mood.AWAY)
            with pytest.raises(ChainUnreachable):
                client.head()
        assert set(stranger.asked) <= {"eth_chainId", "eth_getBlockByNumber", "eth_blockNumber"}
        assert "eth_blockNumber" not in stranger.asked


@pytest.mark.parametrize("mood", [Mood.AWAY, Mood.FORKED, Mood.BEHIND])
def test_a_block_counts_once_enough_nodes_have_it(network: Harness, second: RelayNode, mood: Mood) -> None:
    network.settings.block_quorum = 2
    _trade(network)
    second.be(mood)
    order = network.issue(network.member(), 100)
    for _ in range(5):
        network.sequencer.step()
        network.projector.step()
    assert network.order(order).state is OrderState.SUBMITTED
    second.be(Mood.WELL)
    network.settle()
    assert network.order(order).state is OrderState.SETTLED
    network.check()


def test_a_node_that_answers_oddly_is_left_alone(network: Harness, first: RelayNode, second: RelayNode) -> None:
    second.be(Mood.ODD)
    looks = second.asked.count("eth_blockNumber")
    until(lambda: second.asked.count("eth_blockNumber") > looks + 1)
    assert network.client._nodes._watch is not None
    assert network.client._nodes._watch.is_alive()
    assert network.client._nodes._heads[1] is None
    _trade(network)


def test_a_client_that_is_closed_looks_no_more(first: RelayNode, second: RelayNode) -> None:
    client = ChainClient(f"{first.url},{second.url}")
    client.head()
    watch = client._nodes._watch
    assert watch is not None
    assert watch.is_alive()
    client.close()
    watch.join(30)
    assert not watch.is_alive()


def test_a_process_looks_at_each_node_before_it_works(network: Harness, first: RelayNode, second: RelayNode) -> None:
    def refusal(mood: Mood) -> str:
        second.be(mood)
        with closing(ChainClient(network.settings.rpc_url, timeout=1.0)) as client, pytest.raises(CannotRun) as refused:
            check_chain(client, network.settings)
        return str(refused.value)

    where = second.url.removeprefix("http://")
    assert refusal(Mood.BARE).endswith(f"`clearing deploy` prints the address (asked: the node at {where})")
    assert refusal(Mood.STRANGE) == (
        f"TONGDUI_RPC_URL: the nodes at {first.url.removeprefix('http://')} and {where} are of different chains: "
        "their first blocks differ"
    )
    for mood in (Mood.AWAY, Mood.FROZEN, Mood.SYNCING):  # what may pass
        second.be(mood)
        with closing(ChainClient(network.settings.rpc_url, timeout=1.0)) as client:
            check_chain(client, network.settings)
