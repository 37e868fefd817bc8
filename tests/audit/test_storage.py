"""The contract's storage beside the model: every slot, and no other one. Whatever is planted in it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from scripts.dev.services import Anvil
from tests.audit.planted.lying_node import Refusal, lying_node
from tests.audit.small_network import BANK_REFERENCE, MEMBER, found
from tests.contracts.network import MEMBERS, address, endow, found_network
from tests.contracts.twins import Twins
from tongdui.audit.chain import layout, storage
from tongdui.audit.chain.node import Node
from tongdui.audit.chain.storage import MOST_NAMED, RULES, Checked, check_storage
from tongdui.audit.findings import Finding, Place
from tongdui.encoding import address_word, bytes_of, hex_of, keccak256, text_word, word

NOBODY = "0x" + "ab" * 20
LEAF = keccak256(b"an entry that nobody posted")


@pytest.fixture(scope="module")
def network(chain: Anvil) -> Iterator[Twins]:
    twins = found(chain.url)
    yield twins
    twins.chain.close()


@pytest.fixture
def twins(network: Twins) -> Iterator[Twins]:
    """The network, which afterwards is as before."""
    snapshot = network.chain.rpc("evm_snapshot")
    yield network
    assert network.chain.rpc("evm_revert", snapshot)


def check(twins: Twins, url: str | None = None, block: int | None = None) -> Checked:
    number = twins.chain.height() if block is None else block
    header = twins.chain.rpc("eth_getBlockByNumber", hex(number), False)
    with closing(Node(url or twins.chain.node.url)) as node:
        return check_storage(node, twins.chain.address, number, bytes_of(header["stateRoot"]), twins.model)


def plant(twins: Twins, slot: int, change: Callable[[int], int]) -> None:
    """Changes a slot, behind the contract's back."""
    at = twins.chain.address, hex_of(word(slot))
    before = int(twins.chain.rpc("eth_getStorageAt", *at, "latest"), 16)
    twins.chain.rpc("anvil_setStorageAt", *at, hex_of(word(change(before))))
    twins.chain.rpc("evm_mine")


def plus(points: int, low: int = 0) -> Callable[[int], int]:
    return lambda before: before + (points << low) & 2**256 - 1


def to(value: int) -> Callable[[int], int]:
    return lambda _: value


def number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def role_slot(role: int, account: str) -> int:
    return layout.mapped(layout.mapped(layout.ROLES, word(role)), address_word(account))


# What is changed (a slot, or where the network says it), how, and what the audit says: rule, subject, expected, found.
Case = tuple[Any, Callable[[int], int], str, str, str, str]
PLANTED: dict[str, Case] = {
    "balance": (
        layout.balance_slot(MEMBERS[2], 3),
        plus(1_000_000, 128),
        "storage.balance",
        f"balance of {MEMBERS[2]} in program 3",
        "4,002 points",
        "1,004,002 points",
    ),
    "balance in a page that was empty": (
        layout.balance_slot(MEMBERS[2], 9),
        to(5),
        "storage.unknown",
        f"the slot whose number has the hash {hex_of(keccak256(word(layout.balance_slot(MEMBERS[2], 9))))}",
        "nothing",
        hex_of(word(5)),
    ),
    "balance of a key": (
        layout.balance_slot(address(1), 1),
        to(5),
        "storage.balance",
        f"balance of {address(1)} in program 1",
        "0 points",
        "5 points",
    ),
    "balance of nobody": (
        layout.balance_slot(NOBODY, 1),
        to(5),
        "storage.unknown",
        f"the slot whose number has the hash {hex_of(keccak256(word(layout.balance_slot(NOBODY, 1))))}",
        "nothing",
        hex_of(word(5)),
    ),
    "balance that is gone": (
        layout.balance_slot(MEMBERS[3], 5),
        to(4_003),
        "storage.balance",
        f"balance of {MEMBERS[3]} in program 6",
        "4,003 points",
        "0 points",
    ),
    "position": (
        layout.MERCHANTS + 3,
        plus(-40_000_000, 160),
        "storage.position",
        "position of merchant 3",
        "30,000,000 micros",
        "-10,000,000 micros",
    ),
    "credit limit": (
        layout.MERCHANTS + 4,
        plus(2**62, 96),
        "storage.credit_limit",
        "credit limit of merchant 4",
        "1,000,000 micros",
        f"{2**62 + 1_000_000:,} micros",
    ),
    "status": (layout.MERCHANTS + 4, plus(-1), "storage.status", "status of merchant 4", "suspended", "active"),
    "merchant that nobody registered": (
        layout.MERCHANTS + 6,
        to(1),
        "storage.status",
        "status of merchant 6",
        "none",
        "active",
    ),
    "bits that mean nothing": (
        layout.MERCHANTS + 2,
        plus(1, 50),
        "storage.status",
        "unused bits in the word of merchant 2",
        "nothing",
        hex_of(word(1 << 50)),
    ),
    "totals": (
        layout.program_slot(2),
        plus(7, 192),
        "storage.totals",
        "total of all points ever minted of program 2",
        "20,190 points",
        "20,197 points",
    ),
    "pause of a program": (
        layout.program_slot(6),
        plus(-1, 33),
        "storage.program",
        "pause of program 6",
        "yes",
        "no",
    ),
    "code of a program": (
        layout.program_slot(1) + 3,
        to(number(text_word("币"))),
        "storage.program",
        "code of program 1",
        "“P1”",
        "“币”",
    ),
    "key that lives longer": (
        layout.mapped(layout.SIGNERS, address_word(address(2))),
        plus(-1, 72),
        "storage.signer",
        f"end of key {address(2)}",
        str(2**40 - 1),
        str(2**40 - 2),
    ),
    "nonce that can be used again": (
        layout.mapped(layout.NONCES, word(1 << 40)),
        to(0),
        "storage.nonce",
        "whether nonce 77 of merchant 1 is used",
        "yes",
        "no",
    ),
    "nonce that was never used": (
        layout.mapped(layout.NONCES, word(2 << 40)),
        to(1 << 255),
        "storage.nonce",
        "whether nonce 255 of merchant 2 is used",
        "no",
        "yes",
    ),
    "terms": (
        layout.AGREEMENTS + 3 * 7 + 1,
        plus(1, 192),
        "storage.agreement",
        "daily cap of agreement 7",
        "3,000 points",
        "3,001 points",
    ),
    "use": (
        layout.AGREEMENTS + 3 * 7,
        plus(-1, 192),
        "storage.agreement",
        "use of that day of agreement 7",
        "20 points",
        "19 points",
    ),
    "use that a successor inherits": (
        layout.AGREEMENTS + 3 * 10,
        plus(1, 192),
        "storage.agreement",
        "use of that day of agreement 10",
        "90 points",
        "91 points",
    ),
    "owner": (layout.OWNER, to(number(b"x")), "storage.owner", "owner of the contract", "ADMIN", f"0x{ord('x'):040x}"),
    "next owner": (
        layout.PENDING_OWNER,
        to(0),
        "storage.owner",
        "account that may become owner of the contract",
        "STRANGER",
        f"0x{0:040x}",
    ),
    "funds": (
        layout.FUNDS,
        plus(1),
        "storage.funds",
        "settlement funds, deposits minus withdrawals",
        "30,000,000 micros",
        "30,000,001 micros",
    ),
    "head": (layout.HEAD, to(number(LEAF)), "storage.head", "head of the journal", "HEAD", hex_of(LEAF)),
    "root": (
        layout.mapped(layout.ROOTS, word(2)),
        to(number(LEAF)),
        "storage.root",
        "root of batch 2",
        "ROOT",
        hex_of(LEAF),
    ),
    "root of a batch that never was": (
        layout.mapped(layout.ROOTS, word(7)),
        to(number(LEAF)),
        "storage.root",
        "root of batch 7",
        hex_of(bytes(32)),
        hex_of(LEAF),
    ),
    "reversed": (
        layout.mapped(layout.REVERSED, LEAF),
        to(9),
        "storage.unknown",
        f"the slot whose number has the hash {hex_of(keccak256(keccak256(LEAF + word(layout.REVERSED))))}",
        "nothing",
        hex_of(word(9)),
    ),
    "bank reference that can be used again": (
        layout.mapped(layout.BANK_REFERENCES, BANK_REFERENCE),
        to(0),
        "storage.bank_reference",
        f"whether bank reference {hex_of(BANK_REFERENCE)} is used",
        "yes",
        "no",
    ),
    "pause": (layout.NEWEST_BATCH, plus(-1), "storage.paused", "pause of the network", "yes", "no"),
    "newest batch": (
        layout.NEWEST_BATCH,
        plus(1, 8),
        "storage.batch",
        "number of the newest batch of the network",
        "6",
        "7",
    ),
    "count": (layout.COUNTS, plus(1), "storage.count", "number of merchants of the network", "6", "7"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_whatever_is_planted_is_named(twins: Twins, name: str) -> None:
    slot, change, rule, subject, expected, found = PLANTED[name]
    plant(twins, slot, change)
    model = twins.model
    words = {
        "ADMIN": model.admin,
        "STRANGER": twins.stranger,
        "HEAD": hex_of(model.head),
        "ROOT": hex_of(model.roots[2]),
    }
    place = Place(block=twins.chain.height())
    assert check(twins) == Checked((Finding(rule, subject, words.get(expected, expected), found, place),))
    assert rule in RULES


def test_role_that_nobody_gave(twins: Twins) -> None:
    """The stranger held another role once."""
    plant(twins, role_slot(2, twins.operator), to(1))
    (finding,) = check(twins).findings
    assert (finding.rule, finding.subject) == ("storage.role", f"whether {twins.operator} holds the role treasury")
    assert (finding.expected, finding.found) == ("no", "yes")


def test_all_is_well_and_everything_else_is_named_at_once(twins: Twins) -> None:
    assert check(twins) == Checked()
    for slot, change, *_ in PLANTED.values():
        plant(twins, slot, change)
    found = {(finding.rule, finding.subject) for finding in check(twins).findings}
    assert found == {(rule, subject) for _, _, rule, subject, *_ in PLANTED.values()}


def test_more_than_can_be_named(twins: Twins) -> None:
    for merchant in range(5):
        plant(twins, layout.mapped(layout.NONCES, word(merchant << 40 | 999)), to(2**256 - 1))
    unknown = check(twins)
    assert [finding.rule for finding in unknown.findings] == ["storage.unknown"] * 5
    slots = [[twins.chain.address, hex_of(word(2**255 + n)), hex_of(word(1))] for n in range(MOST_NAMED)]
    twins.chain.rpc.many([("anvil_setStorageAt", params) for params in slots])
    twins.chain.rpc("evm_mine")
    checked = check(twins)
    assert len(checked.findings) == MOST_NAMED
    (left_out,) = checked.not_checked
    assert "More than 200 slots differ" in left_out.why


def test_root_follows_from_the_state_alone(own_chain: Anvil) -> None:
    """Only proofs are asked for. Anvil keeps leaves with zeros for slots that were emptied or only read, as no chain does."""
    twins = Twins(own_chain.url)
    found_network(twins)
    endow(twins, [500] * 6)
    twins.call(twins.admin, "transfer_ownership", twins.stranger)  # the constructor empties this slot
    with lying_node(own_chain.url) as node:
        assert check(twins, node.url) == Checked()
        assert set(node.asked) == {"eth_getProof"}
    twins.chain.close()


def test_more_places_than_can_be_looked_at(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_MOST_PARTS", 3)
    plant(twins, layout.FUNDS, plus(1))
    checked = check(twins)
    assert [finding.rule for finding in checked.findings] == ["storage.funds"]
    assert "in more than 3 places" in checked.not_checked[0].why


def test_unknown_slot_that_nobody_finds_a_way_to(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_MOST_TRIES", 0)
    slot = layout.balance_slot(NOBODY, 1)
    plant(twins, slot, to(5))
    findings = check(twins).findings
    assert {finding.rule for finding in findings} == {"storage.unknown"}
    subjects = [finding.subject.rpartition("0x") for finding in findings]
    assert {subject for subject, _, _ in subjects} == {"slots whose numbers have hashes that begin with "}
    assert any(keccak256(word(slot)).hex().startswith(path) for _, _, path in subjects)


# ---------------------------------------------------------------- nodes without proofs, and nodes that lie


def refuses(*methods: str, message: str = "the method does not exist") -> Any:
    def lie(method: str, _: Any, result: Any) -> Any:
        if method in methods:
            raise Refusal(-32_601, f"{method}: {message}")
        return result

    return lie


@pytest.mark.parametrize("refused", [("eth_getProof",), ("eth_getProof", "eth_call")])
def test_node_without_proofs_is_believed_and_the_report_says_so(twins: Twins, refused: tuple[str, ...]) -> None:
    plant(twins, layout.balance_slot(MEMBER, 2), plus(1, 64))
    plant(twins, layout.balance_slot(NOBODY, 2), plus(1))
    with lying_node(twins.chain.node.url, lie=refuses(*refused)) as node:
        checked = check(twins, node.url)
    assert [finding.subject for finding in checked.findings] == [f"balance of {MEMBER} in program 2"]
    (root,) = checked.not_checked
    assert root.what == "the root of the contract's storage"
    assert "the node believed" in root.why


def test_node_without_the_state_of_that_block(twins: Twins) -> None:
    lie = refuses("eth_getProof", "eth_call", "eth_getStorageAt", message="missing trie node")
    with lying_node(twins.chain.node.url, lie=lie) as node:
        checked = check(twins, node.url)
    assert checked.findings == ()
    assert [left_out.what for left_out in checked.not_checked] == ["the contract's storage"]


def test_contract_that_no_longer_answers_is_read_slot_by_slot(twins: Twins) -> None:
    plant(twins, layout.FUNDS, plus(1))
    twins.chain.rpc("anvil_setCode", twins.chain.address, "0x00")
    with lying_node(twins.chain.node.url, lie=refuses("eth_getProof")) as node:
        checked = check(twins, node.url)
    assert [finding.rule for finding in checked.findings] == ["storage.funds"]


def other_storage_root(proof: Any) -> Any:
    """A proof in which the account's own node has another storage root."""
    last = proof["accountProof"][-1]
    root = proof["storageHash"][2:]
    assert root in last
    return {**proof, "accountProof": [*proof["accountProof"][:-1], last.replace(root, "11" * 32)]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (other_storage_root, "lacks the node"),
        (lambda proof: {**proof, "accountProof": []}, "lacks the node"),
        (lambda proof: {**proof, "storageHash": "0x" + "11" * 32}, "the node says storage root 0x1111"),
        (lambda proof: {**proof, "codeHash": "0x" + "11" * 32}, "and proves storage root"),
        (lambda proof: {**proof, "accountProof": ["0xzz"]}, "is no proof"),
        (lambda proof: None, "is no proof"),
    ],
)
def test_proof_that_proves_nothing(twins: Twins, change: Callable[[Any], Any], says: str) -> None:
    def lie(method: str, _: Any, result: Any) -> Any:
        return change(result) if method == "eth_getProof" else result

    with lying_node(twins.chain.node.url, lie=lie) as node:
        (finding,) = check(twins, node.url).findings
    assert finding.rule == "storage.proof"
    assert says in finding.found


def test_node_that_hides_what_is_below_the_root(twins: Twins) -> None:
    plant(twins, layout.FUNDS, plus(1))

    def lie(method: str, _: Any, result: Any) -> Any:
        if method != "eth_getProof":
            return result
        return {**result, "storageProof": [{**slot, "proof": slot["proof"][:1]} for slot in result["storageProof"]]}

    with lying_node(twins.chain.node.url, lie=lie) as node:
        (finding,) = check(twins, node.url).findings
    assert (finding.rule, finding.subject) == ("storage.proof", f"the storage of the contract {twins.chain.address}")


def test_account_that_is_not_there(twins: Twins) -> None:
    def lie(method: str, params: Any, result: Any) -> Any:
        return twins.chain.rpc(method, NOBODY, *params[1:]) if method == "eth_getProof" else result

    with lying_node(twins.chain.node.url, lie=lie) as node:
        (finding,) = check(twins, node.url).findings
    assert finding.rule == "storage.proof"


def test_earlier_block_has_the_storage_of_then(twins: Twins) -> None:
    before = twins.chain.height()
    twins.chain.rpc("evm_mine")
    plant(twins, layout.FUNDS, plus(1))
    assert check(twins, block=before) == Checked()
    assert [finding.rule for finding in check(twins).findings] == ["storage.funds"]
