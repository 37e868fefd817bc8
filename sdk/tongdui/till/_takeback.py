"""Takes points back by reversals, exactly once: for returns, and for sales that are worth less than was issued for them.

The reversals of one return or sale have its reference with a number, `~1`, `~2`, ... The next number is used only when
the reversals before it have settled. So the gateway's rule of one effect a reference is a lock: of two runs that both
know `~1`, only one gets `~2`, and the other looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tongdui._client import Client
from tongdui._errors import NotFoundError
from tongdui._kinds.reverse import Reverse
from tongdui._models import Movement

from ._content import content_of
from ._result import Pending, Refused, Source, TakenBack, TillResult
from ._submission import Refusal, numbered, submit

REVERSALS = 40
"""Reversals in one order. They need as much gas as a hundred issuances."""

_MOST_RACES = 5
"""How often another run may be quicker with the same debt before this run leaves it to that one."""


@dataclass(slots=True)
class Claim:
    """Points of one issuance that a debt takes back, as far as they have not been taken back yet."""

    original: Movement
    points: int
    """In total, with what was taken back before."""
    metadata: dict[str, Any]
    left: int = 0

    def look(self, taken: Iterable[Movement]) -> None:
        """Work out what is left: less what the debt has taken, and no more than the issuance still has."""
        before = sum(movement.points for movement in taken if movement.reverses == self.original.id)
        self.left = max(0, min(self.points - before, self.original.reversible_points))


@dataclass(slots=True)
class Debt:
    """What a return, or a sale worth less now, takes back."""

    source: Source
    reference: str
    claims: list[Claim]
    taken: list[Movement] = field(default_factory=list)
    """Its reversals so far, oldest first."""
    races: int = 0
    ask: int | None = None
    """Points to take now, if the member has fewer than are left."""

    def __post_init__(self) -> None:
        for claim in self.claims:
            claim.look(self.taken)

    @property
    def claim(self) -> Claim | None:
        """The next claim of which something is left."""
        return next((claim for claim in self.claims if claim.left), None)

    def instruction(self) -> Reverse:
        """The next reversal."""
        claim = self.claim
        assert claim is not None, "only a debt with something left is submitted"
        return Reverse(
            movement=claim.original,
            points=claim.left if self.ask is None else self.ask,
            reference=f"{self.reference}~{len(self.taken) + 1}",
            metadata=claim.metadata,
        )


class TakeBack:
    """Takes points back, one reversal of each debt after the other.

    Args:
        client: The merchant's client.
        program: The program's code.
        timeout: Seconds to wait for each order to settle.
        result: Where to note what becomes of the debts.
    """

    def __init__(self, client: Client, program: str, timeout: float, result: TillResult) -> None:
        self._client = client
        self._program = program
        self._timeout = timeout
        self._result = result

    def run(self, debts: Sequence[Debt], on_done: Callable[[int], None]) -> None:
        """Take back what is left of debts.

        Args:
            debts: The debts, each once.
            on_done: Called with the number of debts that are done.
        """
        waiting = list(debts)
        while waiting:
            order, later = _next_order(waiting)
            waiting = [*self._round(order), *later]
            on_done(len(debts) - len(waiting))

    def foresee(self, debts: Sequence[Debt]) -> None:
        """Note what `run` would take back."""
        for debt in debts:
            due = [TakenBack(debt.source, claim.original, claim.left) for claim in debt.claims if claim.left]
            self._result.due += due
            if not due:
                self._count_before(debt)

    def _round(self, debts: list[Debt]) -> list[Debt]:
        """Make the next reversal of each debt. Returns the debts that go on."""
        open_debts = [debt for debt in debts if self._may_go_on(debt)]
        submitted = submit(self._client, open_debts, Debt.instruction)
        again = [debt for debt in submitted.duplicates if self._look_again(debt)]
        again += [refusal.item for refusal in submitted.refused if self._goes_on_after(refusal)]
        if submitted.order is not None:
            self._result.orders.append(submitted.order.id)
            order = self._client.orders.wait(submitted.order, self._timeout)
            for debt, movement in zip(submitted.items, order.movements, strict=True):
                if self._place(debt, movement):
                    again.append(debt)
        return again

    def _may_go_on(self, debt: Debt) -> bool:
        """Whether a debt has anything left, and its earlier reversals have settled."""
        pending = next((movement for movement in debt.taken if not movement.is_final), None)
        if pending is not None:
            pending = self._client.reversals.wait(pending, self._timeout)
            if not pending.is_final:
                self._result.pending.append(Pending(debt.source, pending))
                return False
            self._refresh(debt)
        if debt.claim is None:
            self._count_before(debt)
        return debt.claim is not None

    def _count_before(self, debt: Debt) -> None:
        self._result.reversed_before.add(sum(movement.points for movement in debt.taken))

    # ---------------------------------------------------------------- what became of it

    def _place(self, debt: Debt, movement: Movement) -> bool:
        """Note what became of a reversal. Whether the debt goes on."""
        claim, asked = debt.claim, debt.ask
        assert claim is not None, "it was submitted for this claim"
        if not movement.is_final:
            self._result.pending.append(Pending(debt.source, movement))
            return False
        if not movement.is_settled:
            reason = movement.reason or movement.state
            self._result.refused.append(Refused(debt.source, reason, f"the chain rejected its reversal: {reason}"))
            return False
        debt.taken.append(movement)
        claim.left -= movement.points
        self._result.reversed.append(TakenBack(debt.source, claim.original, movement.points, movement))
        if asked is not None:
            self._owe(debt)
            return False
        return debt.claim is not None

    def _goes_on_after(self, refusal: Refusal[Debt]) -> bool:
        debt = refusal.item
        if refusal.code == "insufficient_points":
            return self._ask_for_less(debt)
        if refusal.code == "over_reversal":
            return self._look_again(debt)
        self._result.refused.append(Refused(debt.source, refusal.code, refusal.detail))
        return False

    def _ask_for_less(self, debt: Debt) -> bool:
        """Ask for what the member has; if that is nothing, the rest is owed. Whether the debt goes on."""
        claim = debt.claim
        assert claim is not None, "it was submitted for this claim"
        available = self._available(claim.original)
        if not 0 < available < (claim.left if debt.ask is None else debt.ask):
            self._owe(debt)
            return False
        debt.ask = available
        return True

    def _owe(self, debt: Debt) -> None:
        """Note all that is left of a debt as owed."""
        for claim in debt.claims:
            if claim.left:
                self._result.owed.append(TakenBack(debt.source, claim.original, claim.left))

    def _available(self, original: Movement) -> int:
        """How many points the member of an issuance has now."""
        try:
            accounts = self._client.members.accounts(original.member) if original.member is not None else ()
        except NotFoundError:
            return 0  # the member was erased, and gave its points up
        return sum(account.available for account in accounts if account.program == self._program)

    # ---------------------------------------------------------------- when another run was quicker

    def _look_again(self, debt: Debt) -> bool:
        debt.races += 1
        if debt.races > _MOST_RACES:
            detail = "another import is taking these points back at the same time; run this one again"
            self._result.refused.append(Refused(debt.source, "duplicate_reference", detail))
            return False
        self._refresh(debt)
        return True

    def _refresh(self, debt: Debt) -> None:
        """Look up again what a debt has taken and what its issuances have left."""
        debt.ask = None
        debt.taken = numbered(self._client, [debt.reference]).get(debt.reference, [])
        for claim in debt.claims:
            claim.original = self._client.issuances.get(claim.original.id)
            claim.look(debt.taken)


def reversed_by_hand(reversals: Iterable[Movement], known: Iterable[Movement]) -> int:
    """How many points somebody has reversed without the import, apart from known reversals. Nobody can tell what for."""
    ids = {movement.id for movement in known}
    return sum(movement.points for movement in reversals if movement.id not in ids and content_of(movement) is None)


def _next_order(debts: Sequence[Debt]) -> tuple[list[Debt], list[Debt]]:
    """Debts for one order, and the rest. Of each member one, so that what it has is known when the next one is submitted."""
    order: list[Debt] = []
    rest: list[Debt] = []
    members: set[str | None] = set()
    for debt in debts:
        member = debt.claim.original.member if debt.claim is not None else None
        if len(order) < REVERSALS and (member is None or member not in members):
            members.add(member)
            order.append(debt)
        else:
            rest.append(debt)
    return order, rest
