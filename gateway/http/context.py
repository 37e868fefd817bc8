"""What a request's code has at hand: the parts of the gateway, the caller, and the one session of its transaction."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from anyio import CapacityLimiter
from fastapi import Request, Response
from sqlalchemy.orm import Session

from clearing.chain.client import NewestBlock
from clearing.kit import tracing
from clearing.kit.clock import Clock
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.identity import NetworkIdentity
from clearing.kit.rollbacks import repeated
from clearing.kit.signing.keyrings import Keyrings
from clearing.kit.viewer import Viewer
from clearing.oversight.health.service import Health
from clearing.oversight.progress.service import ProgressService
from clearing.parties.access.service import Caller
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.service import merchant_by_number
from clearing.parties.names import Names
from clearing.parties.staff.oidc import OidcProvider
from clearing.parties.staff.sessions import Origin
from gateway.http.auth import VISITOR, require_live
from gateway.http.feed import EventFeed
from gateway.http.groups import Groups
from gateway.http.key_uses import KeyUses
from gateway.http.problems import HttpError
from gateway.http.rate_limits import RateLimits
from gateway.http.results import Started, V_co
from gateway.http.schemas import View
from gateway.http.shared_answer import SharedAnswer
from gateway.http.waiting import Waiters

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts that all requests share."""

    settings: Settings
    database: Database
    network: NetworkIdentity
    keyrings: Keyrings
    oidc: OidcProvider
    health: SharedAnswer[Health]
    """How every part of the network is."""
    newest_block: SharedAnswer[NewestBlock | None]
    """The node's newest block; None where it does not answer."""
    waiters: Waiters[Call]
    feed: EventFeed
    groups: Groups[Any, Response | None]
    """Requests that hand in orders, accepted in groups. None stands for one that shall run alone."""
    limits: RateLimits
    """How often somebody may ask."""
    resources: Mapping[str, ChainResource[View]]
    """Every resource that changes until the chain confirms it, by the prefix of its id."""
    expanders: Mapping[str, Expander] = field(default_factory=dict)
    """What `expand[]` looks resources up with, by what they are."""
    key_uses: KeyUses = field(default_factory=KeyUses)
    """When API keys were last used."""
    writer: threading.Lock = field(default_factory=threading.Lock)
    """SQLite has one writer. Queueing for it here is faster, and fairer to the daemons, than its busy handler's naps."""
    strangers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(3))
    """Threads for those who are not signed in yet: slow hashes must not take the threads of everybody else."""
    issuers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(3))
    """Threads for those who sign in at another issuer: waiting for it must not take the threads of those who sign in here."""

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that may write; it commits at the end of the block."""
        turn = self.writer if self.database.is_sqlite else contextlib.nullcontext()
        with turn, self.database.session.begin() as session:
            yield session


@dataclass(slots=True, kw_only=True)
class Transacted:
    """A request, with what its functions have at hand while its transaction is open."""

    gateway: Gateway
    request_id: str
    status: int
    """The status of a success."""
    _session: Session | None = None
    _names: Names | None = None

    @property
    def session(self) -> Session:
        """The transaction's session."""
        assert self._session is not None, "there is no session outside the transaction"
        return self._session

    @session.setter
    def session(self, session: Session | None) -> None:
        self._session = session
        self._names = Names(session) if session is not None else None

    @property
    def names(self) -> Names:
        """Ids and codes for the chain's numbers, each looked up once a transaction."""
        assert self._names is not None, "there is no session outside the transaction"
        return self._names

    @property
    def clock(self) -> Clock:
        """The network's clock."""
        return self.gateway.database.clock

    def transact(self, work: Callable[[], Done]) -> Done:
        """What the work returns, in a transaction that may write; in a new one, if the database rolls that back for no fault of the
        work's. It is for routes that take several: what came before is committed, so the request as a whole cannot be repeated."""
        return repeated(partial(self._attempt, work))

    def _attempt(self, work: Callable[[], Done]) -> Done:
        with self.gateway.writing() as session:
            self.session = session
            try:
                return work()
            finally:
                self.session = None


@dataclass(slots=True, kw_only=True)
class Call(Transacted):
    """One request, authenticated. `session` is open while the route's function runs."""

    caller: Caller
    method: str
    path: str
    key: str = ""
    """A mutation's Idempotency-Key."""
    raw_body: bytes = b""
    content: Any = None
    """What the body says, where the route hands in an order."""
    wait: int = 0
    """Seconds that the client will wait for a final state (`Prefer: wait=N`)."""
    expand: Sequence[str] = ()
    """The fields to show whole (`expand[]`)."""
    columns: Sequence[str] | None = None
    """The columns of the table that the client wants (`Accept: text/csv`); None if it wants JSON."""
    dry_run: bool = False
    """Whether the client only wants to know what the request would do (`?dry_run=true`)."""
    minimal: bool = False
    """Whether the client wants an order without its movements (`Prefer: return=minimal`)."""
    started: str | None = None
    """Id of the resource in the response, if it still changes by itself."""
    replayed: bool = False
    traceparent: str | None = field(default_factory=tracing.traceparent)
    """The trace that it belongs to, if that is recorded."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Fields that the access log adds to the request's line."""

    @property
    def actor(self) -> str:
        """Who did it, for the events."""
        return self.caller.actor

    @property
    def is_public(self) -> bool:
        """Whether nobody knows who calls."""
        return self.caller is VISITOR

    @property
    def viewer(self) -> Viewer:
        """How much the caller may see."""
        return self.caller.viewer

    @property
    def merchant(self) -> Merchant:
        """The merchant that calls."""
        assert self.caller.merchant_number is not None, "only merchants' keys may call this route"
        return merchant_by_number(self.session, self.caller.merchant_number)

    def transact(self, work: Callable[[], Done]) -> Done:
        """The same; refuses whoever is not signed in any more."""

        def signed_in() -> Done:
            require_live(self.session, self.caller)
            return work()

        return super(Call, self).transact(signed_in)

    def start_over(self) -> None:
        """Forgets what an attempt has noted whose transaction was rolled back: nothing of it happened."""
        self.started = None
        self.replayed = False
        self.notes.clear()

    def is_unfinished(self, resource_id: str) -> bool:
        """Whether the resource will change by itself, because the chain has yet to confirm it."""
        return bool(ProgressService(self.session).unfinished([resource_id]))


@dataclass(slots=True, kw_only=True)
class OpenCall(Transacted):
    """A request of somebody whom we do not know yet. Its function says which transactions it needs: slow work lies between them."""

    origin: Origin


Expander = Callable[[Call, Collection[str]], Mapping[str, View]]
"""Looks resources up by their ids, all at once; those that the caller may not see are missing."""


@dataclass(frozen=True, slots=True)
class Shown(Generic[V_co]):
    """A resource as it is now, and whether it will change by itself."""

    view: V_co
    is_open: bool


Asked = tuple[Call, str]
"""A call, and the id of the resource that it is to be shown."""


@dataclass(frozen=True, slots=True)
class ChainResource(Generic[V_co]):
    """A kind of resource that changes by itself until the chain has confirmed it."""

    prefix: str
    """Of its ids."""
    collection: str
    """Where it is found: `/v1/<collection>/<id>`."""
    show: Callable[[Call, str], Shown[V_co]]
    """Looks up the resource with this id, which exists."""
    show_all: Callable[[Sequence[Asked]], Sequence[Shown[V_co]]] | None = None
    """The same for many calls whose sessions are one, each of which asks for one resource; None: they are shown one by one."""
    open_status: int | None = None
    """The status of a response that shows it while it is open, where that is not the route's."""

    def started(self, id: str) -> Started[V_co]:  # noqa: A002
        """A route's result: the resource with this id, which the route has just made or changed."""
        assert id.startswith(f"{self.prefix}_"), (id, self.prefix)
        return Started(id)


def require_credential(call: Call, what: str, *, is_used: bool) -> None:
    """Refuses somebody without a credential who uses a part of a public route that says more than the chain."""
    if is_used and call.is_public:
        raise HttpError(401, "unauthenticated", f"{what} needs a credential: `Authorization: Bearer tdk_...`")


def call_of(request: Request) -> Call:
    """The call that the route has opened."""
    call: Call = request.state.call
    return call


def open_call_of(request: Request) -> OpenCall:
    """The same for a route that needs no credential."""
    call: OpenCall = request.state.open_call
    return call
