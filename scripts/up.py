"""`make up`: a whole network on this machine, and beside it the programme of a merchant that is taken on board for it.

Neither knows the other: the programme is a client, with a key, a database and settings of its own in `.tongdui/programme`.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx

from clearing.kit.config import ENV_FILE
from clearing.runtime.actions import network as action
from clearing.runtime.embedded import DIRECTORY
from clearing.runtime.embedded.network import EmbeddedNetwork, NetworkError
from clearing.runtime.embedded.ports import HOST
from clearing.runtime.embedded.settings_file import SETTINGS_FILE
from clearing.runtime.embedded.whole_file import write_whole
from loyalty.kit.database import Database
from loyalty.people.service import PeopleService
from loyalty.staff.models import Role
from loyalty.stations.service import StationService

MERCHANT = "Changjiang Fuel"
PROGRAM = "RIVER"
_ACTOR = "make up"
_PARTS = ("serve", "send", "notify", "worker")
_USUAL_PORT = 8090
_START_SECONDS = 120.0


def main() -> int:
    """Runs both until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make up", description=__doc__)
    parser.add_argument("--dir", type=Path, default=DIRECTORY, help="where everything is kept (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="the gateway's port (default: %(default)s)")
    parser.add_argument("--programme-port", type=int, help="the programme's port (default: 8090, or a free one)")
    parser.add_argument("--no-console", action="store_true", help="leave the web console out")
    chosen = parser.parse_args()
    return action.run(
        chosen.dir,
        gateway_port=chosen.port,
        rpc_port=None,
        console=not chosen.no_console,
        console_port=None,
        beside=lambda network: Programme(network, chosen.programme_port).start(),
    )


class Programme:
    """The programme beside a network. What it has made once it finds again, whenever it stopped."""

    def __init__(self, network: EmbeddedNetwork, port: int | None) -> None:
        self._network = network
        self._directory = network.directory / "programme"
        self._port = network.claim_port("programme", port, "python -m scripts.up --programme-port", usual=_USUAL_PORT)
        self._database_url = f"sqlite:///{self._directory / 'loyalty.db'}"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> action.Shown:
        """Takes the merchant on board if it is not, and starts every part. Returns what to show. Raises NetworkError."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        for secret in ("keystore.password", "staff.secret", "customer.secret"):
            self._once(secret, lambda: secrets.token_urlsafe(32))
        self._once("channels.toml", lambda: '[channels]\nsms = "console://"\n')
        environment = self._environment(self._once("api.key", self._on_board))
        first = self._prepare()
        for part in _PARTS:
            name = f"loyalty-{part}"
            self._network.run_beside(name, [sys.executable, "-m", "loyalty", part], environment)
        self._await_ready()
        return [
            (f"The programme of {MERCHANT}", f"{self.url}/staff, its files in {self._directory}"),
            (
                "Its customers sign in at",
                f"{self.url}/my with codes in {self._network.directory}/logs/loyalty-serve.log",
            ),
            *([("Its first manager joins by", f"{self.url}/staff/join?link={first}")] if first else []),
        ]

    # ---------------------------------------------------------------- what is made once

    def _once(self, name: str, make: Callable[[], str]) -> str:
        """What a file has; it is made if it is not there."""
        path = self._directory / name
        if not path.exists():
            write_whole(path, make().encode())
        return path.read_text()

    def _on_board(self) -> str:
        """Has the operator take the merchant on board, with a key of its own; its API key. Again, it finds what there is."""
        command = [
            *(sys.executable, "-m", "clearing", "merchant", "add", MERCHANT, "--program", PROGRAM),
            *("--new-key", str(self._directory / "station.json")),
            *("--password-file", str(self._directory / "keystore.password"), "--new-api-key", "--json"),
        ]
        environment = {**os.environ, ENV_FILE: str(self._network.directory / SETTINGS_FILE)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NetworkError(f"the programme's merchant cannot be taken on board: {done.stderr.strip()}")
        return str(json.loads(done.stdout)["api_key"]["secret"])

    def _prepare(self) -> str | None:
        """Makes the tables and the first station; the secret of the first manager's link if nobody has used it yet."""
        with closing(Database(self._database_url)) as database:
            database.migrate()
            with database.session.begin() as session:
                stations, people = StationService(session), PeopleService(session)
                if not stations.page(cursor=None, limit=1)[0]:
                    stations.keep("S1", name="Changjiang Road", region="", time_zone="Asia/Shanghai", actor=_ACTOR)
                everybody, _ = people.page(cursor=None, limit=2)
                if not everybody:
                    return people.invite("manager", "The first manager", Role.MANAGER, actor=_ACTOR)[1]
                if len(everybody) == 1 and everybody[0].joined_at is None:
                    return people.invite_again(everybody[0].id, actor=_ACTOR, reason="nobody has used the link")[1]
                return None

    # ---------------------------------------------------------------- running

    def _environment(self, api_key: str) -> dict[str, str]:
        network, here = self._network, self._directory
        return {
            "LOYALTY_DATABASE_URL": self._database_url,
            "LOYALTY_HOST": HOST,
            "LOYALTY_PORT": str(self._port),
            "LOYALTY_STAFF_SECRET_FILE": str(here / "staff.secret"),
            "LOYALTY_CUSTOMER_SECRET_FILE": str(here / "customer.secret"),
            "LOYALTY_GATEWAY_URL": network.url,
            "LOYALTY_API_KEY": api_key,
            "LOYALTY_KEYSTORE": str(here / "station.json"),
            "LOYALTY_KEYSTORE_PASSWORD_FILE": str(here / "keystore.password"),
            "LOYALTY_CONTRACT": network.settings.contract,
            "LOYALTY_CHAIN_ID": str(network.settings.chain_id),
            "LOYALTY_RPC_URL": network.rpc_url,
            "LOYALTY_CHANNELS_FILE": str(here / "channels.toml"),
            "LOYALTY_BROKER_URL": f"sqla+sqlite:///{here / 'broker.db'}",
            **({"LOYALTY_CONSOLE_URL": network.console_url} if network.console else {}),
        }

    def _await_ready(self) -> None:
        child = self._network.children["loyalty-serve"]
        deadline = time.monotonic() + _START_SECONDS
        with httpx.Client(base_url=self.url, timeout=5) as http:
            while time.monotonic() < deadline:
                try:
                    if http.get("/readyz").is_success:
                        return
                except httpx.TransportError:
                    if not child.running:
                        raise NetworkError(
                            "\n".join(["the programme ended while starting:", *child.last_lines(5)])
                        ) from None
                time.sleep(0.05)
        raise NetworkError(f"the programme does not answer at {self.url}; see {child.log}")


if __name__ == "__main__":
    sys.exit(main())
