"""Issues the points of a till's sales, each sale once, however often it is run and wherever it was interrupted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tongdui._client import Client
from tongdui._errors import APIError, DuplicateReferenceError, NotFoundError, UnprocessableError
from tongdui._kinds import Issue
from tongdui._models import Member, Movement, Order

from ._sheet import Sale

ORDER_SIZE = 100
"""Instructions in one order."""

Progress = Callable[[str, int, int], None]
"""Hears of progress: what is being done (`members`, `orders`, `settling`, `comparing`), how much of it, of how much."""

_POINTER = re.compile(r"/instructions/(\d+)(/|$)")


@dataclass(frozen=True, slots=True)
class Issued:
    """A sale whose points were issued: now, or (`already`) by an earlier run. The movement may still be on its way to
    the chain."""

    sale: Sale
    movement: Movement


@dataclass(frozen=True, slots=True)
class Changed:
    """A sale that is not what it was when its points were issued. Nothing was issued for the difference."""

    sale: Sale
    movement: Movement
    difference: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A sale whose points were not issued, and why: a problem code of the gateway or the chain's reason. Run it again
    when that is mended."""

    sale: Sale
    code: str
    detail: str


@dataclass(slots=True)
class TillResult:
    """What became of the sales; every one is in exactly one of the lists."""

    issued: list[Issued] = field(default_factory=list)
    pending: list[Issued] = field(default_factory=list)
    """Accepted, and not final when the time was up."""
    already: list[Issued] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    @property
    def points(self) -> int:
        """Points issued in this run."""
        return sum(found.movement.points for found in self.issued)

    @property
    def needs_attention(self) -> bool:
        """Whether something was refused, changed or is still pending."""
        return bool(self.refused or self.changed or self.pending)


class TillImport:
    """Issues points of one program for sales.

    Each sale's reference makes it unique at the gateway, so a second run, a crash in between, or two imports at the
    same time issue nothing twice. Members are registered by their customer number when they are met for the first time.
    """

    def __init__(self, client: Client, program: str, *, timeout: float = 60.0) -> None:
        """`program`: code or id. `timeout`: seconds to wait, at the end, for each order to settle."""
        self.client = client
        self.program = program
        self.timeout = timeout
        self._members: dict[str, Member] = {}

    def run(self, sales: Sequence[Sale], on_progress: Progress | None = None) -> TillResult:
        """Issues what has not been issued yet. Raises APIError and APIConnectionError when the gateway cannot be
        worked with; what was issued until then stays issued, and the next run goes on from there."""
        progress = on_progress or (lambda _what, _done, _of: None)
        result = TillResult()
        known = self._register(sales, result, progress)
        handed_in, duplicates = self._hand_in(known, result, progress)
        self._settle(handed_in, result, progress)
        for done, sale in enumerate(duplicates, start=1):
            self._compare(sale, result)
            progress("comparing", done, len(duplicates))
        return result

    # ---------------------------------------------------------------- steps

    def _register(self, sales: Sequence[Sale], result: TillResult, progress: Progress) -> list[Sale]:
        """The sales whose members are known or could be registered."""
        customers = list(dict.fromkeys(sale.customer for sale in sales))
        refused: dict[str, UnprocessableError] = {}
        for done, customer in enumerate(customers, start=1):
            if customer not in self._members:
                try:
                    self._members[customer] = self.client.members.create(external_id=customer)
                except UnprocessableError as error:
                    refused[customer] = error
            progress("members", done, len(customers))
        for sale in sales:
            if (refusal := refused.get(sale.customer)) is not None:
                result.refused.append(Refused(sale, refusal.code, refusal.detail))
        return [sale for sale in sales if sale.customer not in refused]

    def _hand_in(
        self, sales: Sequence[Sale], result: TillResult, progress: Progress
    ) -> tuple[list[tuple[Order, list[Sale]]], list[Sale]]:
        """Orders that were accepted, with their sales; and the sales whose reference was used before."""
        accepted: list[tuple[Order, list[Sale]]] = []
        duplicates: list[Sale] = []
        for start in range(0, len(sales), ORDER_SIZE):
            order, left = self._order(list(sales[start : start + ORDER_SIZE]), duplicates, result)
            if order is not None:
                accepted.append((order, left))
                result.orders.append(order)
            progress("orders", min(start + ORDER_SIZE, len(sales)), len(sales))
        return accepted, duplicates

    def _order(self, sales: list[Sale], duplicates: list[Sale], result: TillResult) -> tuple[Order | None, list[Sale]]:
        """Hands in one order, without those sales that the gateway points at, until it is accepted or empty."""
        blind = 0
        while sales:
            try:
                return self.client.orders.create([self._instruction(sale) for sale in sales]), sales
            except (DuplicateReferenceError, UnprocessableError, NotFoundError) as error:
                pointed = _pointed(error, len(sales))
                blind += not pointed
                # Without a pointer a duplicate was handed in by someone else at this very moment: next time it is known.
                if not pointed and not (isinstance(error, DuplicateReferenceError) and blind < 3):
                    raise
                for index, detail in pointed.items():
                    if isinstance(error, DuplicateReferenceError):
                        duplicates.append(sales[index])
                    else:
                        result.refused.append(Refused(sales[index], error.code, detail))
                sales = [sale for index, sale in enumerate(sales) if index not in pointed]
        return None, []

    def _instruction(self, sale: Sale) -> Issue:
        member = self._members[sale.customer]
        return Issue(program=self.program, member=member, points=sale.points, reference=sale.reference)

    def _settle(self, accepted: Sequence[tuple[Order, list[Sale]]], result: TillResult, progress: Progress) -> None:
        for done, (order, sales) in enumerate(accepted, start=1):
            final = order if order.is_final else self.client.orders.wait(order, self.timeout)
            for sale, movement in zip(sales, final.movements, strict=True):
                _place(sale, movement, result)
            progress("settling", done, len(accepted))

    def _compare(self, sale: Sale, result: TillResult) -> None:
        """Whether what was issued under the sale's reference is what the sale is worth now."""
        movement = self._issued_before(sale)
        if movement is None:
            detail = f"{sale.reference} is used, but no issuance with it is to be seen"
            result.refused.append(Refused(sale, "duplicate_reference", detail))
            return
        differences = list(self._differences(sale, movement))
        if differences:
            result.changed.append(Changed(sale, movement, "; ".join(differences)))
        else:
            result.already.append(Issued(sale, movement))

    def _issued_before(self, sale: Sale) -> Movement | None:
        found = list(self.client.issuances.list(reference=sale.reference))
        standing = [m for m in found if m.is_settled or not m.is_final]
        return standing[0] if standing else None

    def _differences(self, sale: Sale, movement: Movement) -> Iterator[str]:
        if movement.points != sale.points:
            yield f"{movement.points} points were issued, it is worth {sale.points} now"
        if movement.member != self._members[sale.customer].id:
            yield f"they were issued to another member than {sale.customer}"
        program = self.client.programs.get(self.program) if movement.program != self.program else None
        if program is not None and movement.program not in {program.code, program.id}:
            yield f"they were issued in {movement.program}"


def _place(sale: Sale, movement: Movement, result: TillResult) -> None:
    if movement.is_settled:
        result.issued.append(Issued(sale, movement))
    elif movement.is_final:
        reason = movement.reason or movement.state
        result.refused.append(Refused(sale, reason, f"the chain did not take it: {reason}"))
    else:
        result.pending.append(Issued(sale, movement))


def _pointed(error: APIError, size: int) -> dict[int, str]:
    """The instructions that a problem points at, with what is wrong with them."""
    found = {}
    for field_error in error.errors:
        match = _POINTER.match(field_error.pointer)
        if match and int(match[1]) < size:
            found[int(match[1])] = field_error.detail
    return found
