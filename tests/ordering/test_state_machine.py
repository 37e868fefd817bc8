"""Everything that moves points, in any order, on a real chain: the network accepts exactly what a plain model of it would.

The model knows integers only: what each member has of each program, what is on its way, what is held, and what is left of each
movement to undo. Whenever the network has come to rest, balances must be the model's and the contract's, and all must add up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from clearing.kit.clock import MovableClock
from clearing.kit.errors import ClearingError
from clearing.ordering.holds.service import HoldService
from clearing.ordering.merges.rounds import MergeRound
from clearing.ordering.merges.service import MergeService
from clearing.ordering.orders.kinds.exchange import ExchangeRequest
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.kinds.redeem import RedeemRequest
from clearing.ordering.orders.kinds.reverse import ReverseRequest
from clearing.ordering.orders.kinds.spend import SpendRequest
from clearing.ordering.orders.kinds.transfer import TransferRequest
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.orders.service import OrderService
from clearing.parties.agreements.usability import NamedAgreement
from clearing.parties.codes.service import MemberCodeService
from clearing.parties.merchants.models import Merchant
from scripts.dev.services import Anvil
from tests.support.harness import Harness
from tests.support.nightly import IS_NIGHTLY, by_day
from tongdui.orders import Kind
from tongdui.rates import share_between

FUEL, CINE = 1, 2
ISSUER, CINEMA, WASH = 1, 2, 3
CODES = {FUEL: "FUEL", CINE: "CINE"}
Account = tuple[str, int]

members = Bundle("members")
movements = Bundle("movements")
holds = Bundle("holds")
codes = Bundle("codes")
some_points = st.integers(1, 60)


@dataclass
class Moved:
    """A movement: from which account so many points went, into which account how many came, and how many were undone."""

    id: str
    giver: int
    points: int
    took: Account | None = None
    gave: Account | None = None
    out: int = 0
    undone: int = 0
    settled: bool = False


@dataclass
class Held:
    """Points that a merchant has set aside."""

    id: str
    merchant: int
    account: Account
    points: int


@dataclass
class Shown:
    """A member's code: good for one draw on at most so many points of FUEL."""

    text: str
    member: str
    points: int
    used: bool = False


@dataclass
class Pending:
    """A movement that the chain has not decided yet: what it reserves and will burn, and what it will bring."""

    moved: Moved | None
    draw: Account | None
    reserved: int
    burnt: int
    gains: list[tuple[Account, int]]


@dataclass
class Model:
    """What each account has settled, what is reserved or held of it, and what the chain has yet to decide."""

    settled: dict[Account, int] = field(default_factory=lambda: defaultdict(int))
    taken: dict[Account, int] = field(default_factory=lambda: defaultdict(int))
    pending: list[Pending] = field(default_factory=list)
    merged: dict[str, str] = field(default_factory=dict)

    def member(self, member: str) -> str:
        """The member to whom an id leads."""
        while member in self.merged:
            member = self.merged[member]
        return member

    def free(self, account: Account) -> int:
        return self.settled[account] - self.taken[account]

    def accept(self, pending: Pending) -> None:
        """Notes a movement that was accepted."""
        if pending.draw is not None:
            self.taken[pending.draw] += pending.reserved
        self.pending.append(pending)

    def settle(self) -> None:
        """The chain has carried everything out."""
        for pending in self.pending:
            if pending.draw is not None:
                self.taken[pending.draw] -= pending.reserved
                self.settled[pending.draw] -= pending.burnt
            for account, points in pending.gains:
                self.settled[account] += points
            if pending.moved is not None:
                pending.moved.settled = True
        self.pending.clear()
        for member, program in list(self.settled):  # points that came back to a merged member are moved on
            if member in self.merged:
                self.settled[self.member(member), program] += self.settled.pop((member, program))


class Network(RuleBasedStateMachine):
    """Random requests of three merchants: an issuer, a cinema with a program of its own, and a car wash."""

    harness: Harness
    acceptance: str
    reached: dict[str, int]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

    # ---------------------------------------------------------------- members

    @initialize(target=members)
    def three_members(self) -> Any:
        return multiple(*(self.harness.member() for _ in range(3)))

    # ---------------------------------------------------------------- what a merchant does alone

    @rule(target=movements, member=members, points=some_points, program=st.sampled_from(sorted(CODES)))
    def issue(self, member: str, points: int, program: int) -> Any:
        account = (self.model.member(member), program)
        moved = Moved("", program, points, gave=account, out=points)
        request = IssueRequest(member=member, points=points, program=CODES[program])
        return self._order(program, request, moved, draw=None)

    @rule(target=movements, member=members, points=some_points, program=st.sampled_from(sorted(CODES)))
    def redeem(self, member: str, points: int, program: int) -> Any:
        account = (self.model.member(member), program)
        moved = Moved("", program, points, took=account)
        request = RedeemRequest(member=member, points=points, program=CODES[program])
        return self._order(program, request, moved, draw=account)

    @rule(target=movements, member=members, recipient=members, points=some_points)
    def transfer(self, member: str, recipient: str, points: int) -> Any:
        source, target = (self.model.member(member), FUEL), (self.model.member(recipient), FUEL)
        moved = Moved("", ISSUER, points, took=source, gave=target, out=points)
        request = TransferRequest(member=member, recipient=recipient, points=points, program="FUEL")
        if source == target:
            return self._refused("bad_recipient", lambda: self._accept(ISSUER, request))
        return self._order(ISSUER, request, moved, draw=source)

    # ---------------------------------------------------------------- what two merchants do

    @rule(target=movements, member=members, points=some_points)
    def exchange(self, member: str, points: int) -> Any:
        source, target = (self.model.member(member), FUEL), (self.model.member(member), CINE)
        request = ExchangeRequest(member=member, points=points, source_program="FUEL", target_program="CINE")
        out = points * 9 // 10
        if out == 0:
            return self._refused("below_minimum", lambda: self._accept(ISSUER, request))
        burnt = -(-out * 10 // 9)
        moved = Moved("", CINEMA, burnt, took=source, gave=target, out=out)
        return self._order(ISSUER, request, moved, draw=source, reserves=points)

    @rule(target=movements, member=members, points=some_points)
    def spend(self, member: str, points: int) -> Any:
        account = (self.model.member(member), FUEL)
        moved = Moved("", WASH, points, took=account)
        request = SpendRequest(member=member, points=points, agreement=self.acceptance)
        return self._order(ISSUER, request, moved, draw=account)

    # ---------------------------------------------------------------- the member's consent

    @rule(target=codes, member=members, points=some_points)
    def show_code(self, member: str, points: int) -> Shown:
        with self.harness.database.session.begin() as session:
            issuer = session.get_one(Merchant, ISSUER)
            _, text = MemberCodeService(session).create(
                issuer, member, points=points, program="FUEL", presenter=None, seconds=600, actor="test"
            )
        return Shown(text, member, points)

    @rule(target=movements, code=codes, points=some_points)
    def spend_by_code(self, code: Shown, points: int) -> Any:
        account = (self.model.member(code.member), FUEL)
        request = SpendRequest(member_code=code.text, points=points, agreement=self.acceptance)
        if (refusal := self._code_refusal(code, points)) is not None:
            return self._refused(refusal, lambda: self._accept(WASH, request))
        before = self.model.free(account)
        done = self._order(WASH, request, Moved("", WASH, points, took=account), draw=account)
        code.used = before >= points
        return done

    @rule(target=holds, code=codes, points=some_points)
    def hold_by_code(self, code: Shown, points: int) -> Any:
        account = (self.model.member(code.member), FUEL)
        named = NamedAgreement(self.acceptance, None)
        if (refusal := self._code_refusal(code, points)) is not None:
            return self._refused(refusal, lambda: self._hold(WASH, named, points, code=code.text))
        if self.model.free(account) < points:
            return self._refused("insufficient_points", lambda: self._hold(WASH, named, points, code=code.text))
        code.used = True
        return self._held(WASH, named, account, points, code=code.text)

    def _code_refusal(self, code: Shown, points: int) -> str | None:
        if code.used:
            return "member_code_invalid"
        return "over_member_code" if points > code.points else None

    # ---------------------------------------------------------------- holds

    @rule(target=holds, member=members, points=some_points)
    def hold(self, member: str, points: int) -> Any:
        account = (self.model.member(member), FUEL)
        named = NamedAgreement(None, "FUEL", program_field="program")
        if self.model.free(account) < points:
            return self._refused("insufficient_points", lambda: self._hold(ISSUER, named, points, member=member))
        return self._held(ISSUER, named, account, points, member=member)

    @rule(hold=consumes(holds))
    def release(self, hold: Held) -> None:
        with self._service() as (session, service):
            service.release(session.get_one(Merchant, hold.merchant), hold.id, actor="test")
        self.model.taken[hold.account] -= hold.points
        self._count("release")

    @rule(target=movements, hold=consumes(holds), points=some_points)
    def capture(self, hold: Held, points: int) -> Any:
        if points > hold.points:
            return self._refused("over_hold", lambda: self._capture(hold, points), keep=None)
        self.model.taken[hold.account] -= hold.points
        moved = Moved("", hold.merchant, points, took=hold.account)
        return self._do(moved, hold.account, points, lambda: self._capture(hold, points), "capture")

    def _capture(self, hold: Held, points: int) -> str:
        kind = Kind.REDEEM if hold.merchant == ISSUER else Kind.SPEND
        with self._service() as (session, service):
            order = service.capture(
                session.get_one(Merchant, hold.merchant),
                hold.id,
                kind,
                points=points,
                fields={},
                orders=self._orders(session),
                authorization=None,
                actor="test",
            )
            return order.instructions[0].id

    # ---------------------------------------------------------------- giving back

    @rule(moved=movements, points=some_points)
    def reverse(self, moved: Moved, points: int) -> None:
        request = ReverseRequest(movement=moved.id, points=points)
        left = moved.points - moved.undone
        if not moved.settled:
            self._refused("not_settled", lambda: self._accept(moved.giver, request))
        elif points > left:
            self._refused("over_reversal", lambda: self._accept(moved.giver, request))
        else:
            self._undo(moved, points, request)

    def _undo(self, moved: Moved, points: int, request: ReverseRequest) -> None:
        back = share_between(moved.out, moved.undone, moved.undone + points, moved.points)
        if moved.gave is not None and self.model.free(moved.gave) < back:
            self._refused("insufficient_points", lambda: self._accept(moved.giver, request))
            return
        gains = [(moved.took, points)] if moved.took is not None else []
        self._accept(moved.giver, request)
        moved.undone += points
        self.model.accept(Pending(None, moved.gave, back, back, gains))
        self._count("reverse")

    # ---------------------------------------------------------------- one person, two members

    @rule(member=members, into=members)
    def merge(self, member: str, into: str) -> None:
        """Merges when nothing is on its way; what is held stands against it."""
        self.settle()
        old, new = self.model.member(member), self.model.member(into)
        if old == new:
            self._refused("same_member", lambda: self._merge(member, into))
        elif any(self.model.taken[old, program] for program in CODES):
            self._refused("holds_open", lambda: self._merge(member, into))
        else:
            self._merge(member, into)
            self.model.merged[old] = new
            self._count("merge")
            self.settle()

    def _merge(self, member: str, into: str) -> None:
        with self.harness.database.session.begin() as session:
            service = MergeService(session, network=self.harness.network)
            issuer = session.get_one(Merchant, ISSUER)
            service.confirm(issuer, service.propose(issuer, member, into, "test").id, "test")

    # ---------------------------------------------------------------- the chain decides

    @rule()
    def settle(self) -> None:
        rounds = MergeRound(self.harness.database, self.harness.settings, self.harness.keyring)
        self.harness.settle()
        while rounds.run() | rounds.run_late():
            self.harness.settle()
        self.model.settle()
        for (member, program), points in self.model.settled.items():
            assert self.harness.posted(member, program) == points, (member, program)
            assert self.harness.available(member, program) == self.model.free((member, program)), (member, program)

    def teardown(self) -> None:
        """At the end everything adds up: accounts, positions, reservations and the journal, with the contract."""
        if self.model.settled or self.model.pending:
            self.settle()
            self.harness.check()

    # ---------------------------------------------------------------- asking the network

    def _order(
        self,
        merchant: int,
        request: InstructionRequest,
        moved: Moved,
        *,
        draw: Account | None,
        reserves: int | None = None,
    ) -> Any:
        needed = moved.points if reserves is None else reserves
        if draw is not None and self.model.free(draw) < needed:
            return self._refused("insufficient_points", lambda: self._accept(merchant, request))
        return self._do(moved, draw, needed, lambda: self._accept(merchant, request), request.kind.label)

    def _do(self, moved: Moved, draw: Account | None, needed: int, ask: Callable[[], str], name: str) -> Moved:
        moved.id = ask()
        gains = [(moved.gave, moved.out)] if moved.gave is not None else []
        self.model.accept(Pending(moved, draw, needed, moved.points, gains))
        self._count(name)
        return moved

    def _refused(self, code: str, ask: Callable[[], Any], keep: Any = None) -> Any:
        with pytest.raises(ClearingError) as refusal:
            ask()
        assert refusal.value.code == code, refusal.value.detail
        self._count(code)
        return multiple() if keep is None else keep

    def _accept(self, merchant: int, request: InstructionRequest) -> str:
        return self.harness.movement(self.harness.accept(merchant, [request]))

    def _held(self, merchant: int, named: NamedAgreement, account: Account, points: int, **who: str) -> Held:
        held = Held(self._hold(merchant, named, points, **who), merchant, account, points)
        self.model.taken[account] += points
        self._count("hold")
        return held

    def _hold(
        self, merchant: int, named: NamedAgreement, points: int, *, member: str | None = None, code: str | None = None
    ) -> str:
        with self._service() as (session, service):
            hold = service.create(
                session.get_one(Merchant, merchant),
                named,
                member=member,
                member_code=code,
                points=points,
                seconds=3_600,
                most_seconds=3_600,
                reference=None,
                actor="test",
            )
            return hold.id

    @contextmanager
    def _service(self) -> Iterator[tuple[Session, HoldService]]:
        with self.harness.database.session.begin() as session:
            yield session, HoldService(session, network=self.harness.network)

    def _orders(self, session: Session) -> OrderService:
        h = self.harness
        return OrderService(session, network=h.network, keyring=h.keyring, settings=h.settings)

    def _count(self, name: str) -> None:
        type(self).reached[name] = type(self).reached.get(name, 0) + 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_network_accepts_what_the_model_would(
    chain: Anvil, tmp_path: Path, clock: MovableClock, record_property: Callable[[str, object], None]
) -> None:
    harness = Harness(f"sqlite:///{tmp_path / 'machine.db'}", chain.url, tmp_path, clock)
    harness.onboard()
    Network.harness, Network.acceptance, Network.reached = harness, harness.acceptor(), {}
    run_state_machine_as_test(
        Network,
        settings=settings(
            max_examples=by_day(20, at_night=300),
            stateful_step_count=25,
            derandomize=not IS_NIGHTLY,  # by day the same stories each time; new ones at night
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    harness.close()
    record_property("reached", ", ".join(f"{name} {count}" for name, count in sorted(Network.reached.items())))
