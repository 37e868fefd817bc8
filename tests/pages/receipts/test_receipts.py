"""The check of receipts that runs in a browser: the SDK and it agree on every receipt, true or altered, on a real chain."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse

from clearing.kit.clock import MovableClock
from gateway.http.integers import as_text
from scripts.dev.services import Anvil, anvil
from tests.pages.receipts.network import Json, alterations, move_points, receipts_of, verdict_of_python
from tests.support.harness import Harness
from tongdui.orders import Kind

HERE = Path(__file__).parent
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def network(chain: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """A network on which every kind of movement has happened."""
    directory = tmp_path_factory.mktemp("receipts")
    clock = MovableClock()
    harness = Harness(f"sqlite:///{directory / 'tongdui.db'}", chain.url, directory, clock)
    harness.onboard()
    move_points(harness, clock)
    yield harness
    harness.close()


@pytest.fixture(scope="module")
def receipts(network: Harness) -> dict[str, Json]:
    return receipts_of(network)


@pytest.fixture(scope="module")
def trusted(network: Harness) -> dict[str, Any]:
    """Where the person asks, and what the person trusts."""
    settings = network.settings
    return {"rpc_url": settings.rpc_url, "contract": settings.contract, "chain_id": settings.chain_id}


def in_javascript(test: str, given: Json, directory: Path) -> None:
    """Runs a file of node's tests, which finds what is `given` in a file that TONGDUI_GIVEN names."""
    path = directory / "given.json"
    path.write_text(json.dumps(given))
    environment = {**os.environ, "TONGDUI_GIVEN": str(path)}
    done = subprocess.run(
        ["node", "--test", str(HERE / test)], env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_there_is_a_receipt_of_every_kind_and_of_a_large_batch(receipts: dict[str, Json]) -> None:
    assert {name.split()[0] for name in receipts} == {kind.label for kind in Kind}
    assert max(len(receipt["proof"]) for receipt in receipts.values()) == 3
    assert any(int(receipt["entry"]["link"], 16) for receipt in receipts.values())


def test_python_and_javascript_say_the_same_of_every_alteration(
    receipts: dict[str, Json], trusted: dict[str, Any], tmp_path: Path
) -> None:
    """An altered receipt is refused by both, whatever was altered. Who made the alterations knows the seed."""
    seed = random.SystemRandom().randrange(2**32)
    chance = random.Random(seed)
    cases = []
    for name, receipt in receipts.items():
        texts = [("true", json.dumps(receipt)), ("as text", as_text(JSONResponse(receipt)).body.decode())]
        texts += [(change, json.dumps(other)) for change, other in alterations(receipt, chance)]
        texts += [("cut off", json.dumps(receipt)[: chance.randrange(400)])]
        for change, text in texts:
            file = tmp_path / "receipt.json"
            file.write_text(text)
            python = verdict_of_python(file, **trusted)
            assert python == ("valid" if change in {"true", "as text"} else "refused"), f"{name}, {change}, seed {seed}"
            cases.append({"name": f"{name}, {change}, seed {seed}", "text": text, "verdict": python})
    in_javascript("agreement.test.mjs", {"trusted": trusted, "cases": cases}, tmp_path)


def test_no_bit_of_a_receipt_can_be_altered(receipts: dict[str, Json], trusted: dict[str, Any], tmp_path: Path) -> None:
    in_javascript("offline.test.mjs", {"trusted": trusted, "receipts": receipts}, tmp_path)


def test_a_node_that_is_no_help_is_named(receipts: dict[str, Json], trusted: dict[str, Any], tmp_path: Path) -> None:
    """Another chain, a chain that has not come that far, and in between a node that is down, slow, or talks nonsense."""
    with anvil(chain_id=1) as foreign, anvil() as behind:
        urls = {"foreign": foreign.url, "behind": behind.url}
        in_javascript("nodes.test.mjs", {"trusted": trusted, "receipts": receipts, **urls}, tmp_path)
