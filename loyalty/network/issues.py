"""New points for customers, whatever they are given for: what a customer owes is set off against them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from loyalty.network.debt_repository import DebtRepository
from loyalty.network.debts import OpenDebts, Paid
from loyalty.network.members import as_member
from loyalty.network.wishes import IssueWish, WishService


class IssueGroup:
    """Wishes for new points, gathered and written at once.

    Their order says which of them pays a debt. Whoever calls holds what earned the points, so nobody wishes for them twice.
    """

    def __init__(self, session: Session, customers: Collection[str] = ()) -> None:
        self._wishes = WishService(session)
        self._repository = DebtRepository(session)
        self._debts = OpenDebts(session)
        self._wanted: list[IssueWish] = []
        self._paid: list[Sequence[Paid]] = []
        self.expect(customers)

    def expect(self, customers: Collection[str]) -> None:
        """Reads at once what these customers owe, before the first of them is given something."""
        self._debts.read([as_member(customer) for customer in customers])

    def add(self, wanted: IssueWish) -> None:
        """Wishes for points under a reference that nobody has used, or can use before this transaction ends."""
        self._wanted.append(wanted)
        self._paid.append(self._debts.pay(wanted.member, wanted.program, wanted.points))

    def write(self) -> None:
        """Writes what was gathered since the last time."""
        ids = self._wishes.wish_first(self._wanted, [sum(one.points for one in paid) for paid in self._paid])
        self._repository.insert_set_offs(
            [
                {"wish_id": wish, "debt_id": one.debt, "points": one.points, "undone": 0}
                for wish, paid in zip(ids, self._paid, strict=True)
                for one in paid
            ]
        )
        self._wanted, self._paid = [], []
