"""audit member and audit export: what they prove, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.audit.planted import lies
from tests.audit.planted.lying_node import lying_node
from tests.audit.planted.world import ANNA, BO, STATION, World, issue
from tests.sdk.cli.conftest import Terminal

NOBODY = "0x" + "51" * 20


@pytest.fixture
def there(world: World) -> tuple[str, ...]:
    """Where the network is."""
    return ("--rpc", world.url, "--contract", world.chain.address)


def test_a_members_points_are_counted(terminal: Terminal, world: World, there: tuple[str, ...]) -> None:
    shown = terminal.good("audit", "member", BO, *there).out
    supply = world.chain.view("totalSupply", 1)
    assert f"has 600 points of program 1 (FUEL, Fuel points) after block {world.chain.height()}" in shown
    assert f"part of the {supply:,} points that merchant 1 owes for" in shown
    assert "PROVEN under the hash 0x" in shown
    holdings = terminal.good("audit", "member", BO, *there, "--json").json["statement"]["holdings"]
    assert {held["program"]: held["points"] for held in holdings} == {1: 600, 2: world.chain.view("balanceOf", BO, 2)}


def test_who_has_nothing_is_proven_to_have_nothing(terminal: Terminal, there: tuple[str, ...]) -> None:
    assert f"{NOBODY} has no points in any of the 2 programs" in terminal.good("audit", "member", NOBODY, *there).out


def test_a_proof_is_a_file_that_still_holds_later(terminal: Terminal, world: World, there: tuple[str, ...]) -> None:
    terminal.good("audit", "member", BO, *there, "--output", "proof.json")
    world.batch(world.order(STATION, issue(BO, 5)))
    assert "has 600 points" in terminal.good("audit", "member", "proof.json", *there).out
    Path("proof.json").write_text(Path("proof.json").read_text().replace('"points": 600', '"points": 900'))
    altered = terminal("audit", "member", "proof.json", *there)
    assert (altered.code, altered.out.startswith("DOES NOT HOLD  statement")) == (1, True)


def test_a_proof_is_checked_without_a_node(terminal: Terminal, world: World, there: tuple[str, ...]) -> None:
    terminal.good("audit", "member", BO, *there, "--output", "proof.json")
    header = json.loads(Path("proof.json").read_text())["statement"]
    offline = ("audit", "member", "proof.json", "--contract", world.chain.address, "--block-hash")
    assert "has 600 points" in terminal.good(*offline, header["block_hash"]).out
    other = terminal(*offline, "0x" + "51" * 32)
    assert (other.code, other.out.startswith("DOES NOT HOLD  block")) == (1, True)
    assert "--block-hash" in terminal("audit", "member", "proof.json", "--contract", world.chain.address).err


def test_a_node_that_lies_proves_nothing(terminal: Terminal, world: World) -> None:
    with lying_node(world.url, lie=lies.other_proof(world)) as node:
        found = terminal("audit", "member", BO, "--rpc", node.url, "--contract", world.chain.address)
    assert (found.code, found.out.startswith("DOES NOT HOLD")) == (1, True)


def test_a_second_node_must_have_the_same_block(terminal: Terminal, world: World, there: tuple[str, ...]) -> None:
    with lying_node(world.url, lie=lies.other_chain_after(world)) as node:
        found = terminal("audit", "member", BO, *there, "--rpc", node.url)
    assert (found.code, found.out.startswith("DOES NOT HOLD  block")) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("audit", "member", "nobody"), "neither an address"),
        (("audit", "member", ANNA, "--chain-id", "5"), "not on chain 5"),
        (("audit", "export", "--merchant", "9", "--output", "e.csv"), "has no merchant 9"),
        (("audit", "export", "--merchant", "1", "--output", "nowhere/e.csv"), "there is no such directory"),
        (("audit", "export", "--merchant", "1", "--output", "e.csv", "--from", "soon"), "write it as 2026-12-31"),
        (
            ("audit", "export", "--merchant", "1", "--output", "e.csv", "--from", "2025-01-02", "--to", "2025-01-01"),
            "--from",
        ),
    ],
)
def test_bad_input(terminal: Terminal, there: tuple[str, ...], arguments: tuple[str, ...], sentence: str) -> None:
    refused = terminal(*arguments, *there, *(("--workers", "0") if arguments[1] == "export" else ()))
    assert (refused.code, refused.out) == (2, "")
    assert sentence in refused.err
    assert list(Path().iterdir()) == []


def test_an_address_that_is_no_clearing_house(terminal: Terminal, world: World) -> None:
    refused = terminal("audit", "member", BO, "--rpc", world.url, "--contract", NOBODY)
    assert refused.code == 2
    assert "Check the address with --contract" in refused.err


def test_entries_from_the_chain_alone(terminal: Terminal, world: World, there: tuple[str, ...]) -> None:
    export = ("audit", "export", "--merchant", str(STATION), *there, "--workers", "0", "--output", "entries.csv")
    assert terminal.good(*export, "--json").json == {"file": "entries.csv", "entries": 17}
    lines = Path("entries.csv").read_text().splitlines()
    assert len(lines) == 18
    assert {line.split(",")[5] for line in lines[1:]} == {"2024-10-04", "2024-10-05", "2024-10-06", "2024-10-07"}
    assert "exists already" in terminal(*export).err
    one_day = terminal.good(*export, "--force", "--from", "2024-10-05", "--to", "2024-10-05").out
    assert 0 < int(one_day.split()[0]) < 17


def test_nothing_is_exported_from_a_block_that_proves_nothing(terminal: Terminal, world: World) -> None:
    with lying_node(world.url, lie=lies.removed_event(world)) as node:
        refused = terminal(
            *("audit", "export", "--merchant", "1", "--rpc", node.url, "--contract", world.chain.address),
            *("--workers", "0", "--output", "entries.csv"),
        )
    assert (refused.code, "block 16" in refused.err) == (2, True)
    assert not Path("entries.csv").exists()


def test_problems_are_documents_for_programs(terminal: Terminal, there: tuple[str, ...]) -> None:
    problem = json.loads(terminal("audit", "member", "nobody", *there, "--json").err)
    assert (problem["code"], problem["exit_code"]) == ("wrong_use", 2)
