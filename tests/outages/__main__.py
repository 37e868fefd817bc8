"""Trials of a network with two or more of everything, behind nginx: each process and each server dies under load, in turn.

Two gateways, two of each daemon, three workers, PostgreSQL with a hot standby, Redis. After each trial each movement that was
accepted must be settled once, each webhook delivered, and database and chain must agree. It needs root: the machine of the first
database is a network namespace, whose cable is pulled. `make outages` runs it.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "sdk")]

from clearing.kit import logs  # noqa: E402
from scripts.dev.services import Anvil, Redis  # noqa: E402
from tests.outages import trials  # noqa: E402
from tests.outages.network import Network  # noqa: E402
from tests.outages.servers import Machine  # noqa: E402
from tests.support.trials import Trial, attempt, console, show  # noqa: E402

TRIALS: tuple[Trial[Network], ...] = (
    trials.gateways_killed,
    trials.daemons_killed,
    trials.signer_killed,
    trials.workers_killed,
    trials.redis_killed,
    trials.upgrade,
    trials.database_killed,
    trials.machine_gone,
)
"""After the story. The last one leaves the network without a standby."""
BLOCK_SECONDS = 1.0


def main() -> int:
    """Runs the trials; returns exit code 0 if everything held."""
    names = {trial.__name__: trial for trial in TRIALS}
    parser = argparse.ArgumentParser(
        prog="python -m tests.outages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trial", choices=[*names], action="append", help="some of the trials only")
    chosen = parser.parse_args().trial or [*names]
    if os.geteuid():
        parser.error("the trials need root: they make a network namespace")
    logs.configure(logging.WARNING)
    directory, outcomes = Path(tempfile.mkdtemp(prefix="tongdui-outages-")), []
    with Machine() as machine, Redis() as redis, Anvil(block_time=BLOCK_SECONDS) as chain:
        network = Network(machine, redis, chain, directory)
        try:
            for trial in (trials.story, *(names[name] for name in chosen)):
                outcomes.append(attempt("outages", trial, network))
                if not outcomes[-1].findings.good:
                    break
        finally:
            network.close()
    show("A network with two or more of everything", outcomes)
    if len(outcomes) == len(chosen) + 1 and all(outcome.findings.good for outcome in outcomes):
        shutil.rmtree(directory)
        return 0
    console.print(f"[red]{len(outcomes)} of {len(chosen) + 1} trials were begun; the logs are in {directory}[/red]")
    return 1


if __name__ == "__main__":
    sys.exit(main())
