"""What a request's code has at hand: the parts of the gateway, the caller, and the one session of its transaction."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.errors import Forbidden
from clearing.kit.identity import NetworkIdentity
from clearing.kit.signing.keyring import Keyring
from clearing.parties.access.models import Role
from clearing.parties.access.service import Caller
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.repository import MerchantRepository
from gateway.http.waiting import Waiters


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts that all requests share."""

    settings: Settings
    database: Database
    network: NetworkIdentity
    keyring: Keyring
    chain: ChainClient
    waiters: Waiters
    writer: threading.Lock = field(default_factory=threading.Lock)
    """SQLite has one writer. Queueing for it here is faster, and fairer to the daemons, than its busy handler's naps."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, authenticated. `session` is open while the endpoint runs."""

    gateway: Gateway
    caller: Caller
    request_id: str
    method: str
    path: str
    status: int
    """Of a success."""
    key: str = ""
    """The Idempotency-Key of a mutation."""
    raw_body: bytes = b""
    wait: int = 0
    """Seconds that the client will wait for a final state (`Prefer: wait=N`)."""
    minimal: bool = False
    """Whether an order is to be shown without its movements (`Prefer: return=minimal`)."""
    started: str | None = None
    """Id of the resource that the answer shows, where it still changes by itself."""
    replayed: bool = False
    notes: dict[str, Any] = field(default_factory=dict)
    """What the access log tells about the request."""
    _session: Session | None = None

    @property
    def session(self) -> Session:
        """The transaction's session."""
        assert self._session is not None, "there is no session outside the transaction"
        return self._session

    @session.setter
    def session(self, session: Session | None) -> None:
        self._session = session

    @property
    def actor(self) -> str:
        """Who did it, for the events."""
        return self.caller.key_id

    @property
    def merchant(self) -> Merchant:
        """The merchant that calls."""
        assert self.caller.merchant_number is not None
        merchant = MerchantRepository(self.session).by_number(self.caller.merchant_number)
        assert merchant is not None, "a key's merchant exists: the foreign key says so"
        return merchant

    @property
    def only_merchant(self) -> int | None:
        """The number of the merchant to whom the caller's view is limited, or None."""
        return self.caller.merchant_number if self.caller.role is Role.MERCHANT else None

    def require_view_of(self, merchant_number: int) -> None:
        """Refuses a merchant that asks about another one's affairs."""
        if self.only_merchant not in (None, merchant_number):
            raise Forbidden("a merchant sees its own affairs only")


def call_of(request: Request) -> Call:
    """The call that the route has opened."""
    call: Call = request.state.call
    return call
