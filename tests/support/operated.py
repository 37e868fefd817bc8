"""A clearing network as an operator runs it: what is deployed, what runs, who trades, and what must add up after each trial."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select

from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.ordering.orders.models import OPEN_STATES, Order, OrderState
from tests.faults.patience import Patience
from tests.soak.checks import Findings, check_entries, check_wishes
from tests.soak.load import Trader, Wish, chance, insist
from tests.support.production import Site, eventually, is_healthy
from tongdui import Client, Movement, testing

MEMBERS = 6
THREADS = 2
FIRST_POINTS = 100_000
_CONTRACT = re.compile(r"^TONGDUI_CONTRACT=(0x[0-9a-fA-F]{40})$", re.MULTILINE)


@dataclass(slots=True)
class Till(Trader):
    """A till of the gas station's: what it issues, takes, exchanges and spends."""

    acceptance: str = ""

    def next(self, client: Client, twin: Client) -> None:
        """Makes one more wish."""
        kind = self.rng.choices(["issue", "redeem", "exchange", "spend"], [3, 1, 2, 2])[0]
        key = f"{self.name}-{self.rng.getrandbits(64):x}"
        member, points = f"external:{self.rng.randrange(MEMBERS)}", self.rng.randint(2, 40)
        self.ask(client, twin, Wish(kind, key, (key,)), lambda client: self.send(client, kind, key, member, points))
        time.sleep(self.rng.random() / 2)

    def send(self, client: Client, kind: str, key: str, member: str, points: int) -> Movement:
        """Asks for one movement, under one idempotency key."""
        match kind:
            case "issue":
                return client.issuances.create(
                    program="FUEL", member=member, points=points, reference=key, idempotency_key=key
                )
            case "redeem":
                return client.redemptions.create(
                    program="FUEL", member=member, points=points, reference=key, idempotency_key=key
                )
            case "exchange":
                return client.exchanges.create(
                    source_program="FUEL", target_program="CINE",
                    member=member, points=points, reference=key, idempotency_key=key,
                )  # fmt: skip
            case _:
                return client.spends.create(
                    agreement=self.acceptance, member=member, points=points, reference=key, idempotency_key=key
                )


class OperatedNetwork:
    """A clearing network on real servers, with each process by its own command."""

    def __init__(self, directory: Path, url: str, settings: Settings, environment: dict[str, str]) -> None:
        """`url` is the gateway's, for merchants; the environment is that of all processes."""
        self.url = url
        self.settings = settings
        self.site = Site(directory, environment)
        self.database = Database(settings.database_url)
        self.wishes: list[Wish] = []
        self.notes_wishes = True
        """Whether every movement is noted that somebody asks for."""

    def close(self) -> None:
        """Ends its processes and connections."""
        self.site.stop_all()
        self.database.close()

    # ---------------------------------------------------------------- an operator's work

    def deploy(self) -> subprocess.CompletedProcess[str]:
        """`clearing deploy`; from now on its contract is that of the network, if it made one."""
        done = self.site.attempt("deploy")
        if found := _CONTRACT.search(done.stdout):
            self.settings.contract = found[1]
            self.site.environment["TONGDUI_CONTRACT"] = found[1]
        return done

    def await_health(self) -> None:
        """Waits until the gateway says that all is well."""
        eventually(lambda: is_healthy(self.url), f"{self.url} is not healthy")

    def onboard(self, nodes: str) -> None:
        """Brings a gas station, a cinema and a car wash on board, with their agreements, members and first points. They look at
        these nodes of the chain."""
        keys = json.loads(self.site.command("keys"))
        operator, treasury, self.auditor = (
            Client(self.url, keys[role]) for role in ("operator", "treasury", "auditor")
        )
        self.market = market = testing.Network(
            self.url, nodes, self.site.directory, keys, operator=operator, treasury=treasury, auditor=self.auditor
        )
        self.station, self.cinema, self.wash = market.join("FUEL"), market.join("CINE"), market.join_acceptor("Wash")
        market.agree(self.station, self.cinema, rate="9/10", fee_bps=50)
        self.acceptance = market.agree_acceptance(self.station, self.wash).id
        for number in range(MEMBERS):
            self.station.client.members.create(external_id=str(number))
        self.tills = [self._till(f"till-{number}") for number in range(THREADS)]
        self._hand = self._till("by-hand")
        for number in range(MEMBERS):
            self.settle("issue", f"external:{number}", FIRST_POINTS)

    # ---------------------------------------------------------------- trading

    @contextmanager
    def trading(self) -> Iterator[None]:
        """Has the tills ask for one movement after another meanwhile."""
        stop = threading.Event()
        threads = [threading.Thread(target=till.run, args=(stop,)) for till in self.tills]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        for till in self.tills:
            if till.fault is not None:
                raise till.fault

    def settle(self, kind: str, member: str = "external:0", points: int = 10) -> Movement:
        """Asks for a movement of the station's, and waits until it is settled."""
        key = f"{self._hand.name}-{self._hand.rng.getrandbits(64):x}"
        return self._settled(
            self.station.client, key, lambda client: self._hand.send(client, kind, key, member, points)
        )

    def give_back(self, spend: Movement) -> Movement:
        """Has the car wash undo a spend, and waits until that is settled."""
        key = f"undo-{spend.id}"
        return self._settled(
            self.wash.client, key, lambda client: client.reversals.create(spend, reference=key, idempotency_key=key)
        )

    def _settled(self, client: Client, key: str, send: Callable[[Client], Movement]) -> Movement:
        """Asks until there is an answer, and waits as long as anything settles."""
        wish = Wish("by hand", key, (key,))
        self.wishes.append(wish)
        movement = insist(lambda: send(client))
        wish.answers.add(movement.id)
        patience = Patience(f"{movement.id} is settled", self.settled)
        fetch = partial(getattr(client, f"{movement.object}s").get, movement.id)
        while not movement.is_final:
            patience.look()
            time.sleep(0.05)
            movement = insist(fetch)
        assert movement.is_settled, f"{movement.id} is {movement.state}: {movement.reason}"
        return movement

    def seconds_to_settle(self) -> float:
        """Asks for a movement now: after so many seconds it is settled."""
        begun = time.monotonic()
        self.settle("issue")
        return time.monotonic() - begun

    def _till(self, name: str) -> Till:
        rng = chance(len(name) * self.settings.chain_id + sum(name.encode()))
        return Till(
            name, self.url, self.station.api_key, self.station.signer, rng, self.wishes, acceptance=self.acceptance
        )

    # ---------------------------------------------------------------- seeing

    def settled(self) -> int:
        """How many orders are settled."""
        return self.count(select(func.count()).select_from(Order).where(Order.state == OrderState.SETTLED))

    def count(self, query: Select[Any]) -> int:
        """A number from the database."""
        with self.database.reading() as session:
            return int(session.scalar(query) or 0)

    # ---------------------------------------------------------------- what must hold

    def check(self, findings: Findings) -> None:
        """Waits until nothing is on its way: each wish has had its one effect, and database, contract and events agree."""
        self._come_to_rest()
        with self.database.reading() as session:
            if self.notes_wishes:
                check_wishes(findings, session, self.wishes)
            check_entries(findings, session)
        done = self.site.attempt("reconcile")
        findings.check(
            "`clearing reconcile`", f"exit code {done.returncode} {done.stderr}", done.returncode == os.EX_OK
        )
        ended = [name for name, process in self.site.processes.items() if process.poll() is not None]
        findings.check("no process of ours has ended", ended, not ended)

    def _come_to_rest(self) -> None:
        is_open = select(func.count()).select_from(Order).where(Order.state.in_(OPEN_STATES))
        patience = Patience("no order is open", self.settled)
        while self.count(is_open):
            patience.look()
            time.sleep(0.1)
