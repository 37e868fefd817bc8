"""The `clearing` command: what an operator runs. Settings come from the environment (see `clearing.config`)."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from pathlib import Path

from rich.console import Console
from rich.table import Table

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.chain.client import ChainClient
from clearing.chain.deployment import deploy
from clearing.kit import logs
from clearing.kit.config import Settings, settings
from clearing.kit.database import Database
from clearing.kit.signing.keyring import Keyring, RoleKeys
from clearing.parties.access.service import bootstrap_keys
from clearing.pipeline.leadership import Leadership
from clearing.pipeline.projector import Projector
from clearing.pipeline.sequencer import Sequencer
from clearing.runtime import daemon, metrics
from clearing.runtime.embedded import EmbeddedNetwork, NetworkError
from clearing.runtime.operator_commands import add_commands

console = Console()


def main(arguments: list[str] | None = None) -> None:
    """Runs a command; exits non-zero when it fails."""
    logs.configure()
    chosen = _parser().parse_args(arguments)
    sys.exit(chosen.run(chosen))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clearing", description="Runs and operates a Tongdui clearing network.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="run a whole network on this machine until Ctrl-C")
    up.add_argument(
        "--dir", type=Path, default=Path(".tongdui"), help="where it keeps everything (default: %(default)s)"
    )
    up.add_argument(
        "--port", type=int, default=8080, help="the gateway's port; 0 for a free one (default: %(default)s)"
    )
    up.add_argument(
        "--rpc-port", type=int, default=8545, help="the chain's port; 0 for a free one (default: %(default)s)"
    )
    up.set_defaults(run=run_up)

    for name, run, text in (
        ("gateway", run_gateway, "serve the HTTP API"),
        ("sequencer", run_sequencer, "put orders into batches and batches onto the chain"),
        ("projector", run_projector, "turn chain events into the read model"),
        ("migrate", run_migrate, "bring the database's schema up to date"),
        ("deploy", run_deploy, "make the role keys, deploy the contract and grant the roles, where missing"),
        ("keys", run_keys, "make the first API keys: operator, treasury and auditor, where there is none yet"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=run)
    worker = commands.add_parser("worker", help="do the timed work (Celery): webhooks, expiry, alerts, statements")
    worker.add_argument("--beat", action="store_true", help="give the timed work out, too; for the only worker")
    worker.add_argument("--processes", type=int, default=2, help="tasks at a time (default: %(default)s)")
    worker.set_defaults(run=run_worker)
    commands.add_parser("beat", help="give the timed work out (Celery beat)").set_defaults(run=run_beat)
    add_commands(commands)
    return parser


def run_up(chosen: argparse.Namespace) -> int:
    """Runs the embedded network in the foreground."""
    stop = daemon.stop_on_signals()
    network = EmbeddedNetwork(chosen.dir, gateway_port=chosen.port, rpc_port=chosen.rpc_port)
    try:
        with console.status("Starting the network"):
            network.start()
    except NetworkError as error:
        console.print(f"[red]{error}[/red]", soft_wrap=True)
        return 1
    _show(network)
    _wait(stop)
    with console.status("Stopping"):
        network.stop()
    console.print("Stopped. Start it again with the same command: nothing is lost.")
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


def run_gateway(_chosen: argparse.Namespace) -> int:
    """Serves the HTTP API."""
    from gateway.server import run  # the edge: nothing else in `clearing` may import it

    run(settings())
    return 0


def run_sequencer(_chosen: argparse.Namespace) -> int:
    """Runs the sequencer."""
    configured = settings()
    database, client = _connect(configured)
    sequencer = Sequencer(database, client, configured, _role_keys(configured))
    stop = daemon.stop_on_signals()
    with metrics.serving(configured, database, client):
        daemon.run("sequencer", sequencer, Leadership(database, "sequencer"), configured.poll_interval, stop)
    return 0


def run_projector(_chosen: argparse.Namespace) -> int:
    """Runs the projector."""
    configured = settings()
    database, client = _connect(configured)
    projector = Projector(database, client, configured)
    stop = daemon.stop_on_signals()
    with metrics.serving(configured, database, client):
        daemon.run("projector", projector, Leadership(database, "projector"), configured.poll_interval, stop)
    return 0


def run_worker(chosen: argparse.Namespace) -> int:
    """Becomes a Celery worker."""
    from clearing.runtime.jobs.commands import run_worker as become_worker

    return become_worker(processes=chosen.processes, beat=chosen.beat)


def run_beat(_chosen: argparse.Namespace) -> int:
    """Becomes Celery's beat."""
    from clearing.runtime.jobs.commands import run_beat as become_beat

    return become_beat()


def run_migrate(_chosen: argparse.Namespace) -> int:
    """Upgrades the schema."""
    database = Database(settings().database_url)
    database.upgrade()
    database.close()
    console.print("The schema is up to date.")
    return 0


def run_deploy(_chosen: argparse.Namespace) -> int:
    """Deploys the contract."""
    configured = settings()
    keys = _role_keys(configured)
    for role in ("admin", "operator", "sequencer", "treasury"):
        keys.ensure(role)
    client = ChainClient(configured.rpc_url)
    address = deploy(client, keys, operator_name="Tongdui", utc_offset_seconds=configured.utc_offset_seconds)
    client.close()
    console.print(f"TONGDUI_CONTRACT={address}")
    return 0


def run_keys(_chosen: argparse.Namespace) -> int:
    """Makes the first API keys and prints them, as JSON, this once."""
    database = Database(settings().database_url)
    with database.session.begin() as session:
        tokens = bootstrap_keys(session)
        print(json.dumps(tokens, indent=2), flush=True)  # before the commit: a key that is stored is known
    database.close()
    return 0


def _connect(configured: Settings) -> tuple[Database, ChainClient]:
    return Database(configured.database_url), ChainClient(configured.rpc_url)


def _role_keys(configured: Settings) -> RoleKeys:
    return RoleKeys(configured.keystore_dir, Keyring(configured.keystore_password.get_secret_value()))
