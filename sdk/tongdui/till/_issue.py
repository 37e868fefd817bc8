"""Issues the points of a till's sales, each sale once, however often the import runs and wherever it was interrupted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tongdui._client import Client
from tongdui._errors import APIError, DuplicateReferenceError, NotFoundError, UnprocessableError
from tongdui._kinds.issue import Issue
from tongdui._models import Member, Movement, Order

from ._sheet import Sale

ORDER_SIZE = 100
"""Instructions in one order."""

Progress = Callable[[str, int, int], None]
"""Called with the progress: the step (`members`, `orders`, `settling`, `comparing`), how much of it is done, and the total."""

_POINTER = re.compile(r"/instructions/(\d+)(/|$)")


@dataclass(frozen=True, slots=True)
class Issued:
    """A sale whose points were issued, by this run or an earlier one. The movement may still be on its way to the chain."""

    sale: Sale
    movement: Movement


@dataclass(frozen=True, slots=True)
class Changed:
    """A sale that has changed since its points were issued. Nothing was issued for the difference."""

    sale: Sale
    movement: Movement
    difference: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A sale whose points were not issued. Run the import again when the cause is fixed.

    `code` is the gateway's code for the problem, or the chain's reason.
    """

    sale: Sale
    code: str
    detail: str


@dataclass(slots=True)
class TillResult:
    """What became of the sales. Each is in exactly one of the lists; `orders` are those of this run."""

    issued: list[Issued] = field(default_factory=list)
    pending: list[Issued] = field(default_factory=list)
    """Accepted, but not final when the time was up."""
    already: list[Issued] = field(default_factory=list)
    """Issued by an earlier run."""
    changed: list[Changed] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    @property
    def points(self) -> int:
        """The points that this run issued."""
        return sum(issued.movement.points for issued in self.issued)

    @property
    def needs_attention(self) -> bool:
        """Whether a sale was refused, has changed, or is still pending."""
        return bool(self.refused or self.changed or self.pending)


class TillImport:
    """Issues points of one program for sales.

    Each sale's reference makes it unique at the gateway, so a second run, a crash in between, or two imports at the
    same time issue nothing twice. A customer who is new is registered as a member.

    Args:
        client: A client of the program's merchant.
        program: The program's code or id.
        timeout: Seconds to wait, at the end, for each order to settle.
    """

    def __init__(self, client: Client, program: str, *, timeout: float = 60.0) -> None:
        self.client = client
        self.program = program
        self.timeout = timeout
        self._members: dict[str, Member] = {}

    def run(self, sales: Sequence[Sale], on_progress: Progress | None = None) -> TillResult:
        """Issue what has not been issued yet.

        Args:
            sales: The sales of a sheet.
            on_progress: Called after every piece of work.

        Returns:
            What became of each sale.

        Raises:
            APIError: The gateway refused something other than a single sale. What was issued so far stays issued, and
                the next run continues from there.
            APIConnectionError: The gateway did not answer. Likewise.
        """
        progress = on_progress or (lambda _step, _done, _total: None)
        result = TillResult()
        known = self._register(sales, result, progress)
        accepted, duplicates = self._submit(known, result, progress)
        self._settle(accepted, result, progress)
        for done, sale in enumerate(duplicates, start=1):
            self._compare(sale, result)
            progress("comparing", done, len(duplicates))
        return result

    # ---------------------------------------------------------------- steps

    def _register(self, sales: Sequence[Sale], result: TillResult, progress: Progress) -> list[Sale]:
        """Register members, and return the sales whose members are registered."""
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

    def _submit(
        self, sales: Sequence[Sale], result: TillResult, progress: Progress
    ) -> tuple[list[tuple[Order, list[Sale]]], list[Sale]]:
        """Submit orders. Returns those that were accepted, with their sales, and the sales whose reference was used before."""
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
        """Submit one order, again without the sales that the gateway points at, until it is accepted or empty."""
        refusals_without_pointer = 0
        while sales:
            try:
                return self.client.orders.create([self._instruction(sale) for sale in sales]), sales
            except (DuplicateReferenceError, UnprocessableError, NotFoundError) as error:
                pointed = _pointed(error, len(sales))
                refusals_without_pointer += not pointed
                # A duplicate without a pointer was submitted by someone else at this very moment: next time it is known.
                may_retry = isinstance(error, DuplicateReferenceError) and refusals_without_pointer < 3
                if not pointed and not may_retry:
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
        """Compare what was issued under the sale's reference with what the sale is worth now."""
        movement = self._issued_before(sale)
        if movement is None:
            detail = f"{sale.reference} was used, but no issuance with it can be seen"
            result.refused.append(Refused(sale, "duplicate_reference", detail))
            return
        differences = list(self._differences(sale, movement))
        if differences:
            result.changed.append(Changed(sale, movement, "; ".join(differences)))
        else:
            result.already.append(Issued(sale, movement))

    def _issued_before(self, sale: Sale) -> Movement | None:
        found = list(self.client.issuances.list(reference=sale.reference))
        standing = [movement for movement in found if movement.is_settled or not movement.is_final]
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
        result.refused.append(Refused(sale, reason, f"the chain rejected it: {reason}"))
    else:
        result.pending.append(Issued(sale, movement))


def _pointed(error: APIError, size: int) -> dict[int, str]:
    """The instructions that an error points at, with what is wrong with them."""
    found = {}
    for field_error in error.errors:
        match = _POINTER.match(field_error.pointer)
        if match and int(match[1]) < size:
            found[int(match[1])] = field_error.detail
    return found
