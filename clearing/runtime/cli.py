"""The `clearing` command: what an operator runs. Settings come from the environment (see `clearing.kit.config`)."""

from __future__ import annotations

import argparse
import sys

from clearing.runtime.commands import (
    agreements,
    contract,
    daemons,
    database,
    deployment,
    keystores,
    merchants,
    network,
    queue,
    reconciliation,
    staff,
    succession,
    workers,
)

_GROUPS = (
    network,
    merchants,
    agreements,
    contract,
    staff,
    daemons,
    database,
    deployment,
    keystores,
    workers,
    reconciliation,
    queue,
    succession,
)


def main(arguments: list[str] | None = None) -> None:
    """Runs a command; exits with 2 when it could not do its work."""
    chosen = _parser().parse_args(arguments)
    # Imported now, so that `--help` does not wait for it.
    from clearing.runtime.failures import run_or_explain

    sys.exit(run_or_explain(lambda: _run(chosen)))


def _run(chosen: argparse.Namespace) -> int:
    # Settings first: wrong ones are refused before a command imports what it needs.
    from clearing.kit.config import settings
    from clearing.runtime.embedded.settings_file import use_network_here

    if chosen.run is not network.run_up:  # that one makes the network here
        use_network_here()
    configured = settings()
    from clearing.kit import logs

    logs.configure()
    code: int = chosen.run(chosen, configured)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clearing", description="Runs and operates a Tongdui clearing network.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in _GROUPS:
        group.add_to(commands)
    return parser
