"""Lists of movements: whatever they are narrowed to, each shows just what a look at every single movement finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.kit.database import Database
from clearing.kit.viewer import Viewer
from clearing.ordering.orders.models import Direction, Instruction, Order, OrderState
from clearing.ordering.orders.movements import MovementSearch, MovementService
from scripts.bench.generated import (
    GIANT,
    MERCHANTS,
    NOBODY,
    ORDER,
    PARTNER,
    QUIET,
    SMALL_PROGRAM,
    Size,
    generate,
    identifier,
)
from tests.support.nightly import by_day
from tongdui.orders import Kind

SIZE = Size(accounts=600, entries=2_000, days=10)


class Network(NamedTuple):
    """A generated network, and everything that happened in it, newest first."""

    database: Database
    movements: list[tuple[Instruction, Order]]

    def __repr__(self) -> str:
        return self.database.engine.dialect.name


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[list[Network]]:
    path = tmp_path_factory.mktemp("lists") / "lists.db"
    urls = [f"sqlite:///{path}", request.getfixturevalue("postgres_server").new_database("movement_lists")]
    found = []
    for url in urls:
        database = Database(url)
        database.upgrade()
        generate(database, SIZE)
        with database.session() as session:
            _turn_some(session)
            query = select(Instruction, Order).join(Order, Order.seq == Instruction.order_seq)
            rows = session.execute(query.order_by(Instruction.order_seq.desc(), Instruction.item.desc()))
            found.append(Network(database, [(instruction, order) for instruction, order in rows]))
    yield found
    for network in found:
        network.database.close()


def _turn_some(session: Session) -> None:
    """Gives the network what a generated one has not: reversals of movements without an agreement."""
    kinds = {Kind.ISSUE: 4, Kind.REDEEM: 4, Kind.TRANSFER: 2}
    for kind, count in kinds.items():
        query = select(Instruction).where(Instruction.kind == int(kind)).order_by(Instruction.order_seq).limit(count)
        for instruction in session.scalars(query):
            instruction.kind = int(Kind.REVERSE)
            instruction.giver, instruction.receiver = instruction.receiver, instruction.giver
    session.commit()


merchants = st.sampled_from([None, GIANT, PARTNER, QUIET, NOBODY, MERCHANTS])
moments = st.none() | st.integers(0, SIZE.last_order)


@settings(max_examples=by_day(25, at_night=300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    viewer=merchants,
    counterparty=merchants,
    kind=st.none() | st.sampled_from(Kind),
    direction=st.none() | st.sampled_from(Direction),
    program=st.sampled_from([None, GIANT, PARTNER, QUIET, SMALL_PROGRAM, MERCHANTS]),
    state=st.none() | st.sampled_from(OrderState),
    reference=st.sampled_from([None] * 5 + [f"r-{ORDER + 41}", "r-1"]),
    original=st.sampled_from([None] * 5 + [identifier("exc", ORDER + 80)]),
    first=moments,
    end=moments,
    limit=st.integers(1, 60),
)
def test_a_list_is_what_a_look_at_every_movement_finds(
    networks: list[Network],
    viewer: int | None,
    counterparty: int | None,
    kind: Kind | None,
    direction: Direction | None,
    program: int | None,
    state: OrderState | None,
    reference: str | None,
    original: str | None,
    first: int | None,
    end: int | None,
    limit: int,
) -> None:
    direction = direction if viewer is not None else None
    for database, movements in networks:
        times = {order.seq: order.created_at for _, order in movements}
        search = MovementSearch(
            kind=kind,
            direction=direction,
            counterparty=identifier("mer", counterparty) if counterparty else None,
            program=f"P{program}" if program else None,
            state=state,
            reference=reference,
            original=original,
            created_from=times.get(first or -1),
            created_before=times.get(end or -1),
        )
        wanted = [
            instruction.id
            for instruction, order in movements
            if _is_wanted(instruction, order, viewer, counterparty, program, search)
        ]
        with database.reading() as session:
            service = MovementService(session)
            page = service.list(Viewer(viewer), search, after=None, limit=limit)
            assert [movement.instruction.id for movement in page] == wanted[:limit], asdict(search)
            if page:
                after = (page[-1].order.seq, page[-1].instruction.item)
                page = service.list(Viewer(viewer), search, after=after, limit=limit)
                assert [movement.instruction.id for movement in page] == wanted[limit : 2 * limit], asdict(search)


def _is_wanted(
    it: Instruction,
    order: Order,
    viewer: int | None,
    counterparty: int | None,
    program: int | None,
    search: MovementSearch,
) -> bool:
    state = it.refused or order.state
    other = {it.giver, it.receiver} if viewer is None else {it.receiver if it.giver == viewer else it.giver}
    if viewer is not None and it.giver == it.receiver:
        other = {viewer}
    side = {None: viewer, Direction.OUT: it.giver, Direction.IN: it.receiver}[search.direction]
    return (
        (viewer is None or viewer in (it.giver, it.receiver))
        and side == viewer
        and (counterparty is None or counterparty in other)
        and search.kind in (None, it.kind)
        and program in (None, it.program, it.target_program, it.draws_program)
        and search.state in (None, state)
        and (search.reference is None or (it.reference == search.reference and viewer in (None, it.merchant_number)))
        and search.original in (None, it.original_id)
        and (search.created_from is None or order.created_at >= search.created_from)
        and (search.created_before is None or order.created_at < search.created_before)
    )
