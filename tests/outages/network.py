"""A network with two or more of everything, each process by its own command, behind nginx."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from sqlalchemy import func, select

from clearing.kit.config import RATE_LIMITS, Settings, variable
from clearing.kit.events.models import Event
from clearing.notifications.webhooks.fanout import nothing_new
from clearing.notifications.webhooks.models import DeliveryState, WebhookDelivery
from scripts.dev.services import HOST, Anvil, Redis, free_port
from tests.faults.patience import Patience
from tests.outages.servers import Machine, Nginx, Pair
from tests.soak.checks import Findings
from tests.soak.hooks import IMPATIENT, merchants_server
from tests.support.operated import OperatedNetwork
from tests.support.production import eventually, is_healthy
from tongdui import Client, testing

PAIRS = ("sequencer", "projector", "signer")
"""Daemons of which one works and one waits."""
WORKERS = ("worker-1", "worker-2", "worker-3")
ROUNDS = ("rounds-1", "rounds-2")
_LEADS = "leads now"
_PLENTY = "1000000"
_START_SECONDS = 1_200
"""So long fourteen processes may take to start, on a machine that does other work, too."""


class Network(OperatedNetwork):
    """The network, its servers and its proxy."""

    def __init__(self, machine: Machine, redis: Redis, chain: Anvil, directory: Path) -> None:
        self.machine, self.redis = machine, redis
        self.pair = pair = Pair()
        self.ports = [free_port() for _ in range(2)]
        self.proxy = Nginx(self.ports).start()
        pair.primary.new_database("outages")
        settings = Settings.model_validate(
            {"database_url": pair.url("outages"), "rpc_url": chain.url, "chain_id": chain.chain_id}
        )
        environment = {
            "TONGDUI_DATABASE_URL": settings.database_url,
            "TONGDUI_RPC_URL": chain.url,
            "TONGDUI_CHAIN_ID": str(chain.chain_id),
            "TONGDUI_KEYSTORE_DIR": str(directory / "keys"),
            "TONGDUI_BROKER_URL": redis.url,
            "TONGDUI_RATE_LIMIT_URL": redis.url,
            **{variable(name): _PLENTY for name in RATE_LIMITS},  # counted, in Redis, and never reached
            **IMPATIENT,
        }
        super().__init__(directory, self.proxy.url, settings, environment)
        self.gateways = [f"gateway-{number}" for number, _ in enumerate(self.ports, 1)]
        self._hooks = merchants_server(chain.chain_id)
        self._hook, self.delivered = self._hooks.__enter__()

    def close(self) -> None:
        """Ends its processes, servers and connections."""
        super().close()
        self.proxy.close()
        self.pair.close()
        self._hooks.__exit__(None, None, None)

    def start_all(self) -> None:
        """Starts every process, and waits until the gateway says that all is well."""
        for name in (
            *self.gateways,
            *(f"{name}-{number}" for name in PAIRS for number in (1, 2)),
            *WORKERS,
            *ROUNDS,
            "beat-1",
        ):
            self.start(name)
        for name in self.gateways:
            self.await_gateway(name)

    def start(self, name: str) -> None:
        """Starts a process by its name, such as `sequencer-2`."""
        kind, _, number = name.partition("-")
        if kind == "gateway":
            self.site.start(name, kind, TONGDUI_GATEWAY_PORT=str(self.ports[int(number) - 1]))
        else:
            self.site.start(name, "clearing", kind)

    def await_gateway(self, name: str) -> None:
        """Waits until this one of the gateways says that all is well."""
        url = f"http://{HOST}:{self.ports[self.gateways.index(name)]}"
        eventually(lambda: is_healthy(url), f"{name} is not healthy", _START_SECONDS)

    def kill(self, name: str) -> None:
        """Kills a process, and what it has begun."""
        process = self.site.processes.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def leader(self, kind: str) -> str:
        """The one of two daemons that works: it has said so last."""
        said = {
            line["timestamp"]: name
            for name in self.site.processes
            if name.startswith(f"{kind}-")
            for line in map(json.loads, (self.site.directory / f"{name}.log").read_text().splitlines())
            if line["event"] == _LEADS
        }
        return said[max(said)]

    def subscribe(self) -> None:
        """From now on the station is told of each order that is settled."""
        self.station.client.webhook_endpoints.create(url=self._hook, types=["order.settled"])
        self._untold = self.count(select(func.max(Event.seq)))

    def join_gift(self) -> None:
        """Brings a merchant on board for whom the gateway signs, with the program GIFT and a member."""
        market = self.market
        merchant = market.operator.merchants.create(name="Gift", managed_key=True, wait=30.0)
        market.operator.programs.create(merchant=merchant, code="GIFT", name="Gift", wait=30.0)
        self.gift_key = testing.first_key(
            market.operator, market.treasury, merchant, ["issue", "members", "read", "webhooks"]
        )
        with Client(self.url, self.gift_key) as client:
            client.members.create(external_id="0")
            client.webhook_endpoints.create(url=self._hook, types=["order.settled"])

    # ---------------------------------------------------------------- what must hold

    def check(self, findings: Findings) -> None:
        """The same as always; and each merchant was told."""
        super().check(findings)
        sent = select(func.count()).select_from(WebhookDelivery).where(WebhookDelivery.state == DeliveryState.DELIVERED)
        patience = Patience("each webhook is delivered", lambda: self.count(sent))
        while self._webhooks_wait():
            patience.look()
            time.sleep(0.2)
        with self.database.reading() as session:
            told = set(session.scalars(select(Event.id).where(Event.type == "order.settled", Event.seq > self._untold)))
        findings.check(
            "a webhook for each order that was settled", f"{len(self.delivered)} of {len(told)}", told == self.delivered
        )

    def _webhooks_wait(self) -> bool:
        waiting = (
            select(func.count()).select_from(WebhookDelivery).where(WebhookDelivery.state == DeliveryState.PENDING)
        )
        with self.database.reading() as session:
            return bool(session.scalar(waiting)) or not nothing_new(session)
