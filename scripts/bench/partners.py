"""A whole network on PostgreSQL to measure: two merchants that exchange into a third one's program, and their members."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clearing.kit.config import RATE_LIMITS, variable
from clearing.runtime.embedded.network import EmbeddedNetwork
from scripts.bench.measuring import cpu_seconds, memory_bytes
from scripts.dev.services import Postgres, postgres
from tongdui import Agreement, Client, Issue, LocalSigner, Member, Merchant, Program, testing

ORDER = 400
"""Exchanges in an order of the bulk path: the gateway takes no more, because more might not fit into one transaction."""
CLIENTS = 8
"""Clients that submit such orders at once, each for its own members."""
POINTS = 10**6
"""What each member has at first."""
CHAIN_ARGUMENTS = ("--gas-limit", "60000000")
"""Of the chains that are measured by themselves: they have the network's gas limit."""
_SCOPES = ["issue", "redeem", "exchange", "agree", "members", "read"]


@dataclass(slots=True)
class Owner:
    """A merchant with a program. Without a signer the gateway keeps its key."""

    merchant: Merchant
    program: Program
    client: Client
    api_key: str
    signer: LocalSigner | None


@dataclass(slots=True)
class Source:
    """A merchant whose members exchange their points into CINE."""

    owner: Owner
    agreement: Agreement
    members: Sequence[Member]

    @property
    def client(self) -> Client:
        """The merchant's client; it signs if the merchant does."""
        return self.owner.client


@dataclass(slots=True)
class Partners:
    """A small onboarded network, driven over HTTP."""

    network: EmbeddedNetwork
    database: Postgres
    own: Source
    """FUEL signs its orders itself."""
    managed: Source
    """SHOP leaves its key to the gateway."""

    def cpu(self) -> dict[str, float]:
        """Returns the CPU seconds that each part has used, and this process, which runs the clients."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        seconds = {name: cpu_seconds(pid) for name, pid in self._pids().items()}
        return seconds | {"clients": own.ru_utime + own.ru_stime}

    def memory(self) -> dict[str, float]:
        """Returns the bytes of memory of each part."""
        return {name: memory_bytes(pid) for name, pid in self._pids().items()}

    def pid(self, name: str) -> int:
        """Returns the process of a part of the network."""
        return self._pids()[name]

    @property
    def port(self) -> int:
        """Where the gateway listens."""
        return self.network.gateway_port

    def _pids(self) -> dict[str, int]:
        children = self.network.children.items()
        return {name: child.process.pid for name, child in children if child.process} | {"postgres": self.database.pid}


@contextmanager
def partners(workers: int = 1) -> Iterator[Partners]:
    """Runs the whole network on PostgreSQL, with merchants, agreements, and members who have points.

    `workers` is how many processes the gateway has.
    """
    with tempfile.TemporaryDirectory() as directory, postgres() as database:
        settings = {variable(name): "0" for name in RATE_LIMITS}  # one key does the work of hundreds
        settings |= {"TONGDUI_GATEWAY_WORKERS": str(workers)} if workers > 1 else {}
        network = EmbeddedNetwork(Path(directory), database_url=database.url, overrides=settings)
        with network:
            cine = owner_on(network, "CINE", LocalSigner.generate())
            own, managed = (
                source_of(owner_on(network, code, signer), cine)
                for code, signer in (("FUEL", LocalSigner.generate()), ("SHOP", None))
            )
            yield Partners(network, database, own, managed)
            for client in (cine.client, own.client, managed.client):
                client.close()


def owner_on(network: EmbeddedNetwork, code: str, signer: LocalSigner | None) -> Owner:
    """Registers a merchant with a program and money."""
    operator, treasury = (Client(network.url, network.api_keys[role]) for role in ("operator", "treasury"))
    with operator, treasury:
        merchant = operator.merchants.create(
            name=code.lower(),
            signer_address=signer.address if signer else None,
            managed_key=signer is None,
            wait=30,
        )
        program = operator.programs.create(merchant=merchant.id, code=code, name=code, wait=30)
        testing.lend(operator, treasury, merchant, 10**15)
        testing.deposit(treasury, operator, merchant, 10**15, f"opening-{code}")
        secret = testing.first_key(operator, treasury, merchant, _SCOPES)
    return Owner(merchant, program, Client(network.url, secret, signer=signer), secret, signer)


def source_of(owner: Owner, cine: Owner) -> Source:
    """Gives a merchant an agreement, and members with points."""
    members = owner.client.members.register(f"m{i}" for i in range(CLIENTS * ORDER))
    source = Source(owner, _agree(owner, cine), members)
    for start in range(0, len(members), ORDER):
        some = members[start : start + ORDER]
        issues = [Issue(program=owner.program, member=member, points=POINTS) for member in some]
        owner.client.orders.create(issues, wait=30).settled()
    return source


def _agree(owner: Owner, cine: Owner) -> Agreement:
    """Has both sides sign an agreement; returns it when it is in force."""
    agreement = owner.client.agreements.propose(
        source_program=owner.program.code,
        target_program=cine.program.code,
        rate="9/10",
        unit_price_micros=10_000,
        fee_bps=10,
        max_points=10**6,
        daily_cap=10**12,
        valid_until=datetime.now(UTC) + timedelta(days=365),
    )
    cine.client.agreements.sign(agreement.id)
    return owner.client.agreements.wait(agreement.id)
