"""A small network on SQLite and the simulated chain, made once and copied for each schedule.

Merchants: 1 `fuel` (program FUEL), 2 `cine` (CINE), 3 takes FUEL for goods, and 4 `mart` (MART), which may be hostile. FUEL can be
exchanged for CINE. Members have points of all programs.
"""

from __future__ import annotations

import random
import secrets
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import patch

from sqlalchemy import event, select

from clearing.chain.client import Call, ChainClient
from clearing.chain.contract import ROLES as CONTRACT_ROLES
from clearing.chain.contract import encode_call
from clearing.kit import ids
from clearing.kit.clock import Clock
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.identity import NetworkIdentity
from clearing.kit.signing.keyrings import Keyrings
from clearing.kit.signing.role_keys import ROLES, RoleKeys
from clearing.notifications.webhooks.service import WebhookService
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.parties.access.service import AccessService, Caller, Scope
from clearing.parties.members.models import MemberLink
from clearing.parties.merchants.models import Merchant, SignerKey
from gateway.app import create_app
from gateway.http.context import Gateway
from tests.simulation.chain import Chain, Node
from tests.simulation.evm import CHAIN_ID, Contract
from tests.simulation.scheduler import Lock, Scheduler, SimulatedClock
from tests.support.harness import Harness
from tests.support.secrets import keyrings, passwords, role_keys

BLOCK_GAS = 30_000_000
BATCH_GAS = 400_000
"""So little that seven orders fill a batch: what goes wrong with full batches goes wrong with few orders."""
MERCHANTS = (1, 2, 3, 4)
PROGRAMS = {1: "FUEL", 2: "CINE", 4: "MART"}
MEMBERS = 24
OLD_MEMBERS = 4
"""The first ones have points of every program; the others have none, and new accounts cost more gas."""
POINTS = 1_000
UTC_OFFSET = 28_800


class SimulatedClient(ChainClient):
    """The product's own client of a node; only the wire is missing."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._ids = count(1)
        self.mines = False
        """Whether a block follows what is sent at once, as while a network is set up."""
        self.now = lambda: 0

    def close(self) -> None:
        """There is no connection."""

    def _show(self, calls: Sequence[Call]) -> None:
        """There are no other nodes."""

    def _post(self, payload: Any) -> Any:
        answers = [self.node.answer(one) for one in (payload if isinstance(payload, list) else [payload])]
        if self.mines and self.node.chain.pool:
            self.node.chain.mine(self.now())
        return answers if isinstance(payload, list) else answers[0]


class SmallNetwork(Harness):
    """The network of `Harness`, on a simulated chain."""

    def __init__(self, database: Database, directory: Path, chain: Chain, keys: RoleKeys, keyrings: Keyrings) -> None:
        self.keyrings, self.keyring, self.keys = keyrings, keyrings.managed_keys, keys
        self.client: Any = SimulatedClient(Node(chain))
        self.client.mines, self.client.now = True, database.clock.unix
        self.settings = settings_of(database.url, directory, chain.contract.address)
        self.network = NetworkIdentity.of(self.settings)
        self.database = database
        self.restart()


def settings_of(url: str, directory: Path, contract: str, **overrides: object) -> Settings:
    """The settings of every process of the network."""
    values: dict[str, object] = {
        "database_url": url,
        "chain_id": CHAIN_ID,
        "contract": contract,
        "keystore_dir": directory / "keys",
        **passwords(),
        "start_block": 0,
        "batch_max_gas": BATCH_GAS,
        "poll_interval": 5.0,
        "node_patience": 20.0,
        "queue_limit": 40,
        "webhook_interval": 3.0,
        **overrides,
    }
    return Settings.model_validate(values)


@dataclass(frozen=True, slots=True)
class Image:
    """A database and a chain at one moment."""

    database: sqlite3.Connection
    chain: Chain


class Template:
    """The prepared network: a database, a chain, keys, and a `Database` for each kind of process.

    The database is in this process's memory, and all processes share the connections, because hardly ever does one pause while it
    uses one. Copying it takes a millisecond.
    """

    PROCESSES: ClassVar = ("gateway", "sequencer", "signer", "projector", "worker", "rounds", "oracle")

    def __init__(self) -> None:
        self._holder = tempfile.TemporaryDirectory(prefix="tongdui-simulation-")
        self.directory = Path(self._holder.name)
        self.clock = SimulatedClock()
        self.lock = Lock(self.clock.scheduler)
        self.keyrings = keyrings()
        self.keyring = self.keyrings.managed_keys
        self.keys = role_keys(self.directory / "keys")
        for role in ROLES:
            self.keys.ensure(role)
        url = f"sqlite:///file:{self.directory}?vfs=memdb&uri=true"
        self.databases = {name: Database(url, clock=self.clock) for name in self.PROCESSES}
        self._pool = self.databases["oracle"].engine.pool
        for database in self.databases.values():
            database.engine.pool = self._pool
            self._listen(database)
        with determined(0, self.clock):
            self._prepare()
        self.settings = self._network.settings
        self.network = self._network.network
        self.merchant_keys = self._merchant_keys()
        self.gateway: Gateway = replace(
            create_app(self.settings, self.databases["gateway"]).state.gateway, writer=self.lock
        )
        self._founded = self.image(self._chain)
        self.moments = {}

    on_commit: Callable[[Any], None] = staticmethod(lambda _: None)
    """Whoever wants to know that a session has committed."""

    moments: dict[tuple[int, int], Any]
    """By the seed of a long schedule and their numbers: the moments from which short ones go on. Only one schedule's are kept."""

    def close(self) -> None:
        """Removes its files."""
        self._pool.dispose()
        self._holder.cleanup()

    def founded(self, begin_offset: float) -> Chain:
        """Puts the prepared network in place, for a schedule that begins so many seconds later; returns its chain."""
        return self.restore(self._founded, self._begin + timedelta(seconds=begin_offset), 0.0)

    def image(self, chain: Chain) -> Image:
        """The database and the chain as they are now."""
        copy = sqlite3.connect(":memory:")
        with self.raw() as connection:
            connection.backup(copy)
        return Image(copy, chain.copy())

    def restore(self, image: Image, begin: datetime, now: float) -> Chain:
        """Puts a database in place, for a schedule that began at `begin`, `now` seconds ago; returns its chain. What the processes
        remember of older databases does no harm: the versions of reference data are random."""
        with self.raw() as connection:
            image.database.backup(connection)
        self.clock.scheduler = Scheduler(now)
        self.lock.__init__(self.clock.scheduler)  # type: ignore[misc]
        self.clock.begin = begin
        return image.chain.copy()

    @contextmanager
    def raw(self) -> Iterator[sqlite3.Connection]:
        """A connection of the pool, without a transaction."""
        found = self._pool.connect()
        try:
            assert isinstance(found.driver_connection, sqlite3.Connection)
            yield found.driver_connection
        finally:
            found.close()

    def _listen(self, database: Database) -> None:
        event.listen(database.engine, "do_connect", _remember_statements)
        event.listen(database.engine, "begin", self._before_begin, insert=True)
        for ending in ("commit", "rollback"):
            event.listen(database.engine, ending, lambda _: self.lock.release())
        event.listen(database.session, "after_commit", self._after_commit)
        event.listen(database.session, "after_rollback", lambda session: session.info.pop("notified", None))

    def _after_commit(self, session: Any) -> None:
        if not session.get_bind().get_execution_options().get("read_only", False):
            self.on_commit(session)
            self.clock.scheduler.point("after a commit")

    def _before_begin(self, connection: Any) -> None:
        if not connection.get_execution_options().get("read_only", False):
            self.clock.scheduler.point("before a transaction")
            self.lock.acquire()

    # ---------------------------------------------------------------- preparing

    def _prepare(self) -> None:
        self._begin = self.clock.begin
        contract = Contract(self.keys.address("admin"), UTC_OFFSET)
        self._chain = Chain(contract, BLOCK_GAS)
        self._chain.mine(self.clock.unix() - 1_000)
        self._grant(contract)
        database = self.databases["oracle"]
        database.upgrade()
        self._network = SmallNetwork(database, self.directory, self._chain, self.keys, self.keyrings)
        self._network.onboard()
        self.acceptance = self._network.acceptor(3)
        self._network.register_merchant(4, "mart")
        self._network._program(3, 4, "MART")
        self._network.settle()
        self.members = [self._network.member() for _ in range(MEMBERS)]
        self._link_members()
        for merchant, program in PROGRAMS.items():
            gifts = [IssueRequest(member=one, points=POINTS, program=program) for one in self.members[:OLD_MEMBERS]]
            self._network.accept(merchant, gifts)
        self._network.settle()
        self.callers = self._callers()
        self._subscribe()
        self._network.check()

    def _grant(self, contract: Contract) -> None:
        """The roles, as the deployment grants them: not by transactions, because they are the owner's."""
        block = self._chain.head
        storage = block.storage
        for number, role in enumerate(CONTRACT_ROLES):
            data = encode_call("setRole", [number, self.keys.address(role), True])
            ran = contract.run(storage, self.keys.address("admin"), data, 200_000, 0, block.timestamp, BLOCK_GAS)
            assert ran.succeeded, ran
            storage = ran.storage
        self._chain.blocks[-1] = replace(block, storage=storage)

    def _link_members(self) -> None:
        with self._network.database.session.begin() as session:
            for number in (3, 4):
                for member in self.members:
                    session.add(MemberLink(merchant_number=number, external_id=member, member_id=member))

    def _callers(self) -> dict[int, Caller]:
        callers = {}
        with self._network.database.session.begin() as session:
            access = AccessService(session)
            for number in MERCHANTS:
                _, token = access.create_first(session.get_one(Merchant, number), frozenset(Scope), actor="test")
                caller = access.authenticate(token)
                assert caller is not None
                callers[number] = caller
        return callers

    def _subscribe(self) -> None:
        """Two honest merchants have endpoints from the beginning."""
        with self._network.database.session.begin() as session:
            service = WebhookService(session, keyring=self.keyrings.webhook_secrets, settings=self._network.settings)
            for number, types in ((1, ["order.settled"]), (2, ["order.*"])):
                merchant = session.get_one(Merchant, number)
                service.create(
                    merchant, url=f"https://merchant-{number}.example/", types=types, description="", actor="test"
                )

    def _merchant_keys(self) -> dict[int, bytes]:
        with self._network.database.reading() as session:
            rows: Sequence[Any] = session.execute(select(SignerKey.merchant_number, SignerKey.keystore)).all()
        return {number: self.keyring._keyring.private_key(keystore) for number, keystore in rows}


def _remember_statements(_dialect: Any, _record: Any, _positional: Any, named: dict[str, Any]) -> None:
    """One connection has the statements of all processes."""
    named["cached_statements"] = 1_000


@contextmanager
def determined(seed: object, clock: Clock) -> Iterator[None]:
    """Lets one seed decide all that the product draws by chance, and the clock what its ids begin with."""
    rng = random.Random(f"{seed} secrets")
    with (
        patch.object(ids, "time", SimpleNamespace(time_ns=lambda: int(clock.now().timestamp() * 1e9))),
        patch.object(secrets, "token_bytes", lambda size=32: rng.randbytes(size)),
        patch.object(secrets, "token_hex", lambda size=32: rng.randbytes(size).hex()),
        patch.object(random, "uniform", rng.uniform),
    ):
        yield
