"""Runs the embedded network in the foreground."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from rich.table import Table

from clearing.kit.config import ENV_FILE
from clearing.kit.wakeups.channels import Pause
from clearing.runtime import daemon
from clearing.runtime.actions.terminal import console as terminal
from clearing.runtime.embedded import DIRECTORY
from clearing.runtime.embedded.network import EmbeddedNetwork, NetworkError
from clearing.runtime.embedded.ports import NoFreePortError
from clearing.runtime.embedded.settings_file import SETTINGS_FILE

Shown = Sequence[tuple[str, str]]
"""What is shown of a client that runs beside the network: what it is called, and where it is."""


def run(
    directory: Path,
    *,
    gateway_port: int,
    rpc_port: int | None,
    console: bool,
    console_port: int | None,
    beside: Callable[[EmbeddedNetwork], Shown] = lambda _network: (),
) -> int:
    """Runs the network until SIGINT or SIGTERM. Exit code 1 when it cannot start.

    `beside` starts clients of the network once it is ready, and says what to show of them. It may raise NetworkError.
    """
    attention = daemon.stop_on_signals()
    with Progress(with_console=console) as progress:
        network = EmbeddedNetwork(
            directory,
            gateway_port=gateway_port,
            rpc_port=rpc_port,
            console=console,
            console_port=console_port,
            report=progress.ready,
        )
        shown: Shown = ()
        try:
            network.start()
            shown = beside(network)
        except (NetworkError, NoFreePortError) as error:
            failure = str(error)
        else:
            failure = ""
    if failure:
        network.stop()
        sys.stderr.write(f"{failure}\n")
        return 1
    _show(network, progress.seconds, shown)
    _wait(attention)
    with terminal.status("Stopping"):
        network.stop()
    terminal.print("Stopped. The same command starts it again, with everything in it.")
    return 0


class Progress:
    """Says what is ready, and on a terminal what comes next. Each line has the seconds since the start."""

    _ORDER = ("chain", "contract", "database", "gateway", "projector", "sequencer", "signer", "console")

    def __init__(self, *, with_console: bool) -> None:
        self._began = time.monotonic()
        self._status = terminal.status("")
        self._waiting = [part for part in self._ORDER if with_console or part != "console"]

    def __enter__(self) -> Self:
        self._status.start()
        self._show_next()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def ready(self, part: str, detail: str) -> None:
        """Says that a part is ready."""
        self._waiting.remove(part)
        terminal.print(
            f"  [green]ready[/green] {self.seconds:5.1f} s  {part:<10}{detail}", highlight=False, soft_wrap=True
        )
        self._show_next()

    def _show_next(self) -> None:
        self._status.update(f"Starting {', '.join(self._waiting[:3])}" if self._waiting else "Starting")


def _wait(attention: daemon.Attention) -> None:
    while not attention.is_stopped():
        attention.pause(Pause(60))


def _show(network: EmbeddedNetwork, seconds: float, beside: Shown) -> None:
    table = Table(title=f"Tongdui is running after {seconds:.1f} s", title_style="bold", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    if network.console:
        table.add_row("console", network.console_url)
    table.add_row("gateway", network.url)
    table.add_row("API reference", f"{network.url}/docs")
    table.add_row("chain", f"{network.rpc_url} (chain id {network.settings.chain_id})")
    table.add_row("contract", network.settings.contract)
    table.add_row("database", network.settings.database_url)
    table.add_row("first API keys", str(network.directory / "api-keys.json"))
    table.add_row("settings", str(network.directory / SETTINGS_FILE))
    table.add_row("logs", str(network.directory / "logs"))
    terminal.print(table)
    for name, where in beside:
        terminal.print(f"{name}: {where}", soft_wrap=True, highlight=False, markup=False)
    if network.first_operator is not None:
        terminal.print("The first operator signs in with this; it is shown only this once, and must be changed then:")
        terminal.print(f"  address   {network.first_operator.email}", highlight=False, markup=False)
        terminal.print(f"  password  {network.first_operator.password}", highlight=False, markup=False)
    terminal.print("In another terminal, take a merchant on board:")
    terminal.print(f"  {_next(network.directory)}", soft_wrap=True, highlight=False, markup=False)
    terminal.print("Ctrl-C stops the network.")


def _next(directory: Path) -> str:
    """The command with which a new network becomes useful."""
    command = 'clearing merchant add "My station" --managed-key --program FUEL'
    if directory == DIRECTORY.absolute():
        return command
    return f"{ENV_FILE}={shlex.quote(str(directory / SETTINGS_FILE))} {command}"
