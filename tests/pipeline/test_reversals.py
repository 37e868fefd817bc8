"""What a reversal gives back beside points and settlement: the day's cap, and the fee if the target side had begun."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from clearing.chain.contract import ENTRY_POSTED, LINKED_ENTRY_POSTED
from clearing.chain.logs import log_pages
from clearing.kit.clock import MovableClock
from clearing.kit.identity import SECONDS_A_DAY
from clearing.kit.ids import new_id
from clearing.ledger.journal.models import Entry
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.models import Order
from clearing.oversight.reconciliation.chain_state import ChainState, entry_of
from clearing.parties.agreements.repository import AgreementUseRepository
from scripts.dev.services import Anvil
from tests.support.harness import Harness
from tongdui import orders as wire
from tongdui.orders import Instruction, Kind

AGREEMENT = 2
POINTS = 1_000  # buy 900 CINE for 9,000,000 micros and a fee of 45,000


def test_what_the_target_side_began_and_undoes_costs_the_source_nothing(
    lone_harness: Harness, own_chain: Anvil
) -> None:
    """Also when the blocks of the reversals, and then those of the exchange too, fall out of the chain and come again."""
    harness = lone_harness
    member = _prepare(harness)
    at_first, before = _positions(harness), harness.client.head()
    _queue(harness, 2, _exchange(member))
    harness.settle()
    original = _newest(harness)
    assert (original.merchant, original.fee) == (2, 45_000)
    _check(harness, used=POINTS)

    between = harness.client.head()
    for points, used in ((300, 700), (700, 0)):
        _queue(harness, 2, _reversal(original, points))
        harness.settle()
        _check(harness, used=used)
    assert _positions(harness) == {**at_first, 0: at_first[0] + 45_000, 2: at_first[2] - 45_000}

    for depth in (harness.client.head() - between, harness.client.head() - before):
        own_chain.reorganise(depth)
        harness.projector.step()  # takes the blocks back: the reversals alone, then the exchange with them
        harness.settle()
        _check(harness, used=0)
        assert _positions(harness) == {**at_first, 0: at_first[0] + 45_000, 2: at_first[2] - 45_000}


def test_the_cap_of_an_earlier_day_does_not_come_back(
    lone_harness: Harness, own_chain: Anvil, clock: MovableClock
) -> None:
    harness = lone_harness
    harness.settings.max_deadline = 3 * SECONDS_A_DAY
    member = _prepare(harness)
    _queue(harness, 1, _exchange(member))
    harness.settle()
    yesterdays = _newest(harness)

    own_chain.rpc("evm_increaseTime", SECONDS_A_DAY)
    clock.move(timedelta(days=1))
    _queue(harness, 1, replace(_exchange(member), points=100))
    harness.settle()
    todays = _newest(harness)
    _check(harness, used=100)
    _queue(harness, 2, _reversal(yesterdays, 500))
    harness.settle()
    _check(harness, used=100)
    assert _newest(harness).fee == 0  # the source side had begun, so it bears the fee
    _queue(harness, 2, _reversal(todays, 60))
    harness.settle()
    _check(harness, used=40)


# -------------------------------------------------------------------- the network


def _prepare(harness: Harness) -> str:
    """Points for a member, and an agreement that both sides may initiate; the member's address."""
    harness.agree(AGREEMENT, initiators=3)
    member = harness.member()
    harness.issue(member, 5_000)
    harness.settle()
    return harness.account(member)[0]


def _exchange(member: str) -> Instruction:
    return Instruction(kind=Kind.EXCHANGE, program=1, agreement=AGREEMENT, member=member, points=POINTS)


def _reversal(original: Entry, points: int) -> Instruction:
    return Instruction(
        kind=Kind.REVERSE, program=original.program, member=original.address, points=points, link=original.leaf
    )


def _queue(harness: Harness, merchant: int, instruction: Instruction) -> None:
    """Puts a signed order straight into the queue, past all that the gateway would check."""
    instruction = replace(instruction, ref=secrets.token_bytes(32))
    deadline = harness.database.clock.unix() + 2 * SECONDS_A_DAY
    order = wire.Order(merchant, secrets.randbelow(2**40) + 2**40, deadline, (instruction,))
    digest = order.digest(harness.network.domain)
    packed = wire.SignedOrder(order, harness.sign(merchant, order.struct_hash())).calldata()
    with harness.database.session.begin() as session:
        session.add(
            Order(
                id=new_id("ord"),
                merchant_number=merchant,
                nonce=order.nonce,
                deadline=deadline,
                digest=digest,
                packed=packed,
                size=1,
            )
        )


def _newest(harness: Harness) -> Entry:
    with harness.database.session.begin() as session:
        return session.scalars(select(Entry).order_by(Entry.batch.desc(), Entry.index.desc())).first() or Entry()


# -------------------------------------------------------------------- what must be true


def _check(harness: Harness, *, used: int) -> None:
    """The database, the contract and a replay of the events agree on what is used and on every position."""
    harness.check()
    with harness.database.reading() as session:
        assert AgreementUseRepository(session).burnt_or_reserved(AGREEMENT, harness.today()) == used
    assert harness.call("usedToday", AGREEMENT) == used
    replayed = _replayed(harness)
    assert replayed.faults == []
    assert replayed.positions == _positions(harness)


def _replayed(harness: Harness) -> ChainState:
    """The clearing house after all events of the chain, which know nothing of the database."""
    state = ChainState()
    posted: dict[bytes, tuple[int, bytes]] = {}

    def original_of(leaves: Collection[bytes]) -> dict[bytes, tuple[int, bytes]]:
        return {leaf: posted[leaf] for leaf in leaves}

    for _, logs in log_pages(harness.client, harness.settings.contract, 0, harness.client.head()):
        entries = [entry_of(log) for log in logs if log.topics[0] in (ENTRY_POSTED, LINKED_ENTRY_POSTED)]
        posted.update((entry.leaf(), (entry.kind, entry.link)) for entry in entries)
        state.apply_page(logs, original_of)
    return state


def _positions(harness: Harness) -> dict[int, int]:
    with harness.database.session.begin() as session:
        return {p.merchant_number: p.position for p in session.scalars(select(Position))}
