"""A gateway under test: the real application over real HTTP. There is no chain; `confirm` does what its events would do."""

from __future__ import annotations

import io
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import structlog
import uvicorn
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call, CallState
from clearing.chain.contract import ContractEvent
from clearing.kit import logs
from clearing.kit.catalogue import CATALOGUE
from clearing.kit.clock import MovableClock, clock_of
from clearing.kit.config import RATE_LIMITS, Settings
from clearing.kit.database import Database
from clearing.kit.wakeups.channels import Channel, notify
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Batch, Entry
from clearing.ledger.settlement.models import BankMovement, BankMovementState
from clearing.ledger.settlement.repository import PositionRepository
from clearing.ordering.orders.models import Order, OrderState
from clearing.ordering.orders.progress_repository import OrderProgressRepository
from clearing.parties.access.service import AccessService, Scope, bootstrap_keys
from clearing.parties.agreements.models import Agreement
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant, MerchantStatus
from clearing.parties.merchants.service import require_merchant
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.pipeline.registry_events import apply_event
from gateway.app import create_app
from gateway.server import KEEP_ALIVE_SECONDS
from tests.support.secrets import passwords
from tongdui import receipts
from tongdui._flow import tls
from tongdui.encoding import hex_of

MOVING_SCOPES = ["issue", "redeem", "exchange", "spend", "transfer", "reverse", "expire"]
ALL_SCOPES = [*MOVING_SCOPES, "agree", "members", "settle", "webhooks", "read", "keys"]
CONTRACT = "0x" + "c0" * 20
_numbers = count(1)
_T = TypeVar("_T")

LOG = io.StringIO()
"""What the gateways of this process log."""
logs.configure()
structlog.configure(logger_factory=structlog.PrintLoggerFactory(LOG))


def logged() -> list[dict[str, Any]]:
    """What the gateways of this process have logged so far. A request's line may come a moment after its response."""
    return [json.loads(line) for line in LOG.getvalue().splitlines()]


class Site:
    """A gateway with its database. Each request names its caller: a role, a merchant, or an API key."""

    def __init__(self, database_url: str, directory: Path, **overrides: object) -> None:
        # It listens from the start: another process may take a port that is merely known to be free.
        self._listener = socket.create_server(("127.0.0.1", 0))
        values: dict[str, object] = {
            "database_url": database_url,
            "rpc_url": "http://127.0.0.1:9",
            "contract": CONTRACT,
            "keystore_dir": directory,
            **passwords(),
            "gateway_port": self._listener.getsockname()[1],
            "health_timeout": 30,
            **dict.fromkeys(RATE_LIMITS, 0),
            **overrides,
        }
        self.settings = Settings.model_validate(values)
        self.clock = MovableClock()
        self.database = Database(database_url, clock=self.clock)
        self.database.upgrade()
        with self.database.session.begin() as session:
            self.keys: dict[str, str] = {str(role): token for role, token in bootstrap_keys(session).items()}
            session.merge(Merchant(number=0, id="mer_" + "0" * 26, name="Network", status=MerchantStatus.ACTIVE))
        self.app = create_app(self.settings, self.database)
        config = uvicorn.Config(
            self.app,
            log_config=None,
            access_log=False,
            forwarded_allow_ips=self.settings.trusted_proxies,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        gateway = self.app.state.gateway
        gateway.key_uses.interval = 3_600  # tests that count statements want no others between them
        gateway.health.keep_seconds = gateway.newest_block.keep_seconds = 0  # tests look again at once
        gateway.waiters.is_stopping = gateway.feed.is_stopping = lambda: self._server.should_exit
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.settings.gateway_port}", timeout=60, verify=tls())

    def __enter__(self) -> Site:
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive())
        assert self._thread.is_alive()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join(60)
        self._listener.close()
        self.database.close()

    # ---------------------------------------------------------------- requests

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        caller: str = "operator",
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One request. A mutation gets an Idempotency-Key of its own unless one is given."""
        sent = {"Authorization": f"Bearer {self.keys.get(caller, caller)}", **(headers or {})}
        if method != "GET":
            sent["Idempotency-Key"] = key or f"key-{next(_numbers)}-{secrets.token_hex(4)}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        content = None if body is None else json.dumps(body)
        response = self.http.request(method, path, content=content, headers=sent)
        if method != "HEAD" and response.headers.get("content-type") == "application/problem+json":
            assert response.status_code in CATALOGUE[response.json()["code"]].statuses, response.text
        return response

    def get(self, path: str, *, caller: str = "operator") -> Any:
        """A GET that succeeds; its body."""
        response = self.call("GET", path, caller=caller)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any, **options: Any) -> Any:
        """A POST that succeeds; its body."""
        response = self.call("POST", path, body, **options)
        assert response.status_code in (200, 201, 202), response.text
        return response.json()

    def refused(self, path: str, body: Any, code: str, status: int = 422, **options: Any) -> Any:
        """A POST that is refused with this code; the problem document."""
        response = self.call("POST", path, body, **options)
        assert (response.status_code, response.json()["code"]) == (status, code), response.text
        assert response.headers["content-type"] == "application/problem+json"
        return response.json()

    def awaited(self) -> set[str]:
        """The resources for whose final state some request is waiting (`Prefer: wait`)."""
        return set(self.app.state.gateway.waiters.awaited)

    @contextmanager
    def statements(self) -> Iterator[list[tuple[str, Any]]]:
        """What is sent to the database meanwhile: statements with their parameters."""
        seen: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            seen.append((statement, parameters))

        event.listen(self.database.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.database.engine, "before_cursor_execute", note)

    # ---------------------------------------------------------------- the rest of the network

    def confirm(self) -> None:
        """Does what the projector does when the chain has accepted every privileged call."""
        with self.database.session.begin() as session:
            for call in session.scalars(select(Call).where(Call.state == CallState.PENDING)).all():
                call.state = CallState.DONE
                _CONFIRM[call.function](session, call)
            notify(session, Channel.DECIDED)

    def merchant(self, name: str = "", *, program: str | None = None, **fields: Any) -> Party:
        """An active merchant with a managed key (unless `signer_address` is given) and an API key with every scope, made as the
        command line makes it."""
        name = name or f"Merchant {next(_numbers)}"
        if "signer_address" not in fields:
            fields["managed_key"] = True
        credit = fields.pop("credit_limit_micros", 10**12)
        merchant = self.post("/v1/merchants", {"name": name, **fields})
        with self.database.session.begin() as session:
            found = require_merchant(session, merchant["id"])
            _, self.keys[found.id] = AccessService(session).create_first(found, frozenset(Scope), actor="test")
        if program is not None:
            self.post("/v1/programs", {"merchant": merchant["id"], "code": program, "name": program})
        self.confirm()
        with self.database.session.begin() as session:
            PositionRepository(session).lock(merchant["number"]).credit_limit = credit
        return Party(self, self.get(f"/v1/merchants/{merchant['id']}"), program)

    def agreed(self, path: str, body: Any, *, caller: str = "operator", checker: str | None = None) -> Any:
        """What needs two persons: one asks, and another one approves. The approval, with what each of them was shown once."""
        asked = self.post(path, {"reason": "for a test", **body}, caller=caller)
        checker = checker or ("operator" if caller == "treasury" else "treasury")
        done = self.post(f"/v1/approvals/{asked['id']}/approve", {}, caller=checker)
        return {**done, **{field: asked[field] for field in ("code", "secret") if asked[field]}}

    def book(self, kind: str, merchant: str, micros: int, reference: str) -> Any:
        """A deposit or a withdrawal, for which the treasury has asked and which the operator has approved."""
        body = {"merchant": merchant, "micros": micros, "bank_reference": reference}
        done = self.agreed(f"/v1/{kind}s", body, caller="treasury")
        return self.get(f"/v1/{kind}s/{done['result']}")

    def give(self, member: str, program: str, points: int) -> None:
        """Adds points to a member's account, as if the chain had posted them."""
        with self.database.session.begin() as session:
            address = session.get_one(Member, member).address
            number = session.scalars(select(Program.number).where(Program.code == program)).one()
            account = session.get(Account, (address, number))
            if account is None:
                session.add(Account(address=address, program=number, posted=points))
            else:
                account.posted += points

    def finish(self, order_id: str, state: OrderState, reason: str | None = None) -> None:
        """Makes an order final. A settled one gets its entries, in a batch of its own."""
        with self.database.session.begin() as session:
            order = session.scalars(select(Order).where(Order.id == order_id)).one()
            order.state, order.reason = state, reason
            if state is OrderState.SETTLED:
                _post_entries(session, order)
            else:
                OrderProgressRepository(session).refuse([(order, range(order.size))])
            notify(session, Channel.DECIDED)


class Party:
    """A merchant under test."""

    def __init__(self, site: Site, view: dict[str, Any], program: str | None) -> None:
        self.site = site
        self.id: str = view["id"]
        self.number: int = view["number"]
        self.program = program

    def post(self, path: str, body: Any, **options: Any) -> Any:
        """A POST by this merchant that succeeds."""
        return self.site.post(path, body, caller=self.id, **options)

    def get(self, path: str) -> Any:
        """A GET by this merchant that succeeds."""
        return self.site.get(path, caller=self.id)

    def refused(self, path: str, body: Any, code: str, status: int = 422, **options: Any) -> Any:
        """A POST by this merchant that is refused."""
        return self.site.refused(path, body, code, status, caller=self.id, **options)

    def key(self, *scopes: str) -> str:
        """A further API key of this merchant."""
        return str(self.post("/v1/api_keys", {"scopes": list(scopes)})["secret"])

    def member(self, external_id: str = "") -> str:
        """Registers a member with this merchant; its id."""
        return str(self.post("/v1/members", {"external_id": external_id or f"c-{next(_numbers)}"})["id"])


def terms(source: Party, target: Party, **fields: Any) -> dict[str, Any]:
    """An exchange agreement at 9/10."""
    return {
        "kind": "exchange",
        "source_program": source.program,
        "target_program": target.program,
        "rate_num": 9,
        "rate_den": 10,
        "unit_price_micros": 10_000,
        "fee_bps": 50,
        "max_points": 100_000,
        "daily_cap": 1_000_000,
        "valid_until": "2040-01-01T00:00:00Z",
        **fields,
    }


def acceptance(source: Party, target: Party, **fields: Any) -> dict[str, Any]:
    """An acceptance agreement at a cent a point, which both sides may use."""
    return {
        "kind": "acceptance",
        "initiators": ["source", "target"],
        "source_program": source.program,
        "target_merchant": target.id,
        "unit_price_micros": 10_000,
        "fee_bps": 50,
        "max_points": 100_000,
        "daily_cap": 1_000_000,
        "valid_until": "2040-01-01T00:00:00Z",
        **fields,
    }


def agree(source: Party, target: Party, **fields: Any) -> Any:
    """An active agreement: an exchange, unless the fields say that it is an acceptance."""
    wanted = acceptance if fields.get("kind") == "acceptance" else terms
    agreement = source.post("/v1/agreements", wanted(source, target, **fields))
    target.post(f"/v1/agreements/{agreement['id']}/signatures", {})
    source.site.confirm()
    return source.get(f"/v1/agreements/{agreement['id']}")


def until(look: Callable[[], _T], seconds: float = 60) -> _T:
    """Calls `look` until it returns something true; returns that."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.02)
    return seen


@contextmanager
def later(ready: Callable[[], object], action: Callable[[], None]) -> Iterator[None]:
    """Does something in another thread while the block runs, once a condition holds."""

    def act() -> None:
        until(ready)
        action()

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(act)
        try:
            yield
        finally:
            acting.result()


def together(times: int, action: Callable[[int], _T]) -> list[_T]:
    """Does something so many times at the same moment; returns the results."""
    barrier = threading.Barrier(times)

    def one(index: int) -> _T:
        barrier.wait()
        return action(index)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


# -------------------------------------------------------------------- what the chain's events would do


def _registered(session: Session, call: Call) -> None:
    number, _, _, credit_limit = call.arguments
    session.get_one(Merchant, number).status = MerchantStatus.ACTIVE
    PositionRepository(session).lock(number).credit_limit = credit_limit


def _program_registered(session: Session, call: Call) -> None:
    session.get_one(Program, call.arguments[0]).status = ProgramStatus.ACTIVE


def _agreement_registered(session: Session, call: Call) -> None:
    agreement = session.scalars(select(Agreement).where(Agreement.number == call.arguments[0])).one()
    apply_event(
        session,
        ContractEvent("AgreementRegistered", {"agreement": agreement.number, "digest": hex_of(agreement.digest)}),
    )
    if agreement.supersedes:
        ends_at = clock_of(session).unix() + agreement.grace_seconds
        _agreement_ends(session, agreement.supersedes, ends_at, by=agreement.number or 0)


def _agreement_terminated(session: Session, call: Call) -> None:
    number, effective_at, *_ = call.arguments
    _agreement_ends(session, number, max(effective_at, clock_of(session).unix()), by=0)


def _agreement_ends(session: Session, number: int, ends_at: int, *, by: int) -> None:
    apply_event(session, ContractEvent("AgreementEnds", {"agreement": number, "validUntil": ends_at, "by": by}))


def _limit_changed(session: Session, call: Call) -> None:
    PositionRepository(session).lock(call.arguments[0]).credit_limit = call.arguments[1]


def _money(sign: int) -> Callable[[Session, Call], None]:
    def confirm(session: Session, call: Call) -> None:
        number, micros, _ = call.arguments
        position = PositionRepository(session).lock(number)
        position.position += sign * micros
        position.reserved -= micros if sign < 0 else 0
        booked = update(BankMovement).where(BankMovement.id == call.subject)
        session.execute(booked.values(state=BankMovementState.POSTED))

    return confirm


_CONFIRM: dict[str, Callable[[Session, Call], None]] = {
    "registerMerchant": _registered,
    "registerProgram": _program_registered,
    "registerAgreement": _agreement_registered,
    "terminateAgreement": _agreement_terminated,
    "setCreditLimit": _limit_changed,
    "deposit": _money(1),
    "withdraw": _money(-1),
}


def _post_entries(session: Session, order: Order) -> None:
    number = 1 + len(session.scalars(select(Batch.number)).all())
    entries = [
        Entry(
            batch=number,
            index=i.item,
            leaf=b"",
            merchant=order.merchant_number,
            nonce=order.nonce,
            item=i.item,
            kind=i.kind,
            expiry_day=i.expiry_day,
            program=i.program,
            agreement=i.agreement,
            address=i.address,
            points=i.points,
            out=0,
            settled=0,
            fee=0,
            ref=i.ref,
            link=i.link,
            block_number=number,
        )
        for i in order.instructions
    ]
    for entry in entries:
        entry.leaf = entry.wire().leaf()
    session.add(
        Batch(
            number=number,
            root=receipts.merkle_root([entry.leaf for entry in entries]),
            head=bytes(32),
            entries=len(entries),
            tx_hash=bytes([number]) * 32,
            gas_used=1,
            block_number=number,
        )
    )
    session.add_all(entries)
