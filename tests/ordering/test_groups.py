"""Orders that are accepted together fare as if each had been accepted in a transaction of its own, one after the other."""

from __future__ import annotations

import json
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from clearing.kit.clock import MovableClock
from clearing.kit.database import Base
from clearing.kit.errors import ClearingError, pointer_into
from clearing.kit.ids import new_id
from clearing.kit.viewer import Viewer
from clearing.ledger.availability.models import Hold, HoldPurpose
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.kinds.exchange import ExchangeRequest
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.kinds.redeem import RedeemRequest
from clearing.ordering.orders.kinds.spend import SpendRequest
from clearing.ordering.orders.kinds.transfer import TransferRequest
from clearing.ordering.orders.models import Instruction, Order
from clearing.ordering.orders.requests import Authorization, InstructionRequest
from clearing.ordering.orders.resolution import Lookups, Resolver
from clearing.ordering.orders.service import OrderRequest, OrderService
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.members.freezes import FreezeService
from clearing.parties.members.models import MemberLink
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.merchants.service import merchant_by_number
from clearing.parties.programs.models import Program, ProgramStatus
from tests.support.chainless import ChainlessNetwork
from tests.support.entry_history import EntryHistory
from tests.support.harness import TERMS, acceptance
from tests.support.nightly import by_day
from tongdui import orders as wire

FUEL, CINE, WASH, LATE = 1, 2, 3, 4
"""Merchants. For the first the gateway signs, the second signs some orders itself, the third all; the fourth is suspended."""
MEMBERS = ("rich", "poor", "frozen", "expired", "held", "nobody")
OWN_KEYS = {number: bytes([number]) * 32 for number in (CINE, WASH)}
FIRST_NONCE = 4
"""What lies below was reserved for the merchant's own orders."""
QUEUE_LIMIT = 7


@dataclass(frozen=True)
class Wish:
    """An order that a merchant may hand in."""

    merchant: int
    requests: tuple[InstructionRequest, ...]
    atomic: bool = False
    nonce: int | None = None
    """Of an order that the merchant signs itself."""
    seconds: int = 60
    """Until its deadline."""
    is_forged: bool = False


class Town:
    """Merchants, programs and members such that orders are refused for many reasons, most of them because of earlier orders."""

    def __init__(self, chainless: ChainlessNetwork) -> None:
        self.chainless = chainless
        self.ids = {name: chainless.member() for name in MEMBERS[:-1]} | {"nobody": "external:nobody"}
        with chainless.database.session.begin() as session:
            self._add_merchants(session)
            self._add_agreements(session)
            for number, name in ((number, name) for number in (WASH, LATE) for name in MEMBERS[:-1]):
                session.add(MemberLink(merchant_number=number, external_id=name, member_id=self.ids[name]))
            FreezeService(session).freeze(Viewer(None), self.ids["frozen"], "found", "test")
        for name, points in (("rich", 60), ("poor", 12), ("frozen", 30), ("held", 40)):
            chainless.give(self.ids[name], points)
            chainless.give(self.ids[name], points // 2, CINE)
        self._expire_some()
        self._hold_some()

    def _add_merchants(self, session: Session) -> None:
        for number, name, status in ((WASH, "wash", MerchantStatus.ACTIVE), (LATE, "late", MerchantStatus.SUSPENDED)):
            session.add(Merchant(number=number, id=new_id("mer"), name=name, status=status))
        session.flush()
        session.execute(update(Merchant).where(Merchant.number.in_(OWN_KEYS)).values(next_nonce=FIRST_NONCE))
        session.execute(update(Position).where(Position.merchant_number == FUEL).values(position=400_000))
        for number, key in OWN_KEYS.items():
            session.add(SignerKey(address=wire.address_of_key(key).lower(), merchant_number=number, keystore=None))
        _, keystore = self.chainless.keyring.create()
        session.add(SignerKey(address="0x" + "4" * 40, merchant_number=LATE, keystore=keystore))
        for number, owner, code, active in ((3, WASH, "WASH", True), (4, FUEL, "OLD", False), (5, LATE, "LATE", True)):
            program = Program(number=number, id=new_id("prg"), merchant_number=owner, code=code, name=code)
            program.status = ProgramStatus.ACTIVE if active else ProgramStatus.PAUSED
            session.add(program)

    def _add_agreements(self, session: Session) -> None:
        session.execute(update(Agreement).values(daily_cap=40))
        terms = asdict(TERMS) | acceptance(WASH) | {"document": secrets.token_bytes(32), "daily_cap": 30}
        self.ids["acceptance"] = new_id("agr")
        active = {"id": self.ids["acceptance"], "number": 2, "state": AgreementState.ACTIVE, "digest": b"2" * 32}
        session.add(Agreement(**active, ends_at=TERMS.valid_until, **terms))

    def _expire_some(self) -> None:
        """A member has points whose day has come, which no round has seen yet."""
        history = EntryHistory(day=self.chainless.today() - 9)
        address, _ = self.chainless.account(self.ids["expired"])
        history.issue(address, 25, self.chainless.today() - 1)
        history.issue(address, 20)
        self.chainless.post(history)

    def _hold_some(self) -> None:
        address, program = self.chainless.account(self.ids["held"])
        with self.chainless.database.session.begin() as session:
            now = self.chainless.database.clock.now()
            hold = Hold(id=new_id("hld"), merchant_number=FUEL, member_id=self.ids["held"], address=address)
            hold.program, hold.points, hold.purpose = program, 15, HoldPurpose.MERCHANT
            hold.created_at, hold.expires_at = now, now + timedelta(hours=1)
            session.add(hold)

    # ---------------------------------------------------------------- orders

    def wanted(self, session: Session, wish: Wish) -> OrderRequest:
        merchant = merchant_by_number(session, wish.merchant)
        requests = tuple(self._named(request) for request in wish.requests)
        signature = self._authorization(session, merchant, requests, wish) if wish.nonce is not None else None
        return OrderRequest(
            merchant=merchant, requests=requests, actor="test", authorization=signature, atomic=wish.atomic
        )

    def _named(self, request: Any) -> InstructionRequest:
        given = {field: getattr(request, field, None) for field in ("member", "recipient", "agreement")}
        names = {field: self.ids.get(name, name) for field, name in given.items() if name is not None}
        named: InstructionRequest = replace(request, **names)
        return named

    def _authorization(
        self, session: Session, merchant: Merchant, requests: Sequence[InstructionRequest], wish: Wish
    ) -> Authorization:
        network = self.chainless.network
        lookups = Lookups(session)
        lookups.prepare((merchant.number, request) for request in requests)
        resolver = Resolver(session, merchant, network, "test", lookups)
        deadline = self.chainless.database.clock.unix() + wish.seconds
        assert wish.nonce is not None
        try:
            drafts = [kind_of(request.kind).resolve(resolver, request, pointer_into("")) for request in requests]
        except ClearingError:
            return Authorization(wish.nonce, deadline, bytes(64))
        order = wire.Order(
            merchant.number, wish.nonce, deadline, tuple(draft.instruction for draft in drafts), wish.atomic
        )
        key = b"f" * 32 if wish.is_forged else OWN_KEYS[wish.merchant]
        return Authorization(wish.nonce, deadline, wire.sign_digest(order.digest(network.domain), key))

    def service(self, session: Session) -> OrderService:
        town = self.chainless
        return OrderService(session, network=town.network, keyring=town.keyring, settings=town.settings)

    # ---------------------------------------------------------------- two ways to accept them

    def together(self, connection: Connection, wishes: Sequence[Wish]) -> list[Any]:
        """All of them in one transaction."""
        with self._session(connection) as session:
            outcomes = self.service(session).accept_all([self.wanted(session, wish) for wish in wishes])
            session.commit()
        return [_outcome(outcome) for outcome in outcomes]

    def one_by_one(self, connection: Connection, wishes: Sequence[Wish]) -> list[Any]:
        """Each in a transaction of its own."""
        outcomes = []
        for wish in wishes:
            with self._session(connection) as session:
                (outcome,) = self.service(session).accept_all([self.wanted(session, wish)])
                if isinstance(outcome, ClearingError):
                    session.rollback()
                session.commit()
            outcomes.append(_outcome(outcome))
        return outcomes

    def _session(self, connection: Connection) -> Session:
        return self.chainless.database.session(bind=connection, join_transaction_mode="create_savepoint")

    def tried(
        self, accept: Callable[[Connection], list[Any]], connection: Connection
    ) -> tuple[list[Any], Counter[str]]:
        """What becomes of orders, and what is in the database then. Afterwards everything is as it was."""
        with undone(connection):
            outcomes = accept(connection)
            return outcomes, _content(connection)


_WRITTEN = (
    *("orders", "instructions", "movement_metadata", "events", "merchants", "accounts", "positions", "agreement_uses"),
    *("holds", "members", "quotes", "member_codes", "idempotency_records"),
)
"""All that accepting an order may write."""


@contextmanager
def undone(connection: Connection) -> Iterator[None]:
    attempt = connection.begin_nested()
    try:
        yield
    finally:
        attempt.rollback()


def _outcome(outcome: Any) -> Any:
    if isinstance(outcome, ClearingError):
        return type(outcome).__name__, outcome.status, outcome.code, outcome.detail, outcome.errors
    return "accepted", outcome.order.nonce, outcome.order.size


def _content(connection: Connection) -> Counter[str]:
    """All rows, but for ids and numbers that are different each time: their place stands for them."""
    text = json.dumps(
        [_rows(connection, table) for table in Base.metadata.sorted_tables], default=_plain, sort_keys=True
    )
    ids = list(connection.scalars(select(Order.id).order_by(Order.seq)))
    ids += connection.scalars(select(Instruction.id).order_by(Instruction.order_seq, Instruction.item))
    for place, id in enumerate(ids):  # noqa: A001
        text = text.replace(id, f"#{place}")
    return Counter(json.dumps(row) for table in json.loads(text) for row in table)


def _rows(connection: Connection, table: Any) -> list[dict[str, Any]]:
    rows = [dict(row) for row in connection.execute(select(table)).mappings()]
    for column in ("seq", "order_seq"):
        if rows and column in rows[0]:
            places = {number: place for place, number in enumerate(sorted({row[column] for row in rows}))}
            for row in rows:
                row[column] = places[row[column]]
    if table.name == "events":
        for row in rows:
            del row["id"]
    if table.name == "agreement_uses":
        rows = [
            row for row in rows if row["points"]
        ]  # an order that was refused alone takes the row away that it locked
    return [{"table": table.name} | row for row in rows]


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


# -------------------------------------------------------------------- what merchants may want


class Wisher:
    """Makes up orders, most of which could be accepted. A number decides all about one."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def wish(self) -> Wish:
        """An order."""
        merchant = self._random.choice([FUEL, FUEL, FUEL, FUEL, CINE, CINE, WASH, LATE])
        signs = merchant in OWN_KEYS and self._random.random() < (0.5 if merchant == CINE else 0.9)
        return Wish(
            merchant,
            tuple(self._request(merchant) for _ in range(self._random.choice([1, 1, 1, 2, 3]))),
            self._random.random() < 0.3,
            self._random.randrange(FIRST_NONCE + 1) if signs else None,
            self._mostly(60, -1, 99_999),
            self._mostly(False, True),
        )

    def _mostly(self, usual: Any, *others: Any) -> Any:
        return usual if self._random.random() < 0.93 else self._random.choice(others)

    def _member(self) -> str:
        return self._random.choice(
            ["rich", "rich", "poor", "expired", "held", self._mostly("rich", "frozen", "nobody")]
        )

    def _request(self, merchant: int) -> InstructionRequest:
        kinds = [IssueRequest, RedeemRequest, TransferRequest]
        kinds += [ExchangeRequest, ExchangeRequest, ExchangeRequest, SpendRequest] if merchant == FUEL else []
        kind = self._random.choice(kinds)
        fields: dict[str, Any] = {
            "member": self._member(),
            "points": self._random.randint(2, 30),
            "reference": self._random.choice([None, None, None, None, "r-1", "r-2"]),
            "metadata": self._random.choice([None, None, {"till": "7"}]),
        }
        if kind is ExchangeRequest:
            fields |= {"source_program": self._mostly("FUEL", "CINE"), "target_program": "CINE"}
            fields["min_out"] = self._mostly(None, 25)
        elif kind is SpendRequest:
            fields["agreement"] = self._mostly("acceptance", "agr_" + "0" * 26)
        else:
            fields["program"] = self._mostly(_PROGRAMS[merchant], "OLD", "NONE", "WASH")
        if kind is TransferRequest:
            fields["recipient"] = self._random.choice(["poor", "held", self._member()])
        request: InstructionRequest = kind(**fields)
        return request


_PROGRAMS = {FUEL: "FUEL", CINE: "CINE", WASH: "WASH", LATE: "LATE"}
_seeds = st.lists(st.integers(0, 2**32), min_size=2, max_size=12)


@pytest.fixture
def town(chainless: ChainlessNetwork, clock: MovableClock) -> Iterator[Town]:
    with clock.stopped(clock.now()):
        chainless.settings.queue_limit = QUEUE_LIMIT
        yield Town(chainless)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=by_day(10, at_night=300))
@given(seeds=_seeds)
def test_orders_accepted_together_fare_as_one_after_the_other(town: Town, seeds: list[int]) -> None:
    wishes = [Wisher(seed).wish() for seed in seeds]
    with town.chainless.database.engine.connect() as connection, connection.begin():
        outcomes, rows = town.tried(lambda c: town.one_by_one(c, wishes), connection)
        found, found_rows = town.tried(lambda c: town.together(c, wishes), connection)
        connection.get_transaction().rollback()
    assert found == outcomes
    assert (found_rows - rows, rows - found_rows) == (Counter(), Counter())
