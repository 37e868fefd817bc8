"""What merchants do: the honest ones, and the hostile one. Each deed is a method that a step names."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import Response
from sqlalchemy import func, select

from clearing.chain.calls.service import request_call
from clearing.kit.errors import ClearingError
from clearing.notifications.webhooks.service import WebhookService
from clearing.ordering.holds.service import HoldService
from clearing.ordering.orders.kinds.exchange import ExchangeRequest
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.kinds.redeem import RedeemRequest
from clearing.ordering.orders.kinds.reverse import ReverseRequest
from clearing.ordering.orders.kinds.spend import SpendRequest
from clearing.ordering.orders.kinds.transfer import TransferRequest
from clearing.ordering.orders.models import Instruction, Order, OrderState
from clearing.ordering.orders.requests import Authorization, InstructionRequest
from clearing.ordering.orders.service import OrderService
from clearing.parties.agreements.usability import NamedAgreement
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant, SignerKey
from gateway.http.acceptance import Applicant, order_service
from gateway.http.context import Call
from gateway.http.idempotency import run_once
from gateway.http.results import Started, Submitted
from tests.simulation.front import NoAnswer
from tests.simulation.network import OLD_MEMBERS, PROGRAMS
from tests.simulation.plan import HONEST, HOSTILE, Step
from tests.simulation.scheduler import TROUBLE
from tongdui import orders as wire
from tongdui.orders import Kind, sign_digest

if TYPE_CHECKING:
    from tests.simulation.world import World

_TRIES = 20
"""So often an honest client asks before it gives up; a hostile one has less patience."""
_FEW_TRIES = 8
_NUMBERS = {"FUEL": 1, "CINE": 2, "MART": 3}
"""Of the programs."""


@dataclass
class Intent:
    """Something that a merchant wants exactly once, and what became of it."""

    step: Step
    merchant: int
    key: str
    """Of idempotency."""
    reference: str
    """Of the first instruction."""
    asked_at: float
    accepted_at: float | None = None
    order: str | None = None
    refusal: str | None = None
    """The code of a final refusal."""
    told_to_wait: list[str] = field(default_factory=list)
    """Codes of the refusals that were not final."""

    @property
    def is_honest(self) -> bool:
        return self.merchant in HONEST


class Merchants:
    """Everybody who asks the gateway for something."""

    def __init__(self, world: World) -> None:
        self._world, self._scheduler, self._template = world, world.scheduler, world.template
        self.intents: list[Intent] = []
        self.members = world.template.members

    def want(
        self,
        step: Step,
        merchant: int,
        requests: Sequence[InstructionRequest],
        *,
        key: str = "",
        authorization: Authorization | None = None,
        tries: int = _TRIES,
    ) -> Intent:
        """Hands an order in, again and again under one key until there is a final answer."""
        key = key or f"step-{step.number}-{len(self.intents)}"
        reference = requests[0].reference or key
        requests = [replace(requests[0], reference=reference), *requests[1:]]
        intent = Intent(step, merchant, key, reference, self._scheduler.now)
        self.intents.append(intent)
        wanted = Submitted(requests=requests, resource=lambda accepted: accepted.id, authorization=authorization)
        with self._world.flight():
            self._ask_until_answered(intent, lambda: self._applicant(intent, wanted), tries)
        return intent

    def _ask_until_answered(
        self, intent: Intent, request: Callable[[], Applicant | Callable[[], Any]], tries: int
    ) -> None:
        for number in range(tries):
            try:
                response = self._world.front.ask(request())
            except ClearingError as error:
                if getattr(error, "retry_after", None) is None:
                    intent.refusal = error.code
                    break
                intent.told_to_wait.append(error.code)
                self._scheduler.sleep(float(error.retry_after or 1))
                continue
            except (NoAnswer, *TROUBLE) as error:
                intent.told_to_wait.append(type(error).__name__)
                self._scheduler.sleep(0.5 * (number + 1))
                continue
            body = json.loads(response.body)
            if response.status_code < 300:
                intent.order, intent.accepted_at = body["id"], self._scheduler.now
            else:
                intent.refusal = body["code"]
            break
        said = intent.order or intent.refusal or intent.told_to_wait
        self._scheduler.say(f"merchant {intent.merchant} wants {intent.key}: {said}")

    def _applicant(self, intent: Intent, wanted: Submitted[Any]) -> Applicant:
        return Applicant(self._call(intent.merchant, intent.key, "/v1/orders", {"reference": intent.reference}), wanted)

    def _call(self, merchant: int, key: str, path: str, content: dict[str, Any]) -> Call:
        return Call(
            gateway=self._template.gateway,
            caller=self._template.callers[merchant],
            request_id="req_simulated",
            method="POST",
            path=path,
            status=201,
            minimal=True,
            key=key,
            raw_body=json.dumps(content).encode(),
            content=content,
        )

    def order(self, step: Step, rng: random.Random) -> None:
        """An honest order."""
        merchant = step.who if step.who in PROGRAMS else 1
        self.want(step, merchant, [self._request(rng, merchant, step) for _ in range(step.size)])

    def _request(self, rng: random.Random, merchant: int, step: Step) -> InstructionRequest:
        member, points, program = rng.choice(self.members[:OLD_MEMBERS]), rng.randint(1, 20), PROGRAMS[merchant]
        kinds = ["issue", "issue", "redeem", "transfer", *(["exchange", "spend"] if merchant == 1 else [])]
        match "spend" if step.who == 3 else rng.choice(kinds):
            case "issue":
                return IssueRequest(member=rng.choice(self.members), points=points, program=program)
            case "redeem":
                return RedeemRequest(member=member, points=points, program=program)
            case "transfer":
                recipient = rng.choice([other for other in self.members if other != member])
                return TransferRequest(member=member, recipient=recipient, points=points, program=program)
            case "exchange":
                return ExchangeRequest(member=member, points=points, source_program="FUEL", target_program="CINE")
        return SpendRequest(member=member, points=points, agreement=self._template.acceptance)

    def undo(self, step: Step, rng: random.Random) -> None:
        """The reversal of a part of an earlier movement."""
        movement = self._movement(step.who, rng)
        if movement is not None:
            self.want(step, step.who, [ReverseRequest(movement=movement, points=1)])

    def _movement(self, merchant: int, rng: random.Random) -> str | None:
        with self._template.databases["oracle"].reading() as session:
            query = (
                select(Instruction.id)
                .join(Instruction.order)
                .where(
                    Instruction.kind != int(Kind.REVERSE),
                    func.coalesce(Instruction.receiver, Instruction.giver) == merchant,
                    Order.state == OrderState.SETTLED,
                )
            )
            found = session.scalars(query.order_by(Instruction.order_seq, Instruction.item)).all()
        return rng.choice(found) if found else None

    def hold(self, step: Step, rng: random.Random) -> None:
        """A hold, captured after a while."""
        merchant = step.who if step.who in PROGRAMS else 1
        hold = self._hold(merchant, rng.choice(self.members[:OLD_MEMBERS]), rng.randint(1, 20), 60)
        if hold is None:
            return
        self._scheduler.sleep(rng.uniform(0.1, 5.0))
        intent = Intent(step, merchant, f"hold-{step.number}", f"hold-{step.number}", self._scheduler.now)
        self.intents.append(intent)
        self._ask_until_answered(intent, lambda: partial(self._capture, merchant, hold, intent.key), _TRIES)

    def _hold(self, merchant: int, member: str, points: int, seconds: int) -> str | None:
        def create() -> str:
            with self._template.gateway.writing() as session:
                hold = HoldService(session, network=self._template.network).create(
                    session.get_one(Merchant, merchant),
                    NamedAgreement(source_program=PROGRAMS[merchant]),
                    member=member,
                    member_code=None,
                    points=points,
                    seconds=seconds,
                    most_seconds=seconds,
                    reference=None,
                    actor="test",
                )
                return hold.id

        try:
            found: str = self._world.front.ask(create)
        except (ClearingError, NoAnswer, *TROUBLE) as error:
            self._scheduler.say(f"no hold: {error}")
            return None
        return found

    def _capture(self, merchant: int, hold: str, key: str) -> Response:
        """As the gateway does it: once under its key."""
        call = self._call(merchant, key, f"/v1/holds/{hold}/capture", {"reference": key})

        def effect() -> Started[Any]:
            accepted = HoldService(call.session, network=self._template.network).capture(
                call.merchant,
                hold,
                Kind.REDEEM,
                points=None,
                fields={"reference": key},
                orders=order_service(call),
                authorization=None,
                actor="test",
            )
            return Started(accepted.id)

        return run_once(call, effect)

    # ---------------------------------------------------------------- a hostile merchant

    def sparse(self, step: Step, rng: random.Random) -> None:
        """Orders with nonces in words of their own."""
        first = self._reserve(256 * (step.size + 1))
        if first is None:
            return
        for number in range(step.size):
            nonce = (first | 255) + 1 + 256 * number
            self._spawn_own(step, number, nonce, self._world.clock.unix() + 600, rng)

    def flood(self, step: Step, rng: random.Random) -> None:
        """Many orders at once."""
        for number in range(step.size):
            request = IssueRequest(member=rng.choice(self.members), points=1, program="MART")
            self._scheduler.spawn(
                f"step {step.number}.{number}",
                lambda number=number, request=request: self.want(
                    step, HOSTILE, [request], key=f"flood-{step.number}-{number}", tries=_FEW_TRIES
                ),
            )

    def huge(self, step: Step, rng: random.Random) -> None:
        """An order that fills a batch."""
        members = [rng.choice(self.members) for _ in range(step.size)]
        self.want(
            step, HOSTILE, [IssueRequest(member=one, points=1, program="MART") for one in members], tries=_FEW_TRIES
        )

    def edge(self, step: Step, rng: random.Random) -> None:
        """An order whose deadline is `size` seconds away."""
        first = self._reserve(1)
        if first is not None:
            self._spawn_own(step, 0, first, self._world.clock.unix() + step.size, rng)

    def revoke(self, step: Step, rng: random.Random) -> None:
        """The operator revokes the merchant's key."""

        def revoke() -> None:
            with self._template.gateway.writing() as session:
                query = select(SignerKey.address).where(SignerKey.merchant_number == HOSTILE)
                address = session.scalars(query).one()
                request_call(session, "operator", "revokeSigner", [address, self._world.clock.unix() + 1], "")

        for _ in range(_TRIES):
            try:
                self._world.front.ask(revoke)
            except (NoAnswer, *TROUBLE):
                self._scheduler.sleep(1.0)
                continue
            return

    def twice(self, step: Step, rng: random.Random) -> None:
        """An order whose document number another one has, too."""
        request = IssueRequest(member=self.members[0], points=1, program="MART", reference="one document")
        self.want(step, HOSTILE, [request])

    def hoard(self, step: Step, rng: random.Random) -> None:
        """A hold that nobody captures."""
        self._hold(HOSTILE, rng.choice(self.members[:OLD_MEMBERS]), 100 * step.size, 5)

    def storm(self, step: Step, rng: random.Random) -> None:
        """An order and its reversal, twice."""
        self.want(step, HOSTILE, [IssueRequest(member=self.members[0], points=5, program="MART")])
        for _ in range(step.size):
            movement = self._movement(HOSTILE, rng)
            if movement is not None:
                self.want(step, HOSTILE, [ReverseRequest(movement=movement, points=3)])

    def mute(self, step: Step, rng: random.Random) -> None:
        """Endpoints that answer nothing."""
        for number in range(step.size):
            url = f"https://mute-{step.number}-{number}.example/"
            self._world.mute.add(url)
            self._subscribe(HOSTILE, url)

    def _reserve(self, count: int) -> int | None:
        def reserve() -> int:
            with self._template.gateway.writing() as session:
                template = self._template
                service = OrderService(
                    session, network=template.network, keyring=template.keyring, settings=template.settings
                )
                return service.reserve_nonces(session.get_one(Merchant, HOSTILE), count)

        try:
            found: int = self._world.front.ask(reserve)
        except (ClearingError, NoAnswer, *TROUBLE):
            return None
        return found

    def _spawn_own(self, step: Step, number: int, nonce: int, deadline: int, rng: random.Random) -> None:
        """Hands in an order that the merchant has signed itself."""
        member = rng.choice(self.members)
        request = IssueRequest(member=member, points=1, program="MART", reference=f"own-{step.number}-{number}")
        instruction = wire.Instruction(Kind.ISSUE, self._address(member), 1, _NUMBERS["MART"])
        order = wire.Order(HOSTILE, nonce, deadline, (instruction,))
        signature = sign_digest(order.digest(self._template.network.domain), self._template.merchant_keys[HOSTILE])
        signed = Authorization(nonce, deadline, signature)
        self._scheduler.spawn(
            f"step {step.number}.{number}",
            lambda: self.want(
                step, HOSTILE, [request], key=request.reference or "", authorization=signed, tries=_FEW_TRIES
            ),
        )

    def _address(self, member: str) -> str:
        with self._template.databases["oracle"].reading() as session:
            return session.get_one(Member, member).address

    def _subscribe(self, merchant: int, url: str) -> None:
        def subscribe() -> None:
            with self._template.gateway.writing() as session:
                service = WebhookService(
                    session, keyring=self._template.keyrings.webhook_secrets, settings=self._template.settings
                )
                found = session.get_one(Merchant, merchant)
                service.create(found, url=url, types=["order.*"], description="", actor="test")

        with suppress(NoAnswer, *TROUBLE):
            self._world.front.ask(subscribe)
