"""A contract ends and another one goes on in its place: both are audited, and what was taken over is compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.dev.services import anvil
from tests.audit.planted.world import ANNA, CHAIN_ARGUMENTS, CINEMA, DAY, FUEL, STATION, UTC_OFFSET, YUAN, World
from tests.contracts.chain import ChainHouse
from tongdui.audit.findings import CannotCheck
from tongdui.audit.leaves import CHUNK, Leaf, LeafKind, LotWord, SnapshotTree
from tongdui.audit.model.records import Reverted, Role
from tongdui.audit.options import Options, Outcome
from tongdui.audit.run import audit
from tongdui.audit.snapshot import Snapshot
from tongdui.encoding import bytes_of, keccak256, text_word
from tongdui.orders import Instruction, Kind

LASTS = 9
"""Days for which Anna's last points are good."""


def audited(world: World, **more: object) -> Outcome:
    """The audit of the house that the world has now."""
    options = Options(rpc=(world.url,), contract=world.chain.address.lower(), workers=0)
    return audit(replace(options, **more), lambda _: None)  # type: ignore[arg-type]


def succeed(world: World, leaves: list[Leaf], snapshot: Snapshot) -> None:
    """Deploys another house, which takes these leaves over, and goes on with it."""
    tree = SnapshotTree()
    for leaf in leaves:
        tree.add(leaf)
    head = snapshot.head
    world.now += 600
    world.chain = ChainHouse(world.url, 0, text_word("Tongdui"), UTC_OFFSET, world.now)
    world.domain = world.chain.domain
    predecessor = (head.chain_id, head.contract, len(leaves), bytes_of(head.head), tree.root())
    world.call(world.admin, "beginImport", predecessor)
    for number, first in enumerate(range(0, len(leaves), CHUNK)):
        chunk = [tuple(leaf) for leaf in leaves[first : first + CHUNK]]
        world.call(world.stranger, "importLeaves", first, chunk, list(tree.proof_of_chunk(number)))
    world.call(world.admin, "open")
    for role, account in zip(Role, world.chain.accounts[1:5], strict=True):
        world.call(world.admin, "setRole", role, account, True)


@pytest.fixture(scope="module")
def frozen() -> Iterator[World]:
    """The small network after its four days, and its end."""
    with anvil(arguments=CHAIN_ARGUMENTS) as node:
        world = World(node.url)
        world.live()
        lasting = Instruction(Kind.ISSUE, ANNA, 30, FUEL, expiry_day=world.today() + LASTS)
        world.batch(world.order(STATION, lasting))
        world.call(world.admin, "freeze")
        yield world
        world.chain.close()


@pytest.fixture(scope="module")
def snapshot(frozen: World, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The snapshot that an auditor took of it."""
    path = tmp_path_factory.mktemp("audit") / "snapshot"
    assert audited(frozen, snapshot=path).holds
    return Snapshot(path)


@pytest.fixture
def world(frozen: World) -> Iterator[World]:
    """The frozen network; whatever a test does is undone."""
    mark, now, chain, domain, entries = (
        frozen.rpc("evm_snapshot"),
        frozen.now,
        frozen.chain,
        frozen.domain,
        [*frozen.entries],
    )
    yield frozen
    if frozen.chain is not chain:
        frozen.chain.close()
    frozen.rpc("evm_revert", mark)
    frozen.now, frozen.chain, frozen.domain, frozen.entries = now, chain, domain, entries


def test_everybody_takes_the_same_snapshot(frozen: World, snapshot: Snapshot, tmp_path: Path) -> None:
    audited(frozen, snapshot=tmp_path / "second", state=tmp_path / "state")
    frozen.rpc("anvil_mine", hex(3))
    audited(frozen, snapshot=tmp_path / "third", state=tmp_path / "state")
    for other in ("second", "third"):
        assert (tmp_path / other).read_bytes() == snapshot.path.read_bytes()


def test_nobody_takes_a_snapshot_of_what_goes_on(world: World, snapshot: Snapshot, tmp_path: Path) -> None:
    succeed(world, list(snapshot.leaves()), snapshot)
    with pytest.raises(CannotCheck, match="is not frozen"):
        audited(world, snapshot=tmp_path / "snapshot")


def test_a_changed_file_is_no_snapshot(snapshot: Snapshot, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    text = snapshot.path.read_text()
    changed.write_text(text[:-2] + ("1" if text[-2] != "1" else "2") + "\n")
    with pytest.raises(CannotCheck, match="was changed"):
        Snapshot(changed)
    changed.write_text("no snapshot")
    with pytest.raises(CannotCheck, match="is no snapshot"):
        Snapshot(changed)


def test_members_keep_the_days_on_which_their_points_expire(snapshot: Snapshot) -> None:
    of_anna = [
        LotWord.of(leaf.word)
        for leaf in snapshot.leaves()
        if leaf.kind == LeafKind.LOT and leaf.key == FUEL << 160 | int(ANNA, 16)
    ]
    balance = next(
        leaf.word & 2**64 - 1
        for leaf in snapshot.leaves()
        if leaf.kind == LeafKind.BALANCES and leaf.key == int(ANNA, 16)
    )
    assert sum(lot.points for lot in of_anna) == balance
    made_on, until = of_anna[0].made_on, of_anna[0].expiry_day
    assert until == made_on + LASTS


def test_a_successor_goes_on_and_all_of_it_holds(world: World, snapshot: Snapshot, tmp_path: Path) -> None:
    old = world.order(STATION, Instruction(Kind.ISSUE, ANNA, 7, FUEL))
    redeemed = world.last(Kind.REDEEM)
    succeed(world, list(snapshot.leaves()), snapshot)
    first = audited(world, predecessor=snapshot.path, state=tmp_path / "state")
    assert first.findings == ()
    ((_, refused), *_) = world.batch(old)
    assert refused[3] == 1  # another house's orders are signed by nobody here
    world.batch(world.order(STATION, Instruction(Kind.ISSUE, ANNA, 70, FUEL)))
    world.batch(world.order(STATION, Instruction(Kind.REDEEM, ANNA, 5, FUEL)))
    with pytest.raises(Reverted, match="BankRefUsed"):
        world.call(world.treasury, "deposit", CINEMA, YUAN, keccak256(b"BANK-1"))
    world.call(world.treasury, "deposit", CINEMA, YUAN, keccak256(b"BANK-9"))
    assert audited(world, predecessor=snapshot.path, state=tmp_path / "state").findings == ()
    world.call(world.admin, "freeze")
    again = audited(world, predecessor=snapshot.path, snapshot=tmp_path / "next")
    assert again.findings == ()
    assert Snapshot(tmp_path / "next").head.batches == snapshot.head.batches + 3
    assert redeemed.batch <= snapshot.head.batches


def test_what_only_the_predecessor_knows_is_said_to_be_not_checked(world: World, snapshot: Snapshot) -> None:
    undone = next(entry for entry in world.entries if entry.kind == Kind.REDEEM)
    redeemed = world.last(Kind.REDEEM)
    succeed(world, list(snapshot.leaves()), snapshot)
    for original, event in ((undone, "InstructionRejected"), (redeemed, "LinkedEntryPosted")):
        back = Instruction(Kind.REVERSE, original.member, 1, original.program, link=original.leaf())
        (said, *_) = world.batch(world.order(original.merchant, back))
        assert said[0] == event, said
    outcome = audited(world)
    assert outcome.findings == ()
    left_out = {one.what for one in outcome.not_checked}
    assert "whether the predecessor had what this contract took over" in left_out
    assert "when the points expire that came back by 1 reversal of entries of the predecessor" in left_out


def test_a_balance_that_was_changed_on_the_way_is_found(world: World, snapshot: Snapshot) -> None:
    leaves = list(snapshot.leaves())
    places = [number for number, leaf in enumerate(leaves) if leaf.kind == LeafKind.BALANCES and leaf.key < 2**160][:2]
    rich, poor = (leaves[place] for place in places)
    leaves[places[0]] = rich._replace(word=rich.word + 5)
    leaves[places[1]] = poor._replace(word=poor.word - 5)
    succeed(world, leaves, snapshot)
    found = audited(world, predecessor=snapshot.path).findings
    assert [finding.rule for finding in found] == ["succession.snapshot", "succession.leaf", "succession.leaf"]
    points = rich.word & 2**64 - 1
    assert f"{points + 5} points of program 1" in found[1].found
    assert f"{points} points of program 1" in found[1].expected


def test_an_import_that_stopped_half_way_is_audited_as_far_as_it_came(world: World, snapshot: Snapshot) -> None:
    head = snapshot.head
    world.now += DAY
    world.chain = ChainHouse(world.url, 0, text_word("Tongdui"), UTC_OFFSET, world.now)
    padded = [*snapshot.leaves(), *(Leaf(LeafKind.NAME, 10 + n, n) for n in range(CHUNK))]
    tree = SnapshotTree()
    for leaf in padded:
        tree.add(leaf)
    predecessor = (head.chain_id, head.contract, len(padded), bytes_of(head.head), tree.root())
    world.call(world.admin, "beginImport", predecessor)
    half = len(padded) - CHUNK - 1
    world.call(
        world.stranger, "importLeaves", 0, [tuple(leaf) for leaf in padded[:CHUNK]], list(tree.proof_of_chunk(0))
    )
    assert half > 0
    assert audited(world).findings == ()
