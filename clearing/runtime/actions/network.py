"""Runs the embedded network in the foreground."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from rich.console import Console
from rich.table import Table

from clearing.runtime import daemon
from clearing.runtime.embedded.network import EmbeddedNetwork, NetworkError
from clearing.runtime.embedded.ports import NoFreePortError

console = Console()


def run(directory: Path, *, gateway_port: int, rpc_port: int) -> int:
    """Runs the network until SIGINT or SIGTERM. Exit code 1 when it cannot start."""
    stop = daemon.stop_on_signals()
    network = EmbeddedNetwork(directory, gateway_port=gateway_port, rpc_port=rpc_port)
    try:
        with console.status("Starting the network"):
            network.start()
    except (NetworkError, NoFreePortError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _show(network)
    _wait(stop)
    with console.status("Stopping"):
        network.stop()
    console.print("Stopped. The same command starts it again, with everything in it.")
    return 0


def _wait(stop: threading.Event) -> None:
    while not stop.wait(1.0):
        pass


def _show(network: EmbeddedNetwork) -> None:
    table = Table(title="Tongdui is running", title_style="bold", show_header=False)
    table.add_row("gateway", network.url)
    table.add_row("API reference", f"{network.url}/docs")
    table.add_row("chain", f"{network.rpc_url} (chain id {network.settings.chain_id})")
    table.add_row("contract", network.settings.contract)
    table.add_row("database", network.settings.database_url)
    table.add_row("first API keys", str(network.directory / "api-keys.json"))
    table.add_row("logs", str(network.directory / "logs"))
    console.print(table)
    console.print("Ctrl-C stops it.")
