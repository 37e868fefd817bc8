"""What merchants ask for while things break: each wish has one idempotency key and is repeated until it is answered, and again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from clearing.runtime.embedded.network import EmbeddedNetwork
from tongdui import (
    APIConnectionError,
    APIError,
    Client,
    Exchange,
    Hold,
    IdempotencyInFlightError,
    InstructionRequest,
    Issue,
    LocalSigner,
    Movement,
    RateLimitedError,
    Redeem,
    ServerError,
    testing,
)

T = TypeVar("T")

NO_ANSWER = (APIConnectionError, ServerError, RateLimitedError, IdempotencyInFlightError)
REFUSALS = frozenset({"insufficient_points", "hold_ended", "insufficient_position", "insufficient_funds"})
"""What the gateway may refuse here: too few points, a hold that has ended, a withdrawal without the money for it."""
MEMBERS = 12
PROGRAMS = ("FUEL", "CINE")
FIRST_DEPOSIT = "first deposit of "
LAPSE = 2
"""Seconds until a hold lapses."""


class Identified(Protocol):
    """Any answer with an id."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


I = TypeVar("I", bound=Identified)  # noqa: E741


@dataclass(slots=True)
class Wish:
    """Something that a client wants exactly once, under one idempotency key."""

    kind: str
    key: str
    references: tuple[str, ...] = ()
    """The references of the instructions that are its effect, if it is accepted."""
    answers: set[str] = field(default_factory=set)
    """The ids that the gateway answered with: one, however often it was asked."""
    refused: str | None = None
    asked: int = 0
    restarts: int = 0
    """How often a restarted client asked for it."""


@dataclass(slots=True)
class Trader:
    """A client program: each thread has one, with its own connections."""

    name: str
    url: str
    key: str
    signer: LocalSigner | None
    rng: random.Random
    wishes: list[Wish] = field(default_factory=list)
    fault: BaseException | None = None
    """The error that ended it early."""

    def client(self) -> Client:
        """Makes a client with its own connections and its own nonces."""
        return Client(self.url, self.key, signer=self.signer, timeout=10.0, max_retries=1)

    def run(self, stop: threading.Event) -> None:
        """Makes one wish after another until `stop` is set; every wish gets its answer."""
        try:
            with self.client() as client, self.client() as twin:
                while not stop.is_set():
                    self.next(client, twin)
                    stop.wait(self.rng.random() * 0.05)
        except BaseException as error:
            self.fault = error
            raise

    def next(self, client: Client, twin: Client) -> None:
        """Makes one more wish."""
        raise NotImplementedError

    def ask(self, client: Client, twin: Client, wish: Wish, send: Callable[[Client], I]) -> I | None:
        """Asks until there is an answer: sometimes twice at once, sometimes again, sometimes from a restarted client."""
        self.wishes.append(wish)
        if self.rng.random() < 0.15:
            double = threading.Thread(target=self._insist, args=(twin, wish, send))
            double.start()
            answer = self._insist(client, wish, send)
            double.join()
        else:
            answer = self._insist(client, wish, send)
        if self.rng.random() < 0.10:
            self._insist(client, wish, send)
        if self.rng.random() < 0.05:
            wish.restarts += 1
            with self.client() as restarted:
                self._insist(restarted, wish, send)
        return answer

    def _insist(self, client: Client, wish: Wish, send: Callable[[Client], I]) -> I | None:
        def once() -> I:
            wish.asked += 1
            return send(client)

        try:
            answer = insist(once)
        except APIError as error:
            wish.refused = error.code if error.code in REFUSALS else f"unexpectedly: {error.code}: {error.detail}"
            return None
        wish.answers.add(answer.id)
        return answer


@dataclass(slots=True)
class Shop(Trader):
    """A merchant's till: single movements, bulk and atomic orders, holds."""

    program: str = ""
    target: str = ""

    def next(self, client: Client, twin: Client) -> None:
        """Makes one more wish."""
        kinds = ["issue", "redeem", "exchange", "bulk", "atomic", "hold"]
        kind = self.rng.choices(kinds, [4, 2, 3, 1, 1, 2])[0]
        key = f"{self.name}-{self.rng.getrandbits(64):x}"
        match kind:
            case "bulk" | "atomic":
                self._order(client, twin, kind, key)
            case "hold":
                self._hold(client, twin, key)
            case _:
                self._movement(client, twin, kind, key)

    def _movement(self, client: Client, twin: Client, kind: str, key: str) -> None:
        common: dict[str, Any] = {
            "member": self._member(),
            "points": self.rng.randint(2, 40),
            "reference": key,
            "idempotency_key": key,
        }

        def send(client: Client) -> Movement:
            match kind:
                case "issue":
                    return client.issuances.create(program=self.program, **common)
                case "redeem":
                    return client.redemptions.create(program=self.program, **common)
                case _:
                    return client.exchanges.create(source_program=self.program, target_program=self.target, **common)

        self.ask(client, twin, Wish(kind, key, (key,)), send)

    def _order(self, client: Client, twin: Client, kind: str, key: str) -> None:
        member = self._member()
        references = tuple(f"{key}:{item}" for item in range(self.rng.randint(2, 8)))
        instructions: list[InstructionRequest]
        if kind == "bulk":
            instructions = [self._issue_or_redeem(reference) for reference in references]
        else:  # the order uses what it issues
            points = self.rng.randint(20, 40)
            first = Issue(program=self.program, member=member, points=points, reference=references[0])
            rest = [self._use(member, points // len(references), reference) for reference in references[1:]]
            instructions = [first, *rest]
        wish = Wish(kind, key, references)
        self.ask(
            client,
            twin,
            wish,
            lambda client: client.orders.create(instructions, atomic=kind == "atomic", idempotency_key=key),
        )

    def _issue_or_redeem(self, reference: str) -> InstructionRequest:
        kind = self.rng.choice((Issue, Issue, Redeem))
        return kind(program=self.program, member=self._member(), points=self.rng.randint(1, 10), reference=reference)

    def _use(self, member: str, points: int, reference: str) -> InstructionRequest:
        if self.rng.random() < 0.5:
            return Redeem(program=self.program, member=member, points=points, reference=reference)
        return Exchange(
            source_program=self.program,
            target_program=self.target,
            member=member,
            points=max(points, 2),
            reference=reference,
        )

    def _hold(self, client: Client, twin: Client, key: str) -> None:
        """Makes a hold, then captures a part or all of it, releases it, or lets it lapse."""
        end = self.rng.choice(("capture", "capture", "release", "lapse"))
        member, points = self._member(), self.rng.randint(2, 20)
        part = self.rng.randint(2, points)
        exchange = self.rng.random() < 0.3
        wish = Wish(f"hold, then {end}", key)
        hold = self.ask(
            client,
            twin,
            wish,
            lambda client: client.holds.create(
                program=self.program,
                member=member,
                points=points,
                expires_in=LAPSE if end == "lapse" else 600,
                reference=key,
                idempotency_key=key,
            ),
        )
        if not isinstance(hold, Hold) or end == "lapse":
            return
        again = f"{key}:{end}"
        if end == "release":
            self.ask(client, twin, Wish(end, again), lambda client: client.holds.release(hold, idempotency_key=again))
            return
        self.ask(
            client,
            twin,
            Wish(end, again, (again,)),
            lambda client: client.holds.capture(
                hold,
                points=part,
                target_program=self.target if exchange else None,
                reference=again,
                idempotency_key=again,
            ),
        )

    def _member(self) -> str:
        return f"external:{self.rng.randrange(MEMBERS)}"


@dataclass(slots=True)
class Bank(Trader):
    """The treasury's program asks for money in and out; the operator approves it."""

    merchants: tuple[str, ...] = ()
    operator_key: str = ""

    def next(self, client: Client, twin: Client) -> None:
        """Makes one more wish, less often than a till does."""
        kind = self.rng.choice(("deposit", "withdrawal"))
        key = f"{self.name}-{self.rng.getrandbits(64):x}"
        merchant, micros = self.rng.choice(self.merchants), self.rng.randint(1, 10**9)

        def send(client: Client) -> Identified:
            resource = client.deposits if kind == "deposit" else client.withdrawals
            asked = resource.create(
                merchant=merchant, micros=micros, bank_reference=key, reason="soak", idempotency_key=key
            )
            with Client(self.url, self.operator_key, timeout=10.0, max_retries=1) as operator:
                return operator.approvals.approve(asked, idempotency_key=f"{key}:approved")

        self.ask(client, twin, Wish(kind, key), send)
        time.sleep(self.rng.random())


def insist(ask: Callable[[], T], seconds: float = 180.0) -> T:
    """Asks again until there is an answer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except NO_ANSWER:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def chance(seed: int) -> random.Random:
    """Returns a source of decisions that a seed repeats. (Nothing here is a secret.)"""
    return random.Random(seed)


def onboard(network: EmbeddedNetwork, rng: random.Random, threads: int, hook: str) -> list[Trader]:
    """Onboards two merchants, one of which signs for itself, with programs, agreements, money, members and webhook endpoints.

    Returns their client programs, `threads` for each, and the treasury's.
    """
    operator = Client(network.url, network.api_keys["operator"])
    treasury = Client(network.url, network.api_keys["treasury"])
    shops, ids = [], []
    for name, code, local in (("Gas", "FUEL", True), ("Cinema", "CINE", False)):
        signer = LocalSigner.generate() if local else None
        signing: dict[str, Any] = {"signer_address": signer.address} if signer else {"managed_key": True}
        merchant = operator.merchants.create(name=name, wait=30.0, **signing)
        operator.programs.create(merchant=merchant, code=code, name=code, wait=30.0)
        scopes = ["issue", "exchange", "redeem", "agree", "members", "settle", "webhooks", "read"]
        secret = testing.first_key(operator, treasury, merchant, scopes)
        testing.deposit(treasury, operator, merchant, 10**13, f"{FIRST_DEPOSIT}{name}")
        target = next(other for other in PROGRAMS if other != code)
        shop = Shop(name, network.url, secret, signer, rng, program=code, target=target)
        shop.client().webhook_endpoints.create(url=hook, types=["order.settled"])
        shops.append(shop)
        ids.append(merchant.id)
    gas, cinema = (shop.client() for shop in shops)
    for number in range(MEMBERS):
        gas.members.create(external_id=str(number))
        code = gas.members.create_link_code(f"external:{number}").code
        cinema.members.create(external_id=str(number), link_code=code)
    _agree(gas, cinema)
    programs: list[Trader] = [
        Shop(
            f"{shop.name}-{number}",
            shop.url,
            shop.key,
            shop.signer,
            chance(rng.getrandbits(64)),
            program=shop.program,
            target=shop.target,
        )
        for shop in shops
        for number in range(threads)
    ]
    bank = Bank(
        "bank",
        network.url,
        network.api_keys["treasury"],
        None,
        chance(rng.getrandbits(64)),
        merchants=tuple(ids),
        operator_key=network.api_keys["operator"],
    )
    return [*programs, bank]


def _agree(gas: Client, cinema: Client) -> None:
    until = datetime.now(UTC) + timedelta(days=30)
    for proposer, signer, source, target, rate in (
        (gas, cinema, "FUEL", "CINE", "9/10"),
        (cinema, gas, "CINE", "FUEL", "10/11"),
    ):
        agreement = proposer.agreements.propose(
            source_program=source,
            target_program=target,
            rate=rate,
            unit_price_micros=10_000,
            max_points=1_000,
            daily_cap=10**9,
            fee_bps=50,
            valid_until=until,
            wait=30.0,
        )
        if proposer is cinema:  # the gateway holds its key and signs when asked
            agreement = proposer.agreements.sign(agreement, wait=30.0)
        agreement = signer.agreements.sign(agreement, wait=30.0)
        assert agreement.state == "active", agreement.state
