"""Whatever is planted is found and named; where nothing is, nothing is found."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.audit.planted import lies
from tests.audit.planted.cases import BANK, LIES, NODES, ON_CHAIN, Case
from tests.audit.planted.lying_node import lying_node
from tests.audit.planted.world import World, bank_file
from tongdui.audit import run
from tongdui.audit.chain.node import find_behind
from tongdui.audit.options import Options, Outcome, Progress
from tongdui.audit.run import audit


def audited(world: World, *urls: str, **options: Any) -> Outcome:
    """An audit in this process, of the node itself or of others."""
    return audit(Options(urls or (world.url,), world.chain.address.lower(), workers=0, **options), _ignore)


def _ignore(_: Progress) -> None:
    """Nobody looks at the progress."""


def require_found(outcome: Outcome, case: Case, *, alone: bool = True) -> None:
    """The rule is said to be broken, by whom it is, in words that differ; and no other one, unless much follows from it."""
    said = [(one.rule, f"{one.subject}: expected {one.expected}, found {one.found}") for one in outcome.findings]
    assert any(rule == case.rule and case.who in words for rule, words in said), said
    assert all(one.subject and one.expected and one.found and one.expected != one.found for one in outcome.findings), (
        said
    )
    if alone:
        assert {rule for rule, _ in said} == {case.rule, *case.also}


def test_an_honest_network_holds(world: World, tmp_path: Path) -> None:
    statement = tmp_path / "statement.xml"
    statement.write_text(bank_file())
    with lying_node(world.url) as other:
        outcome = audited(world, world.url, other.url, bank=(statement,))
    assert outcome.findings == ()
    assert outcome.not_checked == ()


def test_one_node_alone_is_not_enough_to_see_the_end(world: World) -> None:
    outcome = audited(world, world.url, world.url)
    assert [one.what for one in outcome.not_checked] == [
        "whether the node shows the chain that others have, up to its end",
        "deposits and withdrawals",
    ]


@pytest.mark.parametrize("case", ON_CHAIN, ids=lambda case: case.name)
def test_it_is_found_on_the_chain(world: World, case: Case) -> None:
    case.plant(world)
    require_found(audited(world), case)


@pytest.mark.parametrize("case", LIES, ids=lambda case: case.name)
def test_a_lie_is_found(world: World, case: Case) -> None:
    with lying_node(world.url, lie=case.plant(world)) as node:
        outcome = audited(world, node.url)
    require_found(outcome, case, alone=False)
    assert outcome.findings[0].rule.partition(".")[0] in {"block", "transaction", "storage", "code"}, (
        "a node's fault is first"
    )


@pytest.mark.parametrize("case", NODES, ids=lambda case: case.name)
def test_a_node_that_says_something_else_is_found(world: World, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "find_behind", partial(find_behind, patience=0))
    with lying_node(world.url, lie=case.plant(world)) as node:
        require_found(audited(world, world.url, node.url), case)


@pytest.mark.parametrize("case", BANK, ids=lambda case: case.name)
def test_the_bank_is_compared(world: World, case: Case, tmp_path: Path) -> None:
    statement = tmp_path / "statement.xml"
    statement.write_text(case.plant(world))
    require_found(audited(world, bank=(statement,)), case)


def test_a_node_that_limits_what_one_may_ask_is_enough(world: World) -> None:
    with lying_node(world.url, lie=lies.without("eth_getBlockReceipts"), most_in_a_batch=3) as node:
        assert audited(world, node.url).findings == ()


def test_what_a_node_cannot_prove_is_named(world: World) -> None:
    with lying_node(world.url, lie=lies.without("eth_getProof")) as node:
        outcome = audited(world, node.url)
    assert outcome.findings == ()
    assert any("eth_getProof" in left_out.why for left_out in outcome.not_checked)
