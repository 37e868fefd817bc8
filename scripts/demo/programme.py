"""The chapter of the gas station's own programme: `loyalty up` as its own process, a week of one customer's sales over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from clearing.runtime.embedded.ports import free_port
from loyalty.kit.database import Database
from loyalty.staff.models import Role
from loyalty.staff.service import KeyService
from scripts.demo.participants import WAIT, Participants

WEEK = Path(__file__).resolve().parent / "data" / "programme_week.json"
"""The rules, and what the customer buys: written as marketing and tills write them."""
_PASSWORD = "only for this demo"  # noqa: S105 (the key lives as long as the demo)
_OPEN = ("waiting", "sending")


@dataclass(frozen=True, slots=True)
class Programme:
    """The programme of the merchant that runs FUEL, over its API."""

    http: httpx.Client
    keys: dict[Role, str]
    numbers: Iterator[int]
    environment: dict[str, str]

    def post(self, path: str, body: dict[str, Any], role: Role = Role.MANAGER) -> dict[str, Any]:
        """Changes something; raises if it is refused."""
        headers = {"Authorization": f"Bearer {self.keys[role]}", "Idempotency-Key": f"demo-{next(self.numbers)}"}
        return _answer(self.http.post(path, json=body, headers=headers))

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """Looks at something."""
        headers = {"Authorization": f"Bearer {self.keys[Role.MANAGER]}"}
        return _answer(self.http.get(path, params=params, headers=headers))

    def add_pump(self, station: str) -> None:
        """Adds a pump; what is posted as a device comes from it."""
        pump = self.post("/v1/devices", {"station": station, "name": "pump 3", "kind": "pump", "point": "P3"})
        self.keys[Role.DEVICE] = pump["secret"]

    def await_settled(self) -> list[dict[str, Any]]:
        """Waits until the network has decided every wish; all wishes, the oldest first."""
        deadline = time.monotonic() + WAIT
        while any(self.get("/v1/wishes", state=state)["data"] for state in _OPEN):
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the programme's wishes are not settled")
            time.sleep(0.1)
        found: list[dict[str, Any]] = self.get("/v1/wishes", limit="200")["data"]
        return found[::-1]

    def check(self) -> str:
        """Runs the nightly check now; what it says. Raises if it finds something."""
        command = [sys.executable, "-m", "loyalty", "check"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()


def week() -> dict[str, Any]:
    """The rules and the sales of the chapter."""
    found: dict[str, Any] = json.loads(WEEK.read_text(encoding="utf-8"))
    return found


@contextmanager
def programme(participants: Participants, directory: Path) -> Iterator[Programme]:
    """Runs `loyalty up` for the merchant of FUEL, with a database and a key file of its own."""
    party, network = participants["FUEL"], participants.network
    keystore = party.signer.save_keystore(directory / "station.json", _PASSWORD)
    port = free_port()
    url = f"sqlite:///{directory / 'loyalty.db'}"
    settings = {
        "LOYALTY_DATABASE_URL": url,
        "LOYALTY_PORT": str(port),
        "LOYALTY_GATEWAY_URL": network.url,
        "LOYALTY_API_KEY": party.api_key,
        "LOYALTY_KEYSTORE": str(keystore),
        "LOYALTY_KEYSTORE_PASSWORD": _PASSWORD,
        "LOYALTY_CONTRACT": str(network.settings.contract),
        "LOYALTY_RPC_URL": network.rpc_url,
    }
    environment = {**os.environ, **settings}
    with ExitStack() as stack:
        log = stack.enter_context((directory / "loyalty.log").open("wb"))
        command = [sys.executable, "-m", "loyalty", "up"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        stack.callback(_stop, process)
        http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30))
        _await_ready(http, process, directory / "loyalty.log")
        yield Programme(http, _keys(url), count(1), environment)


def _keys(database_url: str) -> dict[Role, str]:
    """A key for each role, as `loyalty staff add-key` makes them. A device's key is made with the device."""
    with closing(Database(database_url)) as database, database.session.begin() as session:
        return {
            role: KeyService(session).add(f"demo {role}", role, actor="demo")[1]
            for role in Role
            if role is not Role.DEVICE
        }


def _await_ready(http: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + WAIT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if http.get("/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise httpx.ConnectError(f"the programme did not start: {log.read_text(errors='replace')[-500:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(WAIT)


def _answer(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise httpx.HTTPStatusError(response.text, request=response.request, response=response)
    found: dict[str, Any] = response.json()
    return found
