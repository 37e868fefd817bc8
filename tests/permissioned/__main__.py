"""Trials on a real permissioned chain: five geth nodes with Clique, of which signers and RPC nodes die, freeze and lose each other.

Two networks, one after the other: gas is free on the first, and has London's fees on the second. All of it runs as an operator runs
it, on PostgreSQL; after each trial each movement that was accepted must be settled once, and database and chain must agree.
`make permissioned` builds geth first.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "sdk")]

from clearing.kit import logs  # noqa: E402
from scripts.bench.measuring import report  # noqa: E402
from scripts.dev.services import Postgres  # noqa: E402
from tests.permissioned import trials  # noqa: E402
from tests.permissioned.figures import figures  # noqa: E402
from tests.permissioned.geth import PROGRAM, Chain  # noqa: E402
from tests.permissioned.network import Figure, Network  # noqa: E402
from tests.support.trials import Outcome, Trial, attempt, console, show  # noqa: E402


class Plan(NamedTuple):
    """A chain, and what is tried on it."""

    chain_id: int
    has_fees: bool
    trials: Sequence[Trial[Network]]


PLANS = {
    "free": Plan(
        20_260,
        False,
        (
            trials.deploy,
            trials.story,
            trials.signer_killed,
            trials.node_killed,
            trials.node_frozen,
            trials.split_at_once,
            trials.split_with_patience,
            trials.audit,
            figures,
        ),
    ),
    "london": Plan(
        20_261,
        True,
        (
            trials.deploy_with_fees,
            trials.story,
            trials.signer_killed,
            trials.node_killed,
            trials.node_frozen,
            trials.split_at_once,
            trials.audit,
        ),
    ),
}


FIGURES = Plan(
    PLANS["free"].chain_id,
    False,
    (
        trials.deploy,
        trials.story,
        trials.signer_killed,
        trials.node_killed,
        trials.node_frozen,
        trials.split_at_once,
        figures,
    ),
)
"""What `make bench` shows of such a chain."""


def run(name: str, plan: Plan, server: Postgres, directory: Path, measured: list[Figure]) -> list[Outcome]:
    """Runs a plan's trials until one of them does not end."""
    outcomes = []
    with Chain(plan.chain_id, has_fees=plan.has_fees) as chain:
        chain.await_agreement()
        network = Network(chain, server, directory)
        try:
            for trial in plan.trials:
                outcomes.append(attempt(name, trial, network))
                if not outcomes[-1].findings.good:
                    break
        finally:
            measured += network.figures
            network.close()
            for node in chain.nodes:
                shutil.copy(node.log, directory / f"{node.title}.log")
    return outcomes


def main() -> int:
    """Runs the trials; returns exit code 0 if everything held."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.permissioned", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=[*PLANS], action="append", help="one of the two only")
    parser.add_argument(
        "--figures", action="store_true", help="print what is measured, one JSON object a line, and nothing else"
    )
    arguments = parser.parse_args()
    plans = {"figures": FIGURES} if arguments.figures else {name: PLANS[name] for name in arguments.network or PLANS}
    if not PROGRAM.exists():
        parser.error(f"{PROGRAM.relative_to(ROOT)} is missing: `make permissioned` builds it")
    logs.configure(logging.WARNING)
    console.quiet = arguments.figures
    directory, outcomes = Path(tempfile.mkdtemp(prefix="tongdui-permissioned-")), []
    measured: list[Figure] = []
    with Postgres() as server:
        for name, plan in plans.items():
            (directory / name).mkdir()
            outcomes += run(name, plan, server, directory / name, measured)
    show("A permissioned chain of three signers and two RPC nodes", outcomes)
    wanted = sum(len(plan.trials) for plan in plans.values())
    console.quiet = False
    for figure in measured:
        report(figure.name, figure.value, figure.unit)
    if len(outcomes) == wanted and all(outcome.findings.good for outcome in outcomes):
        shutil.rmtree(directory)
        return 0
    console.print(f"[red]{len(outcomes)} of {wanted} trials were begun; the logs are in {directory}[/red]")
    return 1


if __name__ == "__main__":
    sys.exit(main())
