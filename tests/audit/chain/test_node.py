"""What becomes of a node's odd answers: results where there is a way, otherwise a sentence that says what to do."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

from tests.audit.chain.odd_node import Answer, odd_node, results
from tongdui.audit.chain import node as asking
from tongdui.audit.chain.node import Node, NodeRefused, find_behind, find_differing, require_same_chain
from tongdui.audit.findings import CannotCheck

CHAIN = 31_337


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between tries, a test need not wait as long as an auditor does."""
    monkeypatch.setattr(asking, "_WAITS", (0.01, 0.01))


def history(
    height: int, fork: int | None = None, step: int = 10, chain_id: int = CHAIN
) -> Callable[[str, list[Any]], Any]:
    """What a node says that has blocks 0 to `height`, which since block `fork` are others."""

    def result(method: str, params: list[Any]) -> Any:
        if method == "eth_chainId":
            return hex(chain_id)
        if method == "eth_blockNumber":
            return hex(height)
        if method == "eth_getCode":
            return "0x6001" if int(params[1], 16) >= 7 else "0x"
        number = int(params[0], 16)
        if number > height:
            return None
        name = f"0x{number:063x}{'a' if fork is None or number < fork else 'b'}"
        return {"number": hex(number), "hash": name, "timestamp": hex(1_000 + step * number)}

    return result


@contextmanager
def nodes_that(*respond: Callable[[Any], Answer], timeout: float = 30) -> Iterator[list[Node]]:
    """Nodes that answer in these ways."""
    with ExitStack() as stack:
        urls = [stack.enter_context(odd_node(one)) for one in respond]
        yield [stack.enter_context(closing(Node(url, timeout))) for url in urls]


@contextmanager
def node_that(respond: Callable[[Any], Answer], timeout: float = 30) -> Iterator[Node]:
    """A node that answers in this way."""
    with nodes_that(respond, timeout=timeout) as (node,):
        yield node


def with_blocks(height: int, *args: Any, **settings: Any) -> Callable[[Any], Answer]:
    """Answers as `history` says."""
    return lambda asked: results(asked, history(height, *args, **settings))


class TestAsking:
    def test_results_come_in_the_order_of_the_requests(self) -> None:
        def shuffled(asked: Any) -> bytes:
            answers = json.loads(results(asked, lambda method, params: params[0]))
            return json.dumps(answers[::-1] if isinstance(answers, list) else answers).encode()

        with node_that(shuffled) as node:
            assert node.ask_all("eth_x", [[n] for n in range(50)]) == list(range(50))

    def test_arrays_grow_while_answers_are_short(self) -> None:
        sizes: list[int] = []

        def counted(asked: Any) -> bytes:
            sizes.append(len(asked) if isinstance(asked, list) else 1)
            return results(asked, lambda method, params: params[0])

        with node_that(counted) as node:
            assert node.ask_all("eth_x", [[n] for n in range(1_000)]) == list(range(1_000))
        assert sizes == [8, 16, 32, 64, 128, 256, 256, 240]

    def test_arrays_shrink_where_answers_are_long(self) -> None:
        sizes: list[int] = []

        def counted(asked: Any) -> bytes:
            sizes.append(len(asked) if isinstance(asked, list) else 1)
            return results(asked, lambda method, params: "x" * 1_000_000)

        with node_that(counted) as node:
            assert len(node.ask_all("eth_x", [[n] for n in range(24)])) == 24
        assert sizes[:2] == [8, 4]
        assert max(sizes[2:]) == 4

    @pytest.mark.parametrize(
        "refusal",
        [
            pytest.param(
                b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}}', id="error"
            ),
            pytest.param((413, b"too much"), id="http 413"),
            pytest.param((429, b"slowly"), id="http 429"),
            pytest.param(b"", id="connection breaks"),
            pytest.param(b'[{"jsonrpc":"2.0","id":0,"result":0}]', id="answers are missing"),
        ],
    )
    def test_a_limit_on_arrays_is_found_and_kept(self, refusal: Answer) -> None:
        sizes: list[int] = []

        def limited(asked: Any) -> Answer:
            sizes.append(len(asked) if isinstance(asked, list) else 1)
            return refusal if sizes[-1] > 3 else results(asked, lambda method, params: params[0])

        with node_that(limited) as node:
            assert node.ask_all("eth_x", [[n] for n in range(30)]) == list(range(30))
        assert [size for size in sizes if size > 3] == [8, 4]  # and not once more

    def test_one_request_that_is_too_large_is_sent_alone(self) -> None:
        def fussy(asked: Any) -> bytes:
            def result(method: str, params: list[Any]) -> int:
                if type(asked) is list:
                    raise ValueError(-32_003, "response too large")
                return int(params[0])

            return results(asked, result)

        with node_that(fussy) as node:
            assert node.ask_all("eth_x", [[n] for n in range(5)]) == list(range(5))

    def test_a_node_that_recovers_is_asked_again(self) -> None:
        answers: Iterator[Answer] = iter(
            [(503, b"starting"), (502, b"starting"), b'{"id":0,"jsonrpc":"2.0","result":"0x7"}']
        )
        with node_that(lambda asked: next(answers)) as node:
            assert node.newest() == 7

    def test_after_a_time_out_requests_are_sent_alone(self) -> None:
        def slow(asked: Any) -> bytes:
            if isinstance(asked, list):
                time.sleep(0.6)
            return results(asked, lambda method, params: params[0])

        with node_that(slow, timeout=0.3) as node:
            assert node.ask_all("eth_x", [[n] for n in range(2)]) == [0, 1]


class TestSentences:
    @pytest.mark.parametrize(
        ("answer", "sentence"),
        [
            ((403, b"forbidden"), "does not speak JSON-RPC as a chain node does: it answered HTTP 403"),
            (b"<html>hello</html>", "its answer is no JSON. Name the HTTP endpoint of a node with --rpc."),
            (b'"0x1"', "its answer is neither an object nor an array of objects"),
            (b'{"jsonrpc":"2.0","id":0}', "its answer has neither a result nor an error"),
            (b'{"jsonrpc":"2.0","id":0,"result":"many"}', "its answer to eth_blockNumber is 'many' and no number"),
            (b'{"jsonrpc":"2.0","id":9,"result":"0x1"}', "in 3 tries: its answers do not belong to the requests"),
            (
                (500, b'{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"odd"}}'),
                "refused eth_blockNumber: odd (code 1).",
            ),
            ((503, b"busy"), "did not answer eth_blockNumber in 3 tries: it answered HTTP 503"),
            (b"", "did not answer eth_blockNumber in 3 tries: the connection broke"),
            (
                b'{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"rate limit exceeded"}}',
                "refused eth_blockNumber: rate limit exceeded (code -32005).",
            ),
        ],
    )
    def test_say_what_is_wrong(self, answer: Answer, sentence: str) -> None:
        with node_that(lambda asked: answer) as node, pytest.raises(CannotCheck) as failure:
            node.newest()
        assert sentence in str(failure.value)
        assert node.name in str(failure.value)

    @pytest.mark.parametrize(
        ("code", "message", "sentence"),
        [
            (-32_601, "no", "does not offer eth_x: no (code -32601). Name one that does with --rpc."),
            (-32_000, "the method eth_x does not exist/is not available", "does not offer eth_x"),
            (-32_000, "missing trie node 12ab", "It keeps no history that far back. Name an archive node with --rpc"),
            (-32_000, "header not found", "It keeps no history that far back."),
            (-32_000, "World state unavailable", "It keeps no history that far back."),
            (-32_000, "distance to target block exceeds maximum proof window", "It keeps no history that far back."),
        ],
    )
    def test_of_refusals(self, code: int, message: str, sentence: str) -> None:
        def refuse(method: str, params: list[Any]) -> Any:
            raise ValueError(code, message)

        with node_that(lambda asked: results(asked, refuse)) as node, pytest.raises(NodeRefused) as failure:
            node.ask("eth_x")
        assert sentence in str(failure.value)
        sent = pickle.loads(pickle.dumps(failure.value))
        assert (str(sent), sent.code, sent.message) == (str(failure.value), code, message)

    def test_of_a_refused_connection(self) -> None:
        with odd_node(lambda asked: b"") as url:
            pass
        with (
            pytest.raises(CannotCheck, match=f"No node answers at {url} .*Check the address with --rpc"),
            closing(Node(url)) as node,
        ):
            node.newest()

    def test_of_a_time_out_that_stays(self) -> None:
        def never(asked: Any) -> bytes:
            time.sleep(0.5)
            return b""

        with (
            node_that(never, timeout=0.1) as node,
            pytest.raises(CannotCheck, match=r"in 3 tries: it took more than 0\.1 seconds"),
        ):
            node.newest()

    @pytest.mark.parametrize("address", ["ws://node:8546", "node:8545", "", "http://"])
    def test_of_what_is_no_address(self, address: str) -> None:
        with pytest.raises(CannotCheck, match="is not the address of a node"):
            Node(address)

    def test_keep_secrets_of_the_address(self) -> None:
        with pytest.raises(CannotCheck) as failure, closing(Node("http://me:word@127.0.0.1:1/key")) as node:
            node.newest()
        assert "No node answers at http://127.0.0.1:1 " in str(failure.value)

    def test_of_a_block_that_the_node_does_not_have(self) -> None:
        with (
            node_that(with_blocks(3)) as node,
            pytest.raises(CannotCheck, match="have block 4, "),
        ):
            node.header(4)


class TestBlocks:
    def test_are_found_by_time(self) -> None:
        with node_that(with_blocks(20)) as node:
            assert [node.block_at(moment) for moment in (1_000, 1_009, 1_010, 1_199, 1_200, 9_999)] == [
                0,
                0,
                1,
                19,
                20,
                20,
            ]
            with pytest.raises(CannotCheck, match="begins after 1970-01-01 00:16:39 UTC"):
                node.block_at(999)

    def test_say_when_the_contract_was_created(self) -> None:
        with node_that(with_blocks(20)) as node:
            assert node.created_at("0x12", 20) == 7
            assert node.created_at("0x12", 7) == 7
            with pytest.raises(CannotCheck, match=f"There is no contract at 0x12 after block 6 of chain {CHAIN}"):
                node.created_at("0x12", 6)

    def test_do_not_say_it_without_history(self) -> None:
        def pruned(method: str, params: list[Any]) -> Any:
            if method == "eth_getCode" and int(params[1], 16) < 15:
                raise ValueError(-32_000, "missing trie node")
            return history(20)(method, params)

        with node_that(lambda asked: results(asked, pruned)) as node:
            assert node.created_at("0x12", 20) is None


class TestSeveralNodes:
    def test_must_be_on_one_chain(self) -> None:
        with nodes_that(with_blocks(5), with_blocks(5, chain_id=1)) as (one, other):
            assert require_same_chain([one]) == CHAIN
            with pytest.raises(
                CannotCheck, match=f"{other.name} is on chain 1, not on chain {CHAIN} .the node at {one.name}"
            ):
                require_same_chain([one, other])
            with pytest.raises(CannotCheck, match=f"{one.name} is on chain {CHAIN}, not on chain 5 .you asked for it"):
                require_same_chain([one], 5)

    def test_that_agree_have_nothing_to_find(self) -> None:
        with nodes_that(with_blocks(40), with_blocks(40)) as nodes:
            assert find_behind(nodes) == (40, [])
            assert find_differing(nodes, 40) == []

    @pytest.mark.parametrize("fork", [0, 1, 23, 40])
    def test_that_differ_are_named_with_the_first_block(self, fork: int) -> None:
        with nodes_that(with_blocks(40), with_blocks(40, fork)) as nodes:
            (finding,) = find_differing(nodes, 40)
        assert (finding.rule, finding.place.block) == ("nodes.differ", fork)
        assert finding.expected == f"hash 0x{fork:063x}a, as the first node says"
        assert finding.found == f"hash 0x{fork:063x}b, as the second says"

    def test_that_hide_the_newest_blocks_are_named(self) -> None:
        with nodes_that(with_blocks(40), with_blocks(37)) as nodes:
            last, (finding,) = find_behind(nodes, patience=0.1)
            assert find_behind(nodes, 37) == (37, [])
        assert last == 37
        assert (finding.rule, finding.subject) == ("nodes.behind", f"the node at {nodes[1].name}")
        assert finding.found.startswith("block 37 is its newest")

    def test_that_catch_up_are_waited_for(self) -> None:
        heights = iter([38, 39, 40])

        def growing(asked: Any) -> Answer:
            return with_blocks(next(heights))(asked)

        with nodes_that(with_blocks(40), growing) as nodes:
            assert find_behind(nodes, patience=60) == (40, [])
