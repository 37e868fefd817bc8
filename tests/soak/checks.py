"""What must be true when the faults are over."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path

import httpx
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from clearing.chain.calls.models import ON_ITS_WAY, Call
from clearing.chain.client import ChainClient
from clearing.kit.database import Database
from clearing.kit.events.models import Event
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.accounts.models import Account
from clearing.ledger.availability.models import Hold, HoldState
from clearing.ledger.journal.models import Block, ChainEvent, Entry
from clearing.ledger.settlement.models import BankMovement, BankMovementState, Position
from clearing.notifications.webhooks.fanout import nothing_new
from clearing.notifications.webhooks.models import DeliveryState, WebhookDelivery
from clearing.ordering.orders.models import OPEN_STATES, Instruction, Order, OrderState
from clearing.oversight.reconciliation.rebuild import RebuildService
from clearing.oversight.reconciliation.service import ReconciliationService
from clearing.parties.agreements.models import Agreement
from clearing.runtime.embedded.network import EmbeddedNetwork
from scripts.dev.services import Postgres
from tests.soak.load import FIRST_DEPOSIT, Wish
from tongdui.audit.model.clearing_house import ClearingHouse
from tongdui.audit.model.records import Role
from tongdui.encoding import bytes_of, text_word
from tongdui.orders import AgreementTerms, full_signature

_ENDS = {"capture": HoldState.CAPTURED, "release": HoldState.RELEASED}
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Findings:
    """The results of all checks."""

    rows: list[tuple[str, str, bool]] = field(default_factory=list)

    def check(self, what: str, detail: object, holds: bool) -> None:
        """Adds the result of one check."""
        self.rows.append((what, str(detail), holds))

    @property
    def good(self) -> bool:
        """Whether all checks hold."""
        return all(holds for _, _, holds in self.rows)


def verify(network: EmbeddedNetwork, server: Postgres, wishes: list[Wish], delivered: Iterable[str]) -> Findings:
    """Runs all checks. `delivered` holds the ids of the events that the merchants' server took; it is read when all is at rest."""
    findings = Findings()
    database = Database(network.settings.database_url)
    waits = quiesce(network, database)
    findings.check("comes to rest", waits or "everything ready, nothing on its way", not waits)
    with database.reading() as session:
        check_wishes(findings, session, wishes)
        check_holds(findings, session, wishes)
        check_money(findings, session, wishes)
        check_entries(findings, session)
        check_webhooks(findings, session, set(delivered))
        check_model(findings, session, network)
    client = ChainClient(network.rpc_url, timeout=120)
    report = ReconciliationService(database, client, network.settings).run()
    compared = f"{sum(report.checked.values())} comparisons"
    drifts = f"{report.drifted} drifts in {compared}, such as {report.drifts[:3]}"
    findings.check("database = contract = events", compared if report.is_clean else drifts, report.is_clean)
    empty = Database(server.new_database("rebuilt"))
    service = RebuildService(empty, client, network.settings)
    service.prepare()
    ours, theirs = service.compare(database)
    findings.check("rebuilt from the chain: bit for bit the same", ours.overall[:16], ours == theirs)
    environment = {**network._environment("projector"), "PYTHONPATH": f"{_ROOT}:{_ROOT / 'sdk'}"}
    code = subprocess.run(
        [sys.executable, "-m", "clearing", "reconcile"], env=environment, capture_output=True, check=False
    ).returncode
    findings.check("`clearing reconcile` says so, too", f"exit code {code}", code == os.EX_OK)
    client.close()
    empty.close()
    database.close()
    return findings


def quiesce(network: EmbeddedNetwork, database: Database, seconds: float = 180.0) -> str:
    """Waits until nothing is on its way and the gateway is ready; returns what still waits when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        with database.reading() as session:
            waits = _waiting(session)
        if not waits:
            waits = "the gateway is not ready"
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.get(f"{network.url}/readyz", timeout=10)
                if answer.status_code == httpx.codes.OK:
                    return ""
                waits = answer.text
        if time.monotonic() > deadline:
            return waits
        time.sleep(0.5)


def _waiting(session: Session) -> str:
    for what, query in (
        ("orders", select(func.count()).select_from(Order).where(Order.state.in_(OPEN_STATES))),
        (
            "calls",
            select(func.count()).select_from(Call).where(Call.state.in_(ON_ITS_WAY)),
        ),
        ("holds", select(func.count()).select_from(Hold).where(Hold.state == HoldState.PENDING)),
        (
            "webhooks",
            select(func.count()).select_from(WebhookDelivery).where(WebhookDelivery.state == DeliveryState.PENDING),
        ),
    ):
        if count := session.scalar(query):
            return f"{count} {what} wait"
    return "" if nothing_new(session) else "events wait to be fanned out"


def check_wishes(findings: Findings, session: Session, wishes: list[Wish]) -> None:
    """Checks that every wish has one answer and one effect, and that nothing else happened."""
    effects = Counter(session.scalars(select(Instruction.reference)))
    states = dict.fromkeys(OrderState, 0)
    for state, count in session.execute(select(Order.state, func.count()).group_by(Order.state)):
        states[state] = count
    accepted = [wish for wish in wishes if wish.answers]
    refused = [wish for wish in wishes if wish.refused is not None]
    both = [wish for wish in wishes if bool(wish.answers) == (wish.refused is not None)]
    findings.check("each wish was accepted or refused, not both and not neither", len(both), not both)
    odd = Counter(wish.refused for wish in refused if str(wish.refused).startswith("unexpectedly"))
    findings.check("refused for business reasons only", dict(odd) or f"{len(refused)} refused", not odd)
    several = [wish for wish in accepted if len(wish.answers) > 1]
    findings.check("the same answer, however often it was asked", f"{len(accepted)} accepted", not several)
    wrong = [wish for wish in accepted if any(effects[reference] != 1 for reference in wish.references)]
    count = sum(len(wish.references) for wish in accepted)
    findings.check("each movement that was accepted is there once", f"{count} movements", not wrong)
    ghosts = [wish for wish in refused if any(effects[reference] for reference in wish.references)]
    findings.check("those that were refused are not there", len(ghosts), not ghosts)
    strangers = set(effects) - {reference for wish in wishes for reference in wish.references}
    findings.check("no movement that nobody asked for", len(strangers), not strangers)
    is_open = states[OrderState.ACCEPTED] + states[OrderState.SUBMITTED]
    text = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    findings.check("no order lost on its way", text, not is_open)


def check_holds(findings: Findings, session: Session, wishes: list[Wish]) -> None:
    """Checks that each wish made one hold, which ended once, as its merchant wanted, and was recorded once."""
    holds = {hold.id: hold for hold in session.scalars(select(Hold))}
    wanted = {next(iter(wish.answers)): wish for wish in wishes if wish.kind.startswith("hold") and wish.answers}
    findings.check("a hold for each that was accepted, no other", len(holds), set(holds) == set(wanted))
    by_key = {wish.key: wish for wish in wishes}
    wrong = 0
    for hold_id, wish in wanted.items():
        hold = holds[hold_id]
        end = wish.kind.rpartition(" ")[2]
        last = by_key.get(f"{wish.key}:{end}")
        expected = _ENDS[end] if last is not None and last.answers else HoldState.EXPIRED
        moved = set(last.answers) if last is not None and end == "capture" else set()
        wrong += hold.state is not expected or {hold.movement_id} - {None} != moved
    ends = Counter(hold.state.value for hold in holds.values())
    text = ", ".join(f"{count} {state}" for state, count in sorted(ends.items()))
    findings.check("each ended as it was wanted", text, not wrong)
    query = select(Event.subject, Event.type, func.count()).where(Event.type.like("hold.%"))
    recorded = {
        (subject, kind): count for subject, kind, count in session.execute(query.group_by(Event.subject, Event.type))
    }
    expected_events = {(hold.id, f"hold.{hold.state}"): 1 for hold in holds.values()}
    expected_events |= {(hold_id, "hold.created"): 1 for hold_id in holds}
    findings.check("each beginning and end of a hold has one event", len(recorded), recorded == expected_events)


def check_money(findings: Findings, session: Session, wishes: list[Wish]) -> None:
    """Checks that each wish made one deposit or withdrawal."""
    rows = {row.bank_reference: row for row in session.scalars(select(BankMovement))}
    wanted = {wish.key for wish in wishes if wish.kind in ("deposit", "withdrawal") and wish.answers}
    booked = all(row.state is BankMovementState.POSTED for row in rows.values())
    found = {reference for reference in rows if not reference.startswith(FIRST_DEPOSIT)}
    text = f"{len(wanted)} deposits and withdrawals"
    findings.check("money moved once for each that was accepted", text, found == wanted and booked)


def check_entries(findings: Findings, session: Session) -> None:
    """Checks that every settled instruction, and nothing else, has an entry."""
    settled = select(func.coalesce(func.sum(Order.size), 0)).where(Order.state == OrderState.SETTLED)
    wanted, found = session.scalar(settled), session.scalar(select(func.count()).select_from(Entry))
    findings.check("an entry for each settled instruction", f"{found} of {wanted}", wanted == found)
    check_ends(findings, session)


def check_webhooks(findings: Findings, session: Session, delivered: set[str]) -> None:
    """Checks that every merchant was notified of each order that was settled."""
    ids = set(session.scalars(select(Event.id).where(Event.type == "order.settled")))
    findings.check("a webhook for each of these events", f"{len(delivered)} of {len(ids)}", ids == delivered)


def check_ends(findings: Findings, session: Session) -> None:
    """Checks that the events of each order say how it ended: once more often than a lost block reopened it."""
    last, ends = dict[str, str](), Counter[str]()
    finals = [f"order.{state}" for state in OrderState if state.is_final]
    query = select(Event.subject, Event.type).where(Event.type.in_([*finals, "order.reopened"])).order_by(Event.seq)
    for order, kind in session.execute(query):
        last[order] = kind
        ends[order] += 1 if kind in finals else -1
    states = {order: f"order.{state}" for order, state in session.execute(select(Order.id, Order.state))}
    odd = sorted(order for order in {*states, *last} if states.get(order) != last.get(order) or ends[order] != 1)
    detail = f"{len(states)}, but not of {odd[:3]}" if odd else len(states)
    findings.check("the events of each order say how it ended", detail, not odd)


def check_model(findings: Findings, session: Session, network: EmbeddedNetwork) -> None:
    """Checks that the reference model, given the same calls, ends with the same balances and positions."""
    model, wrong = replay(session, network)
    findings.check("the reference model accepts what the chain accepted", f"{wrong} differ", wrong == 0)
    balances = {(a.address, a.program): a.posted for a in session.scalars(select(Account)) if a.posted}
    theirs = {key: points for key, points in model.balances.items() if points}
    findings.check("balances equal the reference model's", f"{len(balances)} accounts", balances == theirs)
    positions = {p.merchant_number: p.position for p in session.scalars(select(Position))}
    expected = {number: merchant.position for number, merchant in model.merchants.items()}
    findings.check("positions equal the reference model's", f"{len(positions)} merchants", positions == expected)
    reserved = sum(a.reserved for a in session.scalars(select(Account)))
    reserved += sum(p.reserved for p in session.scalars(select(Position)))
    findings.check("nothing is reserved any more", reserved, reserved == 0)


def replay(session: Session, network: EmbeddedNetwork) -> tuple[ClearingHouse, int]:
    """Replays all registrations and settled orders; returns the model and the number of orders that it saw otherwise.

    Orders and rare events are replayed in the order of their blocks. If one block has both, neither needs the other here.
    """
    admin, by = "0x" + "ad" * 20, "0x" + "0b" * 20
    identity = NetworkIdentity.of(network.settings)
    offset = identity.utc_offset_seconds
    model = ClearingHouse(identity.domain, admin, text_word("Tongdui"), offset, int(time.time()))
    for role in Role:
        model.set_role(admin, role, by, True)
    times = {number: timestamp for number, timestamp in session.execute(select(Block.number, Block.timestamp))}  # noqa: C416
    keys = {
        row.arguments["merchant"]: row.arguments["key"].lower()
        for row in session.scalars(select(ChainEvent).where(ChainEvent.name == "SignerChanged"))
    }
    firsts = select(Entry.merchant, Entry.nonce, func.min(Entry.block_number), func.count())
    firsts = firsts.group_by(Entry.merchant, Entry.nonce, Entry.batch).order_by(Entry.batch, func.min(Entry.index))
    rare = select(ChainEvent).order_by(ChainEvent.block_number, ChainEvent.log_index)
    steps: list[tuple[int, Callable[[], bool]]] = [
        (row.block_number, partial(_apply, session, model, by, keys, row)) for row in session.scalars(rare)
    ]
    steps += [
        (block, partial(_execute, session, model, by, (merchant, nonce), count))
        for merchant, nonce, block, count in session.execute(firsts)
    ]
    wrong = 0
    for block, apply in sorted(steps, key=itemgetter(0)):
        model.now = times[block]
        wrong += not apply()
    return model, wrong


def _execute(session: Session, model: ClearingHouse, by: str, key: tuple[int, int], entries: int) -> bool:
    """Has the model execute an order; returns whether that made as many entries."""
    query = select(Order).where(Order.merchant_number == key[0], Order.nonce == key[1])
    order = session.scalars(query).one()
    before = len(model.events)
    model.execute(by, [order.signed()], lambda _: None)
    # A capture's entry has a link: the day of its hold.
    return sum(name in {"EntryPosted", "LinkedEntryPosted"} for name, _ in model.events[before:]) == entries


def _apply(session: Session, model: ClearingHouse, by: str, keys: dict[int, str], row: ChainEvent) -> bool:
    arguments = row.arguments
    match row.name:
        case "MerchantRegistered" if arguments["merchant"]:
            number = arguments["merchant"]
            model.register_merchant(
                by, number, bytes_of(arguments["name"]), keys[number], arguments["creditLimitMicros"]
            )
        case "ProgramRegistered":
            words = bytes_of(arguments["code"]), bytes_of(arguments["name"])
            model.register_program(by, arguments["program"], arguments["merchant"], *words)
        case "AgreementRegistered":
            agreement = session.scalars(select(Agreement).where(Agreement.number == arguments["agreement"])).one()
            terms = AgreementTerms(**{f.name: getattr(agreement, f.name) for f in dataclasses.fields(AgreementTerms)})
            signatures = [full_signature(s) for s in (agreement.source_signature, agreement.target_signature) if s]
            model.register_agreement(by, arguments["agreement"], terms, *signatures)
        case "Deposited":
            model.deposit(by, arguments["merchant"], arguments["micros"], bytes_of(arguments["bankRef"]))
        case "Withdrawn":
            model.withdraw(by, arguments["merchant"], arguments["micros"], bytes_of(arguments["bankRef"]))
    return True
