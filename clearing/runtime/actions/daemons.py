"""Runs the sequencer, a signer of privileged calls, or the projector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.chain.client import ChainClient
from clearing.kit import tracing
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.wakeups.channels import Channel, Pause
from clearing.kit.wakeups.listener import listening
from clearing.pipeline.leadership import Leadership
from clearing.pipeline.privileged_calls import CallSigner, leadership_of
from clearing.pipeline.projector import Projector
from clearing.pipeline.sequencer import Sequencer
from clearing.runtime import daemon, metrics
from clearing.runtime.preflight.keys import check_secrets
from clearing.runtime.preflight.node import check_chain
from clearing.runtime.preflight.process import check_process


def run_sequencer(settings: Settings) -> int:
    """Runs the sequencer until it is told to stop."""
    check_process(settings)
    keys = check_secrets(settings, "sequencer")
    database, client = Database(settings.database_url), ChainClient.of(settings)
    steps = Sequencer(database, client, settings, keys)
    return _run("sequencer", steps, settings, database, client, Leadership(database, "sequencer"))


def run_signer(settings: Settings, roles: Sequence[str]) -> int:
    """Signs and sends the calls of these roles until it is told to stop."""
    check_process(settings)
    keys = check_secrets(settings, "signer", roles)
    database, client = Database(settings.database_url), ChainClient.of(settings)
    leadership = Leadership(database, *map(leadership_of, roles))
    return _run("signer", CallSigner(database, client, settings, keys, roles), settings, database, client, leadership)


def run_projector(settings: Settings) -> int:
    """Runs the projector until it is told to stop."""
    check_process(settings)
    check_secrets(settings, "projector")
    database, client = Database(settings.database_url), ChainClient.of(settings)
    steps = Projector(database, client, settings)
    return _run("projector", steps, settings, database, client, Leadership(database, "projector"))


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


def _run(
    name: str,
    steps: daemon.Steps,
    settings: Settings,
    database: Database,
    client: ChainClient,
    leadership: Leadership,
) -> int:
    attention = daemon.stop_on_signals()
    checked = _Checked(steps, partial(check_chain, client, settings))
    with (
        tracing.exporting(name),
        metrics.serving(settings, database, client),
        listening(database, list(Channel), attention.hear),
    ):
        daemon.run(name, checked, leadership, attention)
    return 0
