"""A network that the tests break on purpose: the whole path of an order runs in its own process and stops at a given step.

A step is a statement to the database, the moment before or after a commit, or the moment before or after a request to the node.
At the chosen step the process reports and waits while a fault hits it, its connections, the database or the chain. Then everything
restarts, the client repeats the request that got no answer, and all balances must be as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gzip
import json
import os
import random
import signal
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import anyio
from fastapi import Response
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainError, ChainUnreachable
from clearing.kit import bulk_insert as bulk
from clearing.kit.clock import SYSTEM_CLOCK
from clearing.kit.database import Base, Database
from clearing.kit.errors import Conflict
from clearing.kit.events.models import Event
from clearing.kit.events.reader import EventReader
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Block, Entry
from clearing.ledger.journal.repository import EntryRepository
from clearing.ledger.settlement.models import Position
from clearing.notifications.webhooks.delivery import Deliverer
from clearing.notifications.webhooks.fanout import CURSOR
from clearing.notifications.webhooks.models import DeliveryState, WebhookDelivery
from clearing.notifications.webhooks.sending import Answer, Undelivered
from clearing.notifications.webhooks.service import WebhookService
from clearing.ordering.merges.models import Merge, MergeState
from clearing.ordering.merges.rounds import MergeRound
from clearing.ordering.merges.service import MergeService
from clearing.ordering.orders.kinds.exchange import ExchangeRequest
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.kinds.redeem import RedeemRequest
from clearing.ordering.orders.kinds.reverse import ReverseRequest
from clearing.ordering.orders.kinds.spend import SpendRequest
from clearing.ordering.orders.kinds.transfer import TransferRequest
from clearing.ordering.orders.models import OPEN_STATES, Instruction, Order, OrderState
from clearing.ordering.orders.requests import InstructionRequest
from clearing.oversight.reconciliation.service import ReconciliationService
from clearing.parties.access.service import AccessService, Caller, Scope
from clearing.parties.agreements.models import Agreement
from clearing.parties.codes.models import MemberCode
from clearing.parties.codes.service import MemberCodeService
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant, SignerKey
from gateway.app import create_app
from gateway.http import acceptance
from gateway.http.acceptance import Applicant, Outcome, run_alone
from gateway.http.context import Call, Gateway
from gateway.http.groups import Groups
from gateway.http.results import Submitted
from scripts.dev.services import Anvil, Postgres
from tests.faults.patience import Patience
from tests.support.harness import Harness
from tests.support.webhook_receiver import WebhookReceiver
from tongdui import orders as wire
from tongdui import receipts
from tongdui.audit.model.clearing_house import ClearingHouse
from tongdui.audit.model.records import Role
from tongdui.encoding import keccak256, text_word
from tongdui.orders import Kind, full_signature

TROUBLE = (SQLAlchemyError, ChainError, ChainUnreachable)
"""Errors after which a daemon tries again."""

SILENCE = 180.0
"""Seconds in which a process that takes no step hangs: between two steps it does next to nothing."""

_WEBHOOKS = {"webhook_allow_local": True, "webhook_timeout": 5.0}

OWN: dict[int, str | None] = {1: "FUEL", 2: "CINE", 3: None}
"""Each merchant's program. The third takes FUEL for goods."""
_IN_COMPANY = (Kind.ISSUE, Kind.REDEEM, Kind.TRANSFER)
_OWN_KINDS = (*_IN_COMPANY, Kind.REVERSE)

TABLES = set(Base.metadata.tables)


@dataclass(frozen=True, slots=True)
class Plan:
    """An order that a merchant's client wants exactly once. Its first instruction has a unique reference.

    Or a merge of two members, which the network carries out by transfers of its own.
    """

    merchant: int
    requests: tuple[InstructionRequest, ...] = ()
    merge: str | None = None
    """Id of the merge, in place of requests."""

    @property
    def key(self) -> str:
        """What tells its orders from those of other plans: the reference of its first instruction, or the merge."""
        return f"merge:{self.merge}" if self.merge else str(self.requests[0].reference)


@dataclass(frozen=True, slots=True)
class Group:
    """Plans whose orders the gateway accepts together, each under an idempotency key of its own, and one that it refuses."""

    gateway: Gateway
    callers: Mapping[int, Caller]
    """By merchant."""
    plans: tuple[Plan, ...]
    refused: Plan
    merge: None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the process was when the fault hit."""

    step: int
    name: str


@dataclass(slots=True)
class World:
    """The network, the orders that it was given, and the reference model, which meets no faults."""

    server: Postgres
    node: Anvil
    directory: Path
    harness: Harness = field(init=False)
    model: ClearingHouse = field(init=False)
    acceptance: str = field(init=False)
    """Id of the agreement by which merchant 3 takes FUEL for goods."""
    members: list[str] = field(init=False)
    plans: list[Plan] = field(default_factory=list)
    modelled: int = 0
    undone: set[str] = field(default_factory=set)
    """Ids of movements that a plan reverses."""
    base: int = field(init=False)
    """The newest block that no fault may take away."""
    gateway: Gateway = field(init=False)
    callers: dict[int, Caller] = field(default_factory=dict)
    receiver: WebhookReceiver = field(default_factory=WebhookReceiver)
    """The merchants' server, which gets the webhooks about their orders."""

    def __post_init__(self) -> None:
        url = self.server.new_database("world")
        self.harness = Harness(url, self.node.url, self.directory, resend_after=0.3, **_WEBHOOKS)
        self.harness.onboard()
        self.acceptance = self.harness.acceptor()
        self.gateway = create_app(self.harness.settings, self.harness.database).state.gateway
        self._make_keys()
        self.receiver.__enter__()
        self._subscribe()
        self.members = [self.harness.member() for _ in range(4)]
        self.base = self.harness.client.head()
        self.model = self._model()
        for merchant, program in ((1, "FUEL"), (2, "CINE")):
            gifts = [IssueRequest(member=member, points=100_000, program=program) for member in self.members]
            self.run(Plan(merchant, (_named(gifts[0], f"gift-{program}"), *gifts[1:])))
        self.check()

    def close(self) -> None:
        """Closes connections."""
        self.receiver.__exit__()
        self.harness.close()

    def _make_keys(self) -> None:
        with self.harness.database.session.begin() as session:
            access = AccessService(session)
            for number in OWN:
                merchant = session.get_one(Merchant, number)
                _, token = access.create_first(merchant, frozenset(Scope), actor="test")
                caller = access.authenticate(token)
                assert caller is not None
                self.callers[number] = caller

    def _subscribe(self) -> None:
        with self.harness.database.session.begin() as session:
            service = WebhookService(
                session, keyring=self.harness.keyrings.webhook_secrets, settings=self.harness.settings
            )
            for number in OWN:
                merchant = session.get_one(Merchant, number)
                service.create(merchant, url=self.receiver.url, types=["order.settled"], description="", actor="test")

    # ---------------------------------------------------------------- plans

    def plan(self, rng: random.Random) -> Plan:
        """Makes a plan that will be accepted and settled if nothing is lost."""
        merchant = rng.choice(list(OWN))
        requests = [self._request(rng, merchant) for _ in range(rng.randint(1, 3))]
        return Plan(merchant, (_named(requests[0], f"doc-{len(self.plans)}-{rng.randrange(10**9)}"), *requests[1:]))

    def group(self, rng: random.Random) -> Group:
        """Makes plans of merchants that want their orders at the same moment."""
        plans = [self._plan_for_company(rng, rng.choice((1, 2))) for _ in range(4)]
        nobody = RedeemRequest(member="external:nobody", points=1, program="FUEL")
        refused = Plan(1, (_named(nobody, f"refused-{len(self.plans)}-{rng.randrange(10**9)}"),))
        return Group(self.gateway, self.callers, tuple(plans), refused)

    def _plan_for_company(self, rng: random.Random, merchant: int) -> Plan:
        requests = [self._own_request(rng, merchant, _IN_COMPANY) for _ in range(rng.randint(1, 2))]
        return Plan(merchant, (_named(requests[0], f"grouped-{len(self.plans)}-{rng.randrange(10**9)}"), *requests[1:]))

    def _request(self, rng: random.Random, merchant: int) -> InstructionRequest:
        if OWN[merchant] is None:
            return self._acceptors_request(rng, rng.choice(self.members), rng.randint(2, 50))
        return self._own_request(rng, merchant, _OWN_KINDS)

    def _own_request(self, rng: random.Random, merchant: int, kinds: Sequence[Kind]) -> InstructionRequest:
        member, points, own = rng.choice(self.members), rng.randint(2, 50), OWN[merchant] or ""
        match rng.choice([*kinds, *([Kind.EXCHANGE] if merchant == 1 else [])]):
            case Kind.ISSUE:
                return IssueRequest(member=member, points=points, program=own)
            case Kind.REDEEM:
                return RedeemRequest(member=member, points=points, program=own)
            case Kind.TRANSFER:
                recipient = rng.choice([other for other in self.members if other != member])
                return TransferRequest(member=member, recipient=recipient, points=points, program=own)
            case Kind.EXCHANGE:
                return ExchangeRequest(member=member, points=points, source_program=own, target_program="CINE")
            case _:
                undone = self._undo(rng, merchant)
                return undone or IssueRequest(member=member, points=points, program=own)

    def merge(self, rng: random.Random) -> Plan:
        """Makes a plan that merges a new member with points of both programs into another one."""
        old, new = self.harness.member(), self.harness.member()
        for merchant, program in ((1, "FUEL"), (2, "CINE")):
            gift = IssueRequest(member=old, points=rng.randint(1, 50), program=program)
            self.run(Plan(merchant, (_named(gift, f"gift-{old}-{program}"),)))
        with self.harness.database.session.begin() as session:
            service = MergeService(session, network=self.harness.network)
            return Plan(1, merge=service.propose(session.get_one(Merchant, 1), old, new, "test").id)

    def _acceptors_request(self, rng: random.Random, member: str, points: int) -> InstructionRequest:
        """A spend with the member's one-time code, or the return of an earlier one."""
        if rng.random() < 0.4 and (undone := self._undo(rng, 3)) is not None:
            return undone
        with self.harness.database.session.begin() as session:
            issuer = session.get_one(Merchant, 1)
            _, code = MemberCodeService(session).create(
                issuer, member, points=points, program="FUEL", presenter=None, seconds=600, actor="test"
            )
        return SpendRequest(member_code=code, points=points, agreement=self.acceptance)

    def _undo(self, rng: random.Random, merchant: int) -> InstructionRequest | None:
        """The reversal of a part of a movement that this merchant took in, or made on its own; None while there is none."""
        with self.harness.database.reading() as session:
            query = select(Instruction.id, Instruction.points).where(
                Instruction.kind != int(Kind.REVERSE),
                Instruction.points > 1,
                func.coalesce(Instruction.receiver, Instruction.giver) == merchant,
                Instruction.id.not_in(self.undone),
                Instruction.points <= 50,
                ~func.coalesce(Instruction.reference, "").regexp_match(
                    "^(gift|merge)"
                ),  # what a merge moved stays where it is
            )
            found = session.execute(query.order_by(Instruction.id)).all()
        if not found:
            return None
        movement, points = rng.choice(found)
        self.undone.add(movement)
        return ReverseRequest(movement=movement, points=rng.randint(1, points - 1))

    # ---------------------------------------------------------------- running

    def run(
        self, plan: Plan | Group, *, at: int | None = None, fault: Callable[[Connection, int], None] | None = None
    ) -> Stop:
        """Runs a plan in its own process, which waits at step `at` while `fault` happens; then finishes all open work."""
        ours, theirs = Pipe()
        self.plans += plan.plans if isinstance(plan, Group) else [plan]
        child = os.fork()
        if child == 0:
            _live(self.harness, plan, theirs, at)
        theirs.close()
        try:
            stop = self._watch(ours, child, fault)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            ours.close()
        self._restart()
        deliverer = Deliverer(self.harness.database, self.harness.settings, self.harness.keyrings.webhook_secrets)
        _carry_out(self.harness, plan, deliverer)  # the client asks again: it cannot know what happened
        self._settle_everything()
        _deliver(self.harness, deliverer)
        deliverer.close()
        return stop

    def _watch(self, child: Connection, pid: int, fault: Callable[[Connection, int], None] | None) -> Stop:
        """Returns what the process reports: where it stopped, or how many steps it took to the end."""
        stop = taken = Stop(0, "nowhere")
        while True:
            if not child.poll(SILENCE):
                raise TimeoutError(f"the process has taken no step for {SILENCE:.0f} seconds, after {taken}")
            try:
                word, step, name = child.recv()
            except EOFError:
                return stop  # it was killed
            if word == "took":
                taken = Stop(step, name)
                continue
            if word == "end":
                return stop if stop.step else Stop(step, name)
            stop = Stop(step, name)
            assert fault is not None
            fault(child, pid)

    def _restart(self) -> None:
        """Restarts the daemons as after a crash that left only the database and the chain."""
        self.harness.close()
        self.harness.database = Database(self.harness.settings.database_url)
        self.harness.client = ChainClient(self.harness.settings.rpc_url)
        self.harness.restart()

    @property
    def _round(self) -> MergeRound:
        return MergeRound(self.harness.database, self.harness.settings, self.harness.keyring)

    def _settle_everything(self) -> None:
        patience = Patience("at rest", partial(_standing, self.harness))
        while True:
            with contextlib.suppress(*TROUBLE):
                self.harness.sequencer.step()
                self.harness.signer.step()
                is_moving = bool(self.harness.projector.step()) or _is_open(self.harness)
                # Points may have come back to an address that a merge had emptied.
                if not is_moving and not self._round.run_late():
                    return
            patience.look()

    # ---------------------------------------------------------------- faults

    def keep_chain(self) -> bytes:
        """Returns the chain as it is now."""
        packed = bytes.fromhex(self.node.rpc("anvil_dumpState").removeprefix("0x"))
        return gzip.decompress(packed)

    def lose_blocks(self, state: bytes) -> None:
        """Kills the chain and restarts it as it was some blocks ago."""
        self.node.kill()
        self.node._state.write_bytes(state)
        self.node.start()
        self.base = self.harness.client.head()

    def depth(self, most: int) -> int:
        """Returns how many of the newest blocks may be lost."""
        return max(min(most, self.harness.client.head() - self.base), 0)

    # ---------------------------------------------------------------- what must be true, whatever happened

    def check(self, *, recorded_once: bool = True) -> None:
        """Asserts: nothing lost, nothing done twice; balances as in the model; database, contract and events agree."""
        planned = 0
        with self.harness.database.reading() as session:
            by_reference = self._orders_by_reference(session)
            told = self._told_of(session)
            for plan in self.plans:
                orders = by_reference[plan.key]
                sizes = [order.size for order in orders]
                if plan.merge:  # one transfer a program, and more where a reorganisation brought points back later
                    assert len(sizes) >= 2
                    assert set(sizes) == {1}
                else:
                    assert sizes == [len(plan.requests)]
                planned += sum(sizes)
                for order in orders:
                    assert order.state is OrderState.SETTLED, f"{plan} is {order.state} ({order.reason})"
                    assert told[order.id] >= 1, f"{plan} has no event order.settled"
                    if recorded_once and plan is self.plans[-1]:
                        assert told[order.id] == 1, f"{plan} has {told[order.id]} events order.settled"
            merged = select(Account.posted).join(Member, Member.address == Account.address)
            assert set(session.scalars(merged.where(Member.merged_into.is_not(None)))) <= {0}
            self._check_codes(session)
            entries = session.scalar(select(func.count()).select_from(Entry))
            events = set(session.scalars(select(Event.id).where(Event.type == "order.settled")))
        assert {request.headers["webhook-id"] for request in self.receiver.seen} == events
        assert entries == planned
        report = ReconciliationService(self.harness.database, self.harness.client, self.harness.settings).run()
        assert report.drifts == []
        assert report.checked["entry"] == entries
        self._compare_with_model()

    def check_answers(self, group: Group) -> None:
        """Asserts: each key of a group has one record, and every repetition of its request gets the order of that record."""
        with self.harness.database.reading() as session:
            by_reference = self._orders_by_reference(session)
            records = {record.key: record for record in session.scalars(select(IdempotencyRecord))}
        answers = _answers(self.harness, group)
        for plan, answer in zip(group.plans, answers, strict=False):
            (order,) = by_reference[plan.key]
            assert records[plan.key].location == order.id == json.loads(answer.body)["id"]
            assert answer.status_code == 201
        assert not by_reference[group.refused.key]
        assert records[group.refused.key].status == answers[-1].status_code == 404
        assert records[group.refused.key].body == bytes(answers[-1].body).decode()

    @staticmethod
    def _orders_by_reference(session: Session) -> Mapping[str, list[Order]]:
        """All orders by the key of the plan that they came of; all at once, because the plans become many."""
        found: dict[str, list[Order]] = defaultdict(list)
        query = select(Instruction.reference, Order).join(Order.instructions).where(Instruction.reference.is_not(None))
        for reference, order in session.execute(query.order_by(Order.seq)):
            found[
                reference.rpartition(":")[0].rpartition(":")[0] if reference.startswith("merge:") else reference
            ].append(order)
        return found

    @staticmethod
    def _told_of(session: Session) -> Mapping[str, int]:
        """How many events `order.settled` there are, by order."""
        told: Mapping[str, int] = Counter(session.scalars(select(Event.subject).where(Event.type == "order.settled")))
        return told

    @staticmethod
    def _check_codes(session: Session) -> None:
        """Every code became exactly one movement, and the member's own merchant was told of it once."""
        used = Counter(session.scalars(select(MemberCode.used_for)))
        drawn = select(Instruction.id).where(Instruction.merchant_number == 3, Instruction.kind == int(Kind.SPEND))
        assert used == Counter(session.scalars(drawn))
        told = session.scalars(select(Event.stored).where(Event.type == "member.code_used"))
        assert Counter(data["used_for"] for data in told) == used

    def _compare_with_model(self) -> None:
        """Has the model execute each plan once, in order, and compares balances and positions."""
        model = self.model
        with self.harness.database.reading() as session:
            by_reference = self._orders_by_reference(session)
            for plan in self.plans[self.modelled :]:
                model.now = int(time.time())
                before = len(model.events)
                for order in by_reference[plan.key]:
                    model.execute(self.harness.keys.address("sequencer"), [order.signed()], partial(_evidence, session))
                assert not [name for name, _ in model.events[before:] if name.endswith("Rejected")]
            self.modelled = len(self.plans)
            balances = {(a.address, a.program): a.posted for a in session.scalars(select(Account)) if a.posted}
            positions = {p.merchant_number: p.position for p in session.scalars(select(Position))}
            assert {p.reserved for p in session.scalars(select(Position))} == {0}
        assert balances == {key: points for key, points in model.balances.items() if points}
        assert positions == {number: merchant.position for number, merchant in model.merchants.items()}

    def _model(self) -> ClearingHouse:
        h = self.harness
        admin, operator, sequencer, treasury = (
            h.keys.address(role) for role in ("admin", "operator", "sequencer", "treasury")
        )
        model = _Model(h.network.domain, admin, text_word("Test"), 28_800, int(time.time()))
        for role, holder in ((Role.OPERATOR, operator), (Role.SEQUENCER, sequencer), (Role.TREASURY, treasury)):
            model.set_role(admin, role, holder, True)
        with h.database.reading() as session:
            for number, code in OWN.items():
                key = session.scalars(select(SignerKey.address).where(SignerKey.merchant_number == number)).one()
                model.register_merchant(operator, number, text_word(f"merchant {number}"), key, 0)
                if code is not None:
                    model.register_program(operator, number, number, text_word(code), text_word(code))
            rows = session.scalars(select(Agreement).order_by(Agreement.number)).all()
        for row in rows:
            assert row.number is not None
            assert row.source_signature is not None
            assert row.target_signature is not None
            signatures = full_signature(row.source_signature), full_signature(row.target_signature)
            model.register_agreement(operator, row.number, row.terms, *signatures)
        for number in OWN:
            model.deposit(treasury, number, 1_000_000_000, keccak256(f"bank-{number}".encode()))
        return model


class _Model(ClearingHouse):
    """The reference model. Its batches have other numbers than the chain, so it takes entries without their proofs."""

    def _proven_entry(self, i: wire.Instruction, evidence: receipts.Evidence | None) -> receipts.Entry:
        assert evidence is not None
        assert (evidence.entry.leaf(), evidence.entry.member) == (i.link, i.member)
        return evidence.entry


def _evidence(session: Session, reversal: wire.Instruction) -> receipts.Evidence | None:
    """The entry that a reversal undoes, with its proof, as the database has it."""
    proof = EntryRepository(session).receipt(reversal.link)
    return receipts.Evidence(proof.entry.wire(), proof.path) if proof is not None else None


# -------------------------------------------------------------------- in the order's own process


class Steps:
    """Counts the steps of this process and waits at one of them."""

    def __init__(self, parent: Connection, at: int | None) -> None:
        self._parent = parent
        self._at = at
        self._lock = threading.Lock()
        self.count = 0
        self.names: list[str] = []

    def take(self, name: str) -> bool:
        """Counts one more step; returns True if its connection must be cut."""
        with self._lock:  # webhooks are sent by threads of their own
            self.count += 1
            self.names.append(name)
            step = self.count
            self._parent.send(("took" if step != self._at else "at", step, name))
        if step != self._at:
            return False
        return bool(self._parent.recv() == "cut")

    def watch(self, harness: Harness, deliverer: Deliverer) -> None:
        """Hooks into everything that leaves this process."""
        deliverer._sender.send = self._counted_webhook(deliverer._sender.send)  # type: ignore[method-assign]
        engine = harness.database.engine
        event.listen(engine, "before_cursor_execute", self._before_statement)
        event.listen(engine, "commit", self._before_commit)
        event.listen(harness.database.session, "after_commit", self._after_commit)
        self._watch_copies()
        acceptance.accept_group = self._counted_group(acceptance.accept_group)
        post = harness.client._post

        def counted(payload: Any) -> Any:
            first = payload[0] if isinstance(payload, list) else payload
            if self.take(f"before {first['method']}"):
                raise ChainUnreachable("cut before the request")
            answer = post(payload)
            if self.take(f"after {first['method']}"):
                raise ChainUnreachable("cut before the answer")
            return answer

        harness.client._post = counted  # type: ignore[method-assign]

    def _counted_webhook(self, send: Callable[..., Answer]) -> Callable[..., Answer]:
        def counted(*arguments: Any) -> Answer:
            if self.take("before webhook"):
                raise Undelivered("cut before the request")
            answer = send(*arguments)
            if self.take("after webhook"):
                raise Undelivered("cut before the answer")
            return answer

        return counted

    def _counted_group(self, accept: Callable[..., Sequence[Outcome]]) -> Callable[..., list[Outcome]]:
        def counted(group: Sequence[Applicant]) -> list[Outcome]:
            outcomes = accept(group)
            if self.take("between group commit and answers"):
                raise OperationalError("cut before the answers", None, Exception())
            return list(outcomes)

        return counted

    def _watch_copies(self) -> None:
        """Hooks into COPY, which bypasses SQLAlchemy's events."""
        copy_rows = bulk._copy

        def counted(session: Session, model: type[Base], *rows: Any) -> None:
            if self.take(f"COPY {model.__tablename__}"):
                _cut(session.connection())
            copy_rows(session, model, *rows)

        bulk._copy = counted

    def _before_statement(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self.take(" ".join(word for word in statement.split() if word.isupper() or word in TABLES)):
            _cut(connection)

    def _before_commit(self, connection: Any) -> None:
        if self.take("before COMMIT"):
            _cut(connection)

    def _after_commit(self, _session: Any) -> None:
        if self.take("after COMMIT"):
            raise OperationalError("cut before the answer to COMMIT", None, Exception())


def _cut(connection: Any) -> None:
    with socket.socket(fileno=os.dup(connection.connection.driver_connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def _live(harness: Harness, plan: Plan | Group, parent: Connection, at: int | None) -> None:
    """Runs in the order's own process; never returns."""
    code = 1
    try:
        mine = copy.copy(harness)  # the connections belong to the parent
        mine.database = Database(harness.settings.database_url)
        mine.client = ChainClient(harness.settings.rpc_url)
        mine.restart()
        deliverer = Deliverer(mine.database, mine.settings, mine.keyrings.webhook_secrets)
        steps = Steps(parent, at)
        steps.watch(mine, deliverer)
        _carry_out(mine, plan, deliverer)
        parent.send(("end", steps.count, "; ".join(steps.names)))
        code = 0
    finally:
        os._exit(code)


def _carry_out(harness: Harness, plan: Plan | Group, deliverer: Deliverer) -> None:
    """Runs the whole path: accept, sequence, send, confirm, project, deliver. Repeats what fails, as clients and daemons do."""
    _insist(lambda: _accept_once(harness, plan))
    patience = Patience(f"settled: {plan}", partial(_standing, harness))
    while _insist(lambda: _is_open(harness)) or (plan.merge and _insist(lambda: _is_moving(harness, plan.merge))):
        _insist(harness.sequencer.step)
        _insist(harness.signer.step)
        _insist(harness.projector.step)
        if plan.merge:
            _insist(MergeRound(harness.database, harness.settings, harness.keyring).run)
        patience.look()
    _deliver(harness, deliverer)


def _deliver(harness: Harness, deliverer: Deliverer) -> None:
    """Delivers until every merchant is notified. What a dead process had taken to deliver is due again."""
    patience = Patience("every merchant told", partial(_standing, harness))
    while _insist(lambda: _is_undelivered(harness)):
        patience.look()
        _insist(deliverer.step)


def _standing(harness: Harness) -> tuple[Any, ...]:
    """What changes while the network gets on: the chain, what was read of it, orders and webhooks."""

    def look() -> tuple[Any, ...]:
        with harness.database.reading() as session:
            block = session.scalar(select(func.max(Block.number)))
            orders = session.execute(select(Order.state, func.count()).group_by(Order.state).order_by(Order.state))
            webhooks = select(WebhookDelivery.state, func.count()).group_by(WebhookDelivery.state)
            cursor = EventReader(session).cursor(CURSOR)
            told = session.execute(webhooks.order_by(WebhookDelivery.state)).all()
            return harness.client.head(), block, orders.all(), told, cursor and cursor.seq

    found: tuple[Any, ...] = _insist(look)
    return found


def _is_undelivered(harness: Harness) -> bool:
    with harness.database.session.begin() as session:
        waiting = update(WebhookDelivery).where(WebhookDelivery.state == DeliveryState.PENDING)
        free = waiting.values(next_attempt_at=SYSTEM_CLOCK.now(), claimed_until=None)
        due = session.execute(free.returning(WebhookDelivery.id)).all()
        reader = EventReader(session)
        cursor = reader.cursor(CURSOR)  # the fan-out waits some seconds for numbers that a crash left out
        return bool(due) or cursor is None or reader.newest() > cursor.seq


def _accept_once(harness: Harness, plan: Plan | Group) -> None:
    if isinstance(plan, Group):
        _answers(harness, plan)
        return
    if plan.merge:
        with harness.database.session.begin() as session:
            service = MergeService(session, network=harness.network)
            service.confirm(session.get_one(Merchant, plan.merchant), plan.merge, "test")
        return
    try:
        harness.accept(plan.merchant, plan.requests)
    except Conflict as refusal:
        if refusal.code != "duplicate_reference":
            raise


def _answers(harness: Harness, group: Group) -> list[Response]:
    """Sends the requests of a group at the same moment, each under its key, as the gateway gets them; the answers to them."""
    applicants = [_applicant(harness, group, plan) for plan in (*group.plans, group.refused)]
    outcomes = asyncio.run(_joined(applicants))
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    alone = [
        run_alone(one.call, one.submitted) for one, outcome in zip(applicants, outcomes, strict=True) if not outcome
    ]
    return [outcome or alone.pop(0) for outcome in outcomes]


async def _joined(applicants: Sequence[Applicant]) -> list[Any]:
    groups: Groups[Applicant, Response | None] = Groups(acceptance.accept_group)
    async with anyio.create_task_group() as tasks:
        joining = [asyncio.ensure_future(groups.join(one)) for one in applicants]
        tasks.start_soon(groups.run)
        outcomes = await asyncio.gather(*joining, return_exceptions=True)
        tasks.cancel_scope.cancel()
    return outcomes


def _applicant(harness: Harness, group: Group, plan: Plan) -> Applicant:
    content = {"reference": plan.key}
    call = Call(
        gateway=replace(group.gateway, database=harness.database),
        caller=group.callers[plan.merchant],
        request_id="req_fault",
        method="POST",
        path="/v1/orders",
        status=201,
        key=plan.key,
        raw_body=json.dumps(content).encode(),
        content=content,
    )
    return Applicant(call, Submitted(requests=plan.requests, resource=lambda accepted: accepted.id))


def _is_moving(harness: Harness, merge: str) -> bool:
    with harness.database.session.begin() as session:
        return session.get_one(Merge, merge).state is MergeState.MOVING


def _is_open(harness: Harness) -> bool:
    with harness.database.session.begin() as session:
        query = select(Order.seq).where(Order.state.in_(OPEN_STATES)).limit(1)
        return session.scalar(query) is not None


def _insist(action: Callable[[], Any]) -> Any:
    patience = Patience("an answer", lambda: None)
    while True:
        try:
            return action()
        except TROUBLE:
            patience.look()
            time.sleep(0.02)


def _named(request: InstructionRequest, reference: str) -> InstructionRequest:
    return replace(request, reference=reference)
