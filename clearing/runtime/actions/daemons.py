"""Runs the sequencer or the projector."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.chain.client import ChainClient
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.wakeups.channels import Channel, Pause
from clearing.kit.wakeups.listener import listening
from clearing.pipeline.leadership import Leadership
from clearing.pipeline.projector import Projector
from clearing.pipeline.sequencer import Sequencer
from clearing.runtime import daemon, metrics
from clearing.runtime.preflight.keys import open_role_keys
from clearing.runtime.preflight.node import check_chain
from clearing.runtime.preflight.process import check_process


def run_sequencer(settings: Settings) -> int:
    """Runs the sequencer until it is told to stop."""
    check_process(settings)
    keys = open_role_keys(settings, ["sequencer"])  # the others are opened for the calls that need them
    database, client = Database(settings.database_url), ChainClient(settings.rpc_url)
    return _run("sequencer", Sequencer(database, client, settings, keys), settings, database, client)


def run_projector(settings: Settings) -> int:
    """Runs the projector until it is told to stop."""
    check_process(settings)
    database, client = Database(settings.database_url), ChainClient(settings.rpc_url)
    return _run("projector", Projector(database, client, settings), settings, database, client)


class _Checked:
    """A daemon's steps, the first of which awaits a node of the right chain with the right contract."""

    def __init__(self, steps: daemon.Steps, check: Callable[[], None]) -> None:
        self._steps = steps
        self._check: Callable[[], None] | None = check

    def step(self) -> bool:
        if self._check is not None:
            self._check()
            self._check = None
        return self._steps.step()

    def pause(self, *, worked: bool, woken: bool) -> Pause:
        return self._steps.pause(worked=worked, woken=woken)


def _run(name: str, steps: daemon.Steps, settings: Settings, database: Database, client: ChainClient) -> int:
    attention = daemon.stop_on_signals()
    with metrics.serving(settings, database, client), listening(database, list(Channel), attention.hear):
        checked = _Checked(steps, partial(check_chain, client, settings))
        daemon.run(name, checked, Leadership(database, name), attention)
    return 0
