"""The contract's code beside the published builds, and what is read from its beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from scripts.dev.services import Anvil
from tests.audit.planted.lying_node import Refusal, lying_node
from tests.contracts.chain import ChainHouse
from tests.contracts.twins import BEGIN, UTC_OFFSET
from tongdui.audit.chain.builds import published
from tongdui.audit.chain.code import RULES, CodeChecked, check_code, network_of
from tongdui.audit.chain.node import Node
from tongdui.audit.findings import CannotCheck
from tongdui.encoding import bytes_of, hex_of, text_word, word
from tongdui.orders import Domain

NAME = text_word("Tongdui")
BUILD = published()[-1]
OTHER_CODE = bytes.fromhex("600160005260206000f3")


@pytest.fixture(scope="module")
def founded(chain: Anvil) -> Iterator[ChainHouse]:
    house = ChainHouse(chain.url, 0, NAME, UTC_OFFSET, BEGIN)
    for _ in range(3):
        house.rpc("evm_mine")
    yield house
    house.close()


@pytest.fixture
def house(founded: ChainHouse) -> Iterator[ChainHouse]:
    """A contract, which afterwards is as before."""
    snapshot = founded.rpc("evm_snapshot")
    yield founded
    assert founded.rpc("evm_revert", snapshot)


def check(house: ChainHouse, lie: Any = None, chain_id: int | None = None) -> CodeChecked:
    height = house.height()
    root = bytes_of(house.rpc("eth_getBlockByNumber", hex(height), False)["stateRoot"])
    domain = Domain(chain_id or house.domain.chain_id, house.domain.contract)
    with lying_node(house.node.url, **({"lie": lie} if lie else {})) as lying, closing(Node(lying.url)) as node:
        return check_code(node, house.address, height, root, domain)


def replace(house: ChainHouse, address: str, change: Callable[[bytes], bytes]) -> None:
    """Changes the code at an address."""
    code = bytes_of(house.rpc("eth_getCode", address, "latest"))
    house.rpc("anvil_setCode", address, hex_of(change(code)))
    house.rpc("evm_mine")


def with_word(places: tuple[int, ...], value: bytes) -> Callable[[bytes], bytes]:
    def change(code: bytes) -> bytes:
        for at in places:
            code = code[:at] + value + code[at + 32 :]
        return code

    return change


def test_published_build_for_this_chain_and_address(house: ChainHouse) -> None:
    assert check(house) == CodeChecked((), (), BUILD.name)


def immutable(name: str, value: int | bytes, which: slice = slice(None)) -> Callable[[bytes], bytes]:
    raw = value if isinstance(value, bytes) else value.to_bytes(32, "big", signed=True)
    return with_word(BUILD.house.immutables[name][which], raw)


@pytest.mark.parametrize(
    ("change", "expected", "found"),
    [
        (lambda _: OTHER_CODE, f"build {BUILD.name}", "10 bytes with the hash"),
        (
            lambda code: code[:500] + bytes([code[500] ^ 1]) + code[501:],
            f"build {BUILD.name}",
            f"{BUILD.house.size} bytes with",
        ),
        (lambda code: code + b"\0", f"build {BUILD.name}", f"{BUILD.house.size + 1} bytes with"),
        (immutable("CHAIN_ID", 1), "made for chain 31337", "made for chain 1"),
        (immutable("DOMAIN_SEPARATOR", b"\1" * 32), "of this chain and address", "0x0101"),
        (immutable("UTC_OFFSET", -15 * 3_600), "a place on Earth", "-54000 seconds"),
        (immutable("lens", 7, slice(1)), f"build {BUILD.name}", f"{BUILD.house.size} bytes with"),  # two lenses
    ],
)
def test_other_code_is_named(house: ChainHouse, change: Any, expected: str, found: str) -> None:
    replace(house, house.address, change)
    (finding,) = check(house).findings
    assert (finding.rule, finding.subject) == ("code.contract", f"the code of the contract {house.address}")
    assert expected in finding.expected
    assert found in finding.found
    assert finding.rule in RULES


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda _: OTHER_CODE, "10 bytes with the hash"),
        (lambda _: b"", "no code"),
        (with_word(BUILD.lens.immutables["HOUSE"], word(7)), f"made for 0x{7:040x}"),
    ],
)
def test_other_lens_is_named(house: ChainHouse, change: Any, found: str) -> None:
    lens = house.view("lens")
    replace(house, lens, change)
    (finding,) = check(house).findings
    assert (finding.rule, finding.subject) == ("code.lens", f"the code of the contract's lens {lens}")
    assert found in finding.found
    assert finding.rule in RULES


def test_contract_made_for_another_chain(house: ChainHouse) -> None:
    (finding,) = check(house, chain_id=5).findings
    assert (finding.expected, finding.found) == ("made for chain 5", "made for chain 31337")


def test_node_that_lies_about_the_code(house: ChainHouse) -> None:
    true_code = house.rpc("eth_getCode", house.address, "latest")
    replace(house, house.address, lambda _: OTHER_CODE)
    checked = check(house, lambda method, _, result: true_code if method == "eth_getCode" else result)
    (finding,) = checked.findings
    assert finding.rule == "code.contract"
    assert "which the state proves" in finding.expected


def test_another_succession_is_named(house: ChainHouse) -> None:
    succession = house.view("succession")
    replace(house, succession, lambda code: code + b"\0")
    (finding,) = check(house).findings
    assert (finding.rule, finding.subject) == ("code.succession", f"the code of the contract's succession {succession}")
    assert f"{BUILD.succession.size + 1} bytes with" in finding.found


def test_proof_that_proves_nothing(house: ChainHouse) -> None:
    checked = check(house, lambda method, _, result: {} if method == "eth_getProof" else result)
    assert [finding.rule for finding in checked.findings] == ["code.contract"]
    assert "no proof" in checked.findings[0].found


def refusing(method: str, when: Callable[[Any], bool], message: str) -> Any:
    def lie(asked: str, params: Any, result: Any) -> Any:
        if asked == method and when(params):
            raise Refusal(-32_000, message)
        return result

    return lie


def test_node_without_proofs_is_believed_and_the_report_says_so(house: ChainHouse) -> None:
    checked = check(house, refusing("eth_getProof", lambda _: True, "the method eth_getProof does not exist"))
    assert checked.findings == ()
    assert [left_out.what for left_out in checked.not_checked] == [
        f"the proof of the code of the contract {house.address}",
        f"the proof of the code of the contract's lens {house.view('lens')}",
        f"the proof of the code of the contract's succession {house.view('succession')}",
    ]


def test_node_without_the_code_cannot_be_used(house: ChainHouse) -> None:
    with pytest.raises(CannotCheck, match="is no code"):
        check(house, lambda method, _, result: None if method == "eth_getCode" else result)


# ---------------------------------------------------------------- the beginning


def begin(house: ChainHouse, lie: Any = None, contract: str | None = None) -> Any:
    with lying_node(house.node.url, **({"lie": lie} if lie else {})) as lying, closing(Node(lying.url)) as node:
        return network_of(node, contract or house.address, house.height())


def test_what_the_network_was_founded_with(house: ChainHouse) -> None:
    network = begin(house)
    assert network.domain == house.domain
    assert (network.created, network.owner, network.operator_name) == (1, house.accounts[0], NAME)
    assert network.utc_offset == UTC_OFFSET
    assert f"build {BUILD.name}" in network.how


def test_node_without_history_and_with_a_limit_of_blocks(house: ChainHouse) -> None:
    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "eth_getCode" and params[1] != hex(house.height()):
            raise Refusal(-32_000, "missing trie node")
        if method == "eth_getLogs" and int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > 1:
            raise Refusal(-32_602, "query spans more blocks than 2")
        return result

    network = begin(house, lie)
    assert (network.created, network.utc_offset) == (1, UTC_OFFSET)
    assert "first event" in network.how


def test_code_that_is_no_build_leaves_what_the_constructor_was_told(house: ChainHouse) -> None:
    def lie(method: str, _: Any, result: Any) -> Any:
        return hex_of(OTHER_CODE) if method == "eth_getCode" and result != "0x" else result

    network = begin(house, lie)
    assert network.utc_offset == UTC_OFFSET
    assert "constructor" in network.how

    def and_no_transaction(method: str, params: Any, result: Any) -> Any:
        return None if method == "eth_getTransactionByHash" else lie(method, params, result)

    with pytest.raises(CannotCheck, match="does not tell the network's time zone"):
        begin(house, and_no_transaction)


def test_node_that_has_the_code_too_early(house: ChainHouse) -> None:
    network = begin(house, lambda method, _, result: "0x00" if method == "eth_getCode" else result)
    assert (network.created, network.utc_offset) == (1, UTC_OFFSET)


def test_another_contract_is_no_clearing_house(house: ChainHouse) -> None:
    with pytest.raises(CannotCheck, match="is no clearing house"):
        begin(house, contract=house.view("lens"))


def test_node_that_knows_no_beginning(house: ChainHouse) -> None:
    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "eth_getCode" and params[1] != hex(house.height()):
            raise Refusal(-32_000, "missing trie node")
        return [] if method == "eth_getLogs" else result

    with pytest.raises(CannotCheck, match="does not know its beginning"):
        begin(house, lie)
    with pytest.raises(CannotCheck, match="answers no list"):
        begin(house, lambda method, _, result: None if method == "eth_getLogs" else result)
