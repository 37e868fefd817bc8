"""Both sides of a movement are notified of it, with exactly what the API shows them; also when its block falls out of the chain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy.event
from sqlalchemy import delete, select

from clearing.kit.events.models import Event
from clearing.kit.events.service import EventService
from clearing.kit.viewer import Viewer
from clearing.ordering.erasure.redaction import ERASED
from clearing.ordering.erasure.service import ErasureService
from clearing.ordering.orders.events import LARGEST_WHOLE_ORDER
from clearing.ordering.orders.facts import MovementFacts
from clearing.ordering.orders.kinds.exchange import ExchangeRequest
from clearing.ordering.orders.models import OrderState
from clearing.ordering.orders.movements import MovementService
from clearing.ordering.orders.settled_movements import write_down
from clearing.parties.codes.service import MemberCodeService
from clearing.parties.members.models import MemberLink
from clearing.parties.merchants.models import Merchant
from gateway.api.events.catalogue import EVENT_TYPES
from gateway.api.movements.schemas import MovementView
from gateway.api.orders.schemas import OrderView
from scripts.dev.services import Anvil
from tests.support.harness import Harness

FUEL, CINE, WASH = 1, 2, 3


def events(harness: Harness, merchant: int, prefix: str = "") -> list[tuple[str, str, dict[str, Any]]]:
    """A merchant's events of some types, oldest first: type, subject and data."""
    with harness.database.session.begin() as session:
        query = select(Event).where(Event.merchant_number == merchant).order_by(Event.seq)
        return [(e.type, e.subject, e.data) for e in session.scalars(query) if e.type.startswith(prefix)]


def types(harness: Harness, merchant: int, prefix: str = "") -> list[str]:
    return [type for type, _, _ in events(harness, merchant, prefix)]  # noqa: A001


def shown(harness: Harness, merchant: int, movement: str) -> dict[str, Any]:
    """A movement as the gateway shows it to a merchant."""
    with harness.database.session.begin() as session:
        viewer = Viewer(merchant)
        facts = MovementFacts(session).of(viewer, [MovementService(session).visible(viewer, movement)])
        return MovementView.model_validate(facts[0]).model_dump(mode="json")


def remembered(harness: Harness, subject: str, type_: str) -> tuple[str | None, dict[str, Any]]:
    """What an event's data is made of, and what the event keeps itself."""
    with harness.database.session.begin() as session:
        event = session.scalars(select(Event).where(Event.subject == subject, Event.type == type_)).one()
        return event.source, event.stored


@contextmanager
def listening(harness: Harness, statements: list[str]) -> Iterator[None]:
    """Notes the statements of a block of code."""

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sqlalchemy.event.listen(harness.database.engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        sqlalchemy.event.remove(harness.database.engine, "before_cursor_execute", note)


def forget(harness: Harness, merchant: int) -> None:
    """Lets a merchant know none of its members any more."""
    with harness.database.session.begin() as session:
        session.execute(delete(MemberLink).where(MemberLink.merchant_number == merchant))


def test_the_receiver_of_an_exchange_gets_the_whole_movement(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 500)
    harness.settle()
    forget(harness, CINE)
    order = harness.exchange(member, 101)
    movement = harness.movement(order)
    harness.settle()
    ((type_, subject, data),) = events(harness, CINE, "exchange.")
    assert (type_, subject) == ("exchange.received", movement)
    assert data == shown(harness, CINE, movement)
    assert (data["direction"], data["program"], data["target_program"]) == ("in", "FUEL", "CINE")
    assert (data["points"], data["entry"]["points"], data["entry"]["out"]) == (101, 100, 90)
    assert (data["entry"]["settled_micros"], data["entry"]["fee_micros"]) == (900_000, 4_500)
    assert (data["member"], data["external_id"]) == (member, None), "a member that it can register by this id"
    assert types(harness, FUEL, "exchange.") == [], "it signed: its order says so"


def test_the_signers_events_carry_the_whole_order(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 500, reference="till-7")
    harness.settle()
    found = events(harness, FUEL, "order.")
    assert [type_ for type_, _, _ in found] == ["order.accepted", "order.submitted", "order.settled"]
    for _, subject, data in found:
        assert OrderView.model_validate(data).model_dump(mode="json") == data
        assert data["id"] == subject
        assert data["movements"][0]["reference"] == "till-7"
    settled = found[-1][2]
    assert settled["movements"] == [shown(harness, FUEL, harness.movement(settled["id"]))]
    assert (settled["state"], settled["rejected_count"]) == ("settled", 0)
    assert settled["tx_hash"] == settled["movements"][0]["entry"]["tx_hash"]


def test_a_large_orders_event_says_how_much_of_it_took_effect(harness: Harness) -> None:
    members = [harness.member() for _ in range(LARGEST_WHOLE_ORDER + 1)]
    for member in members:
        harness.issue(member, 100)
    harness.settle()
    route = {"source_program": "FUEL", "target_program": "CINE"}
    order = harness.accept(FUEL, [ExchangeRequest(member=member, points=10, **route) for member in members])
    harness.settle()
    (settled,) = [data for type_, subject, data in events(harness, FUEL, "order.settled") if subject == order]
    assert (settled["movements"], settled["size"], settled["rejected_count"]) == (None, len(members), 0)
    received = events(harness, CINE, "exchange.received")
    assert [data["member"] for _, _, data in received] == members
    assert all(data == shown(harness, CINE, subject) for _, subject, data in received)


def test_whoever_takes_points_for_goods_is_notified_and_so_is_who_gets_them_back(harness: Harness) -> None:
    agreement = harness.acceptor()
    member = harness.member()
    harness.issue(member, 500)
    harness.settle()
    spend = harness.spend(member, 100, agreement)
    harness.settle()
    ((type_, subject, data),) = events(harness, WASH, "spend.")
    assert (type_, subject) == ("spend.received", harness.movement(spend))
    assert data == shown(harness, WASH, subject)
    assert (data["direction"], data["target_program"]) == ("in", None)
    reversal = harness.reverse(WASH, spend, 40)
    harness.settle()
    ((type_, subject, data),) = events(harness, FUEL, "reversal.")
    assert (type_, subject) == ("reversal.received", harness.movement(reversal))
    assert data == shown(harness, FUEL, subject)
    assert (data["direction"], data["reverses"], data["entry"]["points"]) == ("in", harness.movement(spend), 40)
    assert (data["source_program"], data["target_program"]) == (None, "FUEL")


def test_an_event_that_is_made_when_it_is_read_says_what_it_said_at_first(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 500)
    harness.settle()
    order = harness.exchange(member, 100)
    harness.settle()
    ((type_, subject, first),) = events(harness, CINE, "exchange.")
    assert (first["external_id"], first["reversed_points"]) == (member, 0)
    assert remembered(harness, subject, type_) == ("movement", {"external_id": member})

    forget(harness, CINE)
    harness.reverse(CINE, order, 40)
    harness.settle()
    now = shown(harness, CINE, subject)
    assert (now["external_id"], now["reversed_points"]) == (None, 40)
    assert events(harness, CINE, "exchange.") == [(type_, subject, first)]

    with harness.database.session.begin() as session:
        write_down(session, [subject])
    assert remembered(harness, subject, type_) == (None, first), "what it would say for ever"
    assert events(harness, CINE, "exchange.") == [(type_, subject, first)]


def test_an_erasure_takes_the_member_out_of_an_event_that_is_made_when_it_is_read(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 500)
    harness.settle()
    harness.exchange(member, 100)
    harness.settle()
    ((type_, subject, first),) = events(harness, CINE, "exchange.")
    assert (first["member"], first["external_id"]) == (member, member)
    with harness.database.session.begin() as session:
        erasures = ErasureService(session, network=harness.network)
        erasures.erase(Viewer(CINE), member, forfeit_points=False, actor="a test")
    assert events(harness, CINE, "exchange.") == [(type_, subject, {**first, "member": ERASED, "external_id": ERASED})]
    settled = events(harness, FUEL, "order.settled")[-1][2]
    assert settled["movements"][0]["member"] == member, "who still knows the member is not concerned"


def test_the_events_of_a_page_are_made_together(harness: Harness) -> None:
    members = [harness.member() for _ in range(3)]
    for member in members:
        harness.issue(member, 500)
    harness.settle()
    for member in members:
        harness.exchange(member, 10)
    harness.settle()
    counts: list[int] = []
    for wanted in (1, 3):
        statements: list[str] = []
        with harness.database.session.begin() as session, listening(harness, statements):
            page = EventService(session).list(
                Viewer(CINE), type="exchange.received", subject=None, after=None, limit=wanted
            )
            assert len([event.data for event in page]) == wanted
        counts.append(len(statements))
    assert counts[0] == counts[1], "as many statements for one as for three"


def test_a_transfer_stays_within_one_merchant(harness: Harness) -> None:
    member, other = harness.member(), harness.member()
    harness.issue(member, 500)
    harness.settle()
    order = harness.transfer(member, other, 20)
    harness.settle()
    assert types(harness, FUEL, "transfer.") == []
    (data,) = [data for _, subject, data in events(harness, FUEL, "order.settled") if subject == order]
    movement = data["movements"][0]
    assert (movement["direction"], movement["counterparty"]) == (None, None)
    assert (movement["member"], movement["recipient"]) == (member, other)


def test_the_giver_is_notified_where_the_receiver_signed(harness: Harness) -> None:
    agreement = harness.agree(2, initiators=3)
    harness.settle()
    member = harness.member()
    harness.issue(member, 500)
    harness.settle()
    with harness.database.session.begin() as session:
        issuer = session.get_one(Merchant, FUEL)
        asked = {"points": 100, "program": None, "presenter": None, "seconds": 60, "actor": "test"}
        _, code = MemberCodeService(session).create(issuer, member, **asked)  # type: ignore[arg-type]
    order = harness.accept(CINE, [ExchangeRequest(member_code=code, points=100, agreement=agreement)])
    harness.settle()
    movement = harness.movement(order)
    for merchant, type_, direction in ((CINE, "exchange.received", "in"), (FUEL, "exchange.sent", "out")):
        assert [(t, s) for t, s, _ in events(harness, merchant, "exchange.")] == [(type_, movement)]
        data = events(harness, merchant, "exchange.")[0][2]
        assert data == shown(harness, merchant, movement)
        assert data["direction"] == direction


def test_after_a_reorganisation_both_sides_are_notified_again(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    member = harness.member()
    harness.issue(member, 500)
    harness.settle()
    before = harness.client.head()
    order = harness.exchange(member, 100)
    movement = harness.movement(order)
    harness.settle()
    first = events(harness, CINE, "exchange.")[-1][2]
    assert remembered(harness, movement, "exchange.received")[0] == "movement"

    own_chain.reorganise(harness.client.head() - before)
    harness.projector.step()
    assert types(harness, CINE, "exchange.") == ["exchange.received", "exchange.reopened"]
    assert remembered(harness, movement, "exchange.received") == (None, first), (
        "its entry is gone, so it was written down"
    )
    _, subject, reopened = events(harness, CINE, "exchange.")[-1]
    assert (subject, reopened["state"], reopened["entry"]) == (movement, "submitted", None)
    assert reopened == shown(harness, CINE, movement)
    _, subject, data = events(harness, FUEL, "order.reopened")[-1]
    assert (subject, data["state"], data["block_number"]) == (order, "submitted", None)

    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    assert types(harness, CINE, "exchange.")[-1] == "exchange.received"
    again = events(harness, CINE, "exchange.")[-1][2]
    assert again == shown(harness, CINE, movement)
    assert events(harness, CINE, "exchange.")[0][2] == first
    assert again["id"] == first["id"]
    assert again["entry"]["leaf"] == first["entry"]["leaf"], "the same batch in another block"
    assert {*types(harness, CINE, "exchange."), *types(harness, FUEL, "order.")} <= set(EVENT_TYPES)
