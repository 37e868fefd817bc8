"""What a permissioned chain does to a network: each trial breaks something, and then everything must add up."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.permissioned.geth import Geth
from tests.permissioned.network import Figure, Network
from tests.soak.checks import Findings

_WITHOUT_FUNDS = re.compile(r"The (\w+) account (0x[0-9a-fA-F]{40}) has nothing to pay for gas with")
_NEEDS = re.compile(r"the admin account (0x[0-9a-fA-F]{40}) has 0 wei and needs (\d+) wei")
_SPLITS = 10
"""So often a network is split, at the most, until the lone signer's block has a batch in it."""


def deploy(network: Network, findings: Findings) -> str:
    """Deploys where gas is free, and again."""
    network.site.command("migrate")
    first, again = network.deploy(), network.deploy()
    findings.check("deployed", first.stderr, first.returncode == 0 and bool(network.settings.contract))
    findings.check("deployed again: nothing new", again.stderr, again.stdout == first.stdout)
    network.start()
    return "the same contract both times"


def deploy_with_fees(network: Network, findings: Findings) -> str:
    """Deploys with accounts that have nothing, pays them what the refusals name, is killed meanwhile, and deploys again."""
    network.site.command("migrate")
    refused = network.deploy()
    named = _NEEDS.search(refused.stderr)
    findings.check(
        "unfunded: refused, with account and amount", refused.stderr, refused.returncode != 0 and bool(named)
    )
    assert named is not None, refused.stderr
    network.chain.send(named[1], int(named[2]))
    network.begin_to_deploy(named[1])
    first = network.deploy()
    findings.check("killed, it goes on; no more money is needed", first.stderr, first.returncode == 0)
    poor = dict(_WITHOUT_FUNDS.findall(first.stderr))
    findings.check("names the accounts without funds", first.stderr, set(poor) >= {"operator", "sequencer", "treasury"})
    for account in poor.values():
        network.chain.send(account, 10**18)
    again = network.deploy()
    findings.check(
        "deployed again: nothing new, nobody poor", again.stderr, again.stdout == first.stdout and not again.stderr
    )
    network.start()
    return f"the admin needs {int(named[2]) / 10**18:.3f} of the coin; {len(poor)} others were named"


def story(network: Network, findings: Findings) -> str:
    """Onboards, issues, exchanges, spends, reverses; the receipts are good on the node that the gateway does not use."""
    begun = time.monotonic()
    network.onboard(
        f"{network.other.url},{network.preferred.url}"
    )  # merchants look at another node than the gateway does
    onboarded = time.monotonic() - begun
    movements = [network.settle(kind) for kind in ("issue", "exchange", "spend", "redeem")]
    movements.append(network.give_back(movements[2]))
    network.verify({movement.entry.leaf for movement in movements if movement.entry}, network.other)
    findings.check("receipts hold on another node", len(movements), all(movement.entry for movement in movements))
    return f"onboarded in {onboarded:.0f} s; {len(movements)} movements, their receipts good on another node"


def signer_killed(network: Network, findings: Findings) -> str:
    """One of three signers dies under load."""
    victim = network.chain.signers[-1]
    with network.trading():
        usual = network.seconds_to_settle()
        victim.kill()
        seconds = network.seconds_to_settle()
        again = network.seconds_to_settle()
    network.chain.restart(victim)
    _note(network, "signer_killed", usual, seconds)
    return (
        f"a movement settled in {seconds:.1f} s from its death, the next in {again:.1f} s; before it took {usual:.1f} s"
    )


def node_killed(network: Network, findings: Findings) -> str:
    """The RPC node in use dies under load."""
    return _without_node(network, "node_killed", _killed)


def node_frozen(network: Network, findings: Findings) -> str:
    """The RPC node in use takes connections, but answers nothing any more."""
    return _without_node(network, "node_frozen", _frozen)


def _note(network: Network, fault: str, usual: float, seconds: float) -> None:
    """Notes how long a movement took that was asked for when something broke, and one before."""
    network.figures += [
        Figure(f"permissioned_{fault}_settled_after", seconds, "s"),
        Figure(f"permissioned_{fault}_settled_before", usual, "s"),
    ]


def _without_node(network: Network, fault: str, away: Callable[[Network, Geth], Iterator[None]]) -> str:
    network.await_in_use(network.preferred)
    with network.trading():
        usual = network.seconds_to_settle()
        with contextmanager(away)(network, network.preferred):
            seconds = network.seconds_to_settle()
        network.await_in_use(network.preferred)
        back = network.seconds_to_settle()
    _note(network, fault, usual, seconds)
    return f"settled in {seconds:.1f} s from then, by the other node; before it took {usual:.1f} s, and back again {back:.1f} s"


def _killed(network: Network, node: Geth) -> Iterator[None]:
    node.kill()
    yield
    network.chain.restart(node)


def _frozen(network: Network, node: Geth) -> Iterator[None]:
    node.freeze()
    try:
        yield
    finally:
        node.thaw()
    network.chain.await_agreement()


def split_at_once(network: Network, findings: Findings) -> str:
    """The preferred node is cut off with one signer, and each block counts at once: what settled there settles again."""
    seen = _split(network, findings)
    network.figures.append(Figure("permissioned_split_settled_after", seen.seconds, "s"))
    findings.check("what fell out was reported as open again", seen.reopened, seen.reopened > 0)
    return f"{seen}; {seen.reopened} orders were reopened, and settled again"


def split_with_patience(network: Network, findings: Findings) -> str:
    """The same where two blocks have to lie on top: nothing is reported that falls out."""
    network.start(confirmations=2)
    seen = _split(network, findings)
    findings.check("nothing that was reported was taken back", seen.reopened, not seen.reopened)
    for node in network.chain.rpc_nodes:
        network.verify(seen.reported, node)
    findings.check(
        "receipts from before and during the split hold on both nodes", len(seen.reported), bool(seen.reported)
    )
    return f"{seen}; none of what was reported was taken back"


@dataclass(slots=True)
class Split:
    """What was seen of a network that was split."""

    seconds: float
    """From the split to the first settlement by the other node."""
    tries: int
    blocks: int
    """Of the lone signer; they fell out."""
    batches: int
    """Transactions in these."""
    reopened: int
    reported: set[str]
    """Leaves of the entries that were reported as settled before and during the split."""

    def __str__(self) -> str:
        fell = f"{self.blocks} block with {self.batches} of our transactions fell out (split {self.tries})"
        return f"settled by the majority's node {self.seconds:.1f} s after the split; {fell}"


def _split(network: Network, findings: Findings) -> Split:
    """Cuts the preferred node off with one signer, which can seal a single block alone, until that block has a batch in it."""
    chain = network.chain
    lone, majority = [chain.signers[0], network.preferred], [*chain.signers[1:], network.other]
    reopened, reported = network.reopened(), set[str]()
    tries = batches = 0
    with network.trading():
        while not batches and tries < _SPLITS:
            tries += 1
            network.await_in_use(network.preferred)
            _await_turn(network, chain.signers[0])
            begun = time.monotonic()
            chain.part(lone, majority)
            network.await_in_use(network.other)
            network.settle("issue")
            seconds = time.monotonic() - begun
            fallen = _only_at(network.preferred, network.other)
            reported |= network.leaves()
            chain.join(lone, majority)
            chain.await_agreement()
            batches = sum(len(block["transactions"]) for block in fallen)
    is_gone = all(network.preferred.hash_at(int(block["number"], 16)) != block["hash"] for block in fallen)
    findings.check(
        "a block with our transactions fell out of the chain", f"{batches} in {tries} splits", is_gone and batches > 0
    )
    return Split(seconds, tries, len(fallen), batches, network.reopened() - reopened, reported)


def _await_turn(network: Network, signer: Geth) -> None:
    """Waits until it is a signer's turn to seal the next block, which Clique allows only who has not sealed the last one."""
    addresses = sorted(one.address for one in network.chain.signers)

    def is_its_turn() -> bool:
        head = signer.head()
        return addresses[(head + 1) % len(addresses)] == signer.address and signer.sealer(head) != signer.address

    network.chain.until(f"it is the turn of {signer.title}", is_its_turn)


def _only_at(node: Geth, other: Geth) -> list[dict[str, Any]]:
    """The newest blocks of a node that another one lacks, which has more."""
    found = []
    number = node.head()
    while (block := node.block(number))["hash"] != other.hash_at(number):
        found.append(block)
        number -= 1
    return found


def audit(network: Network, findings: Findings) -> str:
    """An auditor proves everything from two nodes."""
    begun = time.monotonic()
    network.audit(findings)
    said = f"{len(network.leaves())} entries over two nodes in {time.monotonic() - begun:.0f} s"
    return f"{said}; of {network.other.head()} blocks {network.fallen()} fell out that had been read"
