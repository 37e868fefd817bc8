"""A reorganisation may come between two statements of a read: what is shown is what was there before it, or what is there after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from clearing.kit.database import Database
from clearing.kit.errors import NotFound
from clearing.kit.viewer import Viewer
from clearing.ledger.journal.models import Entry
from clearing.ledger.journal.service import EntryService
from clearing.ordering.orders.models import OrderState
from clearing.ordering.orders.movements import MovementSearch, MovementService
from scripts.dev.services import Anvil
from tests.support.harness import Harness

MERCHANT = Viewer(1)


@contextmanager
def before_batches(database: Database, step: Callable[[], object]) -> Iterator[list[bool]]:
    """Does something between the statement that reads entries and the one that reads their batches."""
    done: list[bool] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM batches" in statement and not done:
            done.append(True)
            step()

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield done
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def _list(session: Session, order: str, leaf: bytes) -> bool:
    [found] = MovementService(session).list(MERCHANT, MovementSearch(reference="r-1"), after=None, limit=5)
    return found.batch is not None


def _movements(session: Session, order: str, leaf: bytes) -> bool:
    service = MovementService(session)
    [found] = service.movements_of(service.order(MERCHANT, order))
    return found.batch is not None


def _summary(session: Session, order: str, leaf: bytes) -> bool:
    [(_, count, batch)] = MovementService(session).orders(MERCHANT, [order])
    assert count == 1
    return batch is not None


def _entries(session: Session, order: str, leaf: bytes) -> bool:
    service = EntryService(session)
    return bool(service.list(MERCHANT, program=None, member=None, batch=None, after=None, limit=5))


def _receipt(session: Session, order: str, leaf: bytes) -> bool:
    try:
        EntryService(session).receipt(MERCHANT, leaf)
    except NotFound:
        return False
    return True


def test_a_block_that_falls_out_between_two_statements_takes_its_batch_along(
    lone_harness: Harness, own_chain: Anvil
) -> None:
    harness = lone_harness
    order = harness.issue(harness.member(), 10, reference="r-1")
    for read in (_list, _movements, _summary, _entries, _receipt):
        harness.settle()
        with harness.database.reading() as session:
            leaf = session.scalars(select(Entry.leaf)).one()
        own_chain.reorganise(1)
        with harness.database.reading() as session, before_batches(harness.database, harness.projector.step) as done:
            has_batch = read(session, order, leaf)
        assert done
        assert has_batch == harness.database.is_sqlite  # whose readers see the database as it was when they began
        assert harness.order(order).state is OrderState.SUBMITTED
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
