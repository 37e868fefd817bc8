"""Rules of debts: points that should have been taken back and were spent are owed, and what the member is given next pays them.

What pays a debt does not move: it is set off. Whatever changes a debt holds its row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.errors import Contradiction, Unknown
from loyalty.kit.ids import new_id
from loyalty.network.debt_repository import DebtRepository
from loyalty.network.members import EXTERNAL, as_member
from loyalty.network.models import Debt, Wish, WishState

REASON = "reason"
"""Under this name the facts of a reversal say in both languages what is taken back."""


class Paid(NamedTuple):
    """Points that pay a debt in place of moving."""

    debt: str
    points: int


class PaidFor(NamedTuple):
    """The same, as it is shown: for what, in both languages. `points` are what is not owed again."""

    debt: str
    points: int
    reason: Mapping[str, str]


class DebtService:
    """Debts in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._debts = DebtRepository(session)
        self._log = AuditLog(session)

    def book(self, reversal: Wish, there: int) -> Debt:
        """Has a reversal take back the points that are there; the others are owed."""
        missing = reversal.moving - there
        assert 0 < missing <= reversal.moving, "some points are missing"
        plain = {"en": f"what {reversal.reference} took back", "zh": f"{reversal.reference} 收回的积分"}
        debt = Debt(
            id=new_id("dbt"),
            member=reversal.member,
            program=reversal.program,
            wish_id=reversal.id,
            reason=reversal.facts.get(REASON) or plain,
            points=missing,
            owed=missing,
            written_off=0,
        )
        self._debts.add(debt)
        set_off(reversal, missing)
        return debt

    def undo(self, original: Wish, points: int) -> None:
        """Has points be owed again that a wish has set off: those that paid the latest debt first."""
        for paid, debt in self._debts.set_offs_of(original.id):
            again = min(points, paid.points - paid.undone)
            paid.undone += again
            debt.owed += again
            points -= again
        assert points == 0, "no more is owed again than was set off"
        self._session.flush()

    def undone(self, original: Wish) -> int:
        """How much of what a wish has set off is owed again."""
        return self._debts.undone(original.id) if original.set_off else 0

    def follow(self, before: Wish, after: Wish) -> None:
        """What one wish sets off another one does from now on."""
        self._debts.follow(before.id, after.id)

    # ---------------------------------------------------------------- a person decides

    def write_off(self, debt_id: str, *, actor: str, reason: str) -> Debt:
        """Gives up what is left of a debt. Raises Unknown, and Contradiction if nothing is."""
        debt = self._debts.get(debt_id)
        if debt is None:
            raise Unknown("unknown_debt", f"there is no debt {debt_id}")
        if debt.owed == 0:
            raise Contradiction("nothing_owed", f"nothing is left of {debt_id}")
        self._give_up(debt, actor, reason)
        return debt

    def write_off_all(self, customer: str, *, actor: str, reason: str) -> None:
        """Gives up all that a customer owes."""
        for debt in self._debts.held_of([as_member(customer)]):
            self._give_up(debt, actor, reason)

    def _give_up(self, debt: Debt, actor: str, reason: str) -> None:
        before = {"owed": debt.owed, "written_off": debt.written_off}
        debt.written_off, debt.owed = debt.written_off + debt.owed, 0
        self._session.flush()
        after = {"owed": 0, "written_off": debt.written_off}
        self._log.note(actor, "debt.written_off", debt.id, reason=reason, before=before, after=after)

    # ---------------------------------------------------------------- looking

    def set_off_by(self, wishes: Iterable[str]) -> Mapping[str, Sequence[PaidFor]]:
        """What the wishes with these ids set off; which sets off nothing is left out."""
        found: dict[str, list[PaidFor]] = {}
        for paid, debt in self._debts.set_off_by(wishes):
            if left := paid.points - paid.undone:
                found.setdefault(paid.wish_id, []).append(PaidFor(debt.id, left, debt.reason))
        return found

    def owed_by(self, customers: Iterable[str]) -> Mapping[str, Mapping[str, int]]:
        """What these customers owe, by program; who owes nothing is left out."""
        found: dict[str, dict[str, int]] = {}
        for (member, program), owed in sorted(self._debts.owed_by(map(as_member, customers)).items()):
            found.setdefault(member.removeprefix(EXTERNAL), {})[program] = owed
        return found

    def page(
        self, *, customer: str | None, is_open: bool | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[Debt], str | None]:
        """Debts, newest first: open ones, those of which nothing is left, or all."""
        member = None if customer is None else as_member(customer)
        return self._debts.page(member, is_open=is_open, cursor=cursor, limit=limit)


def customer_of(debt: Debt) -> str:
    """The id of the customer who owes it."""
    return debt.member.removeprefix(EXTERNAL)


class OpenDebts:
    """What some members owe: held and read at once, and changed in memory. The session writes it."""

    def __init__(self, session: Session) -> None:
        self._debts = DebtRepository(session)
        self._known: dict[str, list[Debt]] = {}

    def read(self, members: Collection[str]) -> None:
        """Holds and reads what members owe of whom it is not known yet."""
        if new := {*members} - self._known.keys():
            self._known |= {member: [] for member in new}
            for debt in self._debts.held_of(new):
                self._known[debt.member].append(debt)

    def pay(self, member: str, program: str, points: int) -> Sequence[Paid]:
        """What points pay that a member is given: the oldest debt first, and never more than there are."""
        self.read([member])
        paid = []
        for debt in self._known[member]:
            if debt.program == program and (part := min(points, debt.owed)):
                debt.owed -= part
                points -= part
                paid.append(Paid(debt.id, part))
        return paid


def set_off(wish: Wish, points: int) -> None:
    """Has points of a wish be set off in place of moving."""
    wish.set_off += points
    if wish.moving == 0:
        wish.state, wish.order_id = WishState.SET_OFF, None
