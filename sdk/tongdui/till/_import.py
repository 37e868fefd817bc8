"""Imports a sheet: issues the points of its sales and takes back those of its returns, each exactly once.

However often the import runs, and wherever it was interrupted: it looks up first what the gateway knows, and does what is missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from typing import TypeAlias, TypeVar

from tongdui._client import Client
from tongdui._kinds.issue import Issue
from tongdui._models import Movement

from ._comparison import Recorded
from ._content import sale_metadata
from ._members import Members
from ._originals import Originals
from ._result import Changed, Pending, Refused, TillResult
from ._sheet import Sale, TillSheet
from ._submission import ORDER_SIZE, PAGE, numbered, submit
from ._takeback import Claim, Debt, TakeBack, reversed_by_hand

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the progress: the step (`sales`, `settling`, `returns`), how much of it is done, and the total."""

MOST_ON_THE_WAY = 20
"""Orders that may be on their way to the chain before the import waits for the oldest of them."""

_MOST_RACES = 5
"""How often another import may be quicker with the same sales, and then fail, before this run leaves them to the next one."""

T = TypeVar("T")


class TillImport:
    """Issues points of one program for the sales of a till, and takes back those of its returns.

    Each sale's reference makes it unique at the gateway, so a second run, a crash in between, or two imports at the
    same time issue nothing twice. A customer who is new is registered as a member.

    Args:
        client: A client of the program's merchant.
        program: The program's code or id.
        timeout: Seconds to wait for each order to settle.
        reverse: Take back the points of returns, and of sales that are worth less than was issued for them. Without it
            the result says what would be taken back.
    """

    def __init__(self, client: Client, program: str, *, timeout: float = 60.0, reverse: bool = False) -> None:
        self.client = client
        self.program = program
        self.timeout = timeout
        self.reverse = reverse

    def run(self, sheet: TillSheet, on_progress: Progress | None = None) -> TillResult:
        """Issue what has not been issued yet, and take back what has not been taken back yet.

        Args:
            sheet: What `read_till` read.
            on_progress: Called after every piece of work.

        Returns:
            What became of the sales and returns.

        Raises:
            APIError: The gateway refused something other than a single sale. What was done so far stays done, and the
                next run continues from there.
            APIConnectionError: The gateway did not answer. Likewise.
        """
        return _Run(self, sheet, on_progress or (lambda _step, _done, _total: None)).run()


@dataclass(frozen=True, slots=True)
class _Expiry:
    """When points for a sale expire, and whether they may be issued now."""

    lifetime_days: int | None
    offset: timedelta
    """Of the network's day."""

    def day_of(self, moment: datetime) -> date:
        """The network's day at a moment."""
        return (moment.astimezone(UTC) + self.offset).date()

    def expires_on(self, sale: Sale) -> date | None:
        """The first day without the points: counted from the sale's day, however late it is imported."""
        return self.day_of(sale.time) + timedelta(days=self.lifetime_days) if self.lifetime_days else None

    def refusal(self, sale: Sale) -> Refused | None:
        """Why the sale's points cannot be issued now, or None."""
        expires_on = self.expires_on(sale)
        if expires_on is not None and expires_on <= self.day_of(datetime.now(UTC)):
            detail = f"its points live {self.lifetime_days} days from the day of the sale and expired on {expires_on}"
            return Refused(sale, "already_expired", detail)
        return None


class _Run:
    """One run of an import."""

    def __init__(self, settings: TillImport, sheet: TillSheet, progress: Progress) -> None:
        self._client = settings.client
        self._settings = settings
        self._sheet = sheet
        self._progress = progress
        self._result = TillResult()
        program = self._client.programs.get(settings.program)
        network = self._client.network.get()
        self._program = program.code
        self._names = {program.code, program.id}
        self._expiry = _Expiry(program.default_lifetime_days, timedelta(seconds=network.utc_offset_seconds))
        self._members = Members(self._client)
        self._other: set[str] = set()
        """References under which points were issued for another sale than the file's."""
        self._settling = _Settling(self)
        self._debts: list[Debt] = []
        self._take_back = TakeBack(self._client, self._program, settings.timeout, self._result)

    def run(self) -> TillResult:
        """Import sales, wait for them, then take back what returns give back."""
        sheet = self._sheet
        total, done = len(sheet.sales) + len(sheet.worthless) + len(sheet.no_customer), 0
        for page in _pages(chain(sheet.sales, sheet.worthless, sheet.no_customer), PAGE):
            self._import(page)
            done += len(page)
            self._progress("sales", done, total)
        self._settling.finish()
        self._take_returns_back()
        return self._result

    # ---------------------------------------------------------------- sales

    def _import(self, sales: Sequence[Sale]) -> None:
        """Look up what the gateway knows of some sales, and issue what is missing."""
        missing = [sale for sale in self._look_up(sales) if self._is_in_time(sale)]
        self._members.register(sale.customer for sale in missing)
        for ready in _pages(filter(self._has_member, missing), ORDER_SIZE):
            self._issue(ready)

    def _issue(self, sales: list[Sale]) -> None:
        """Submit an order for some sales."""
        for _ in range(_MOST_RACES):
            submitted = submit(self._client, sales, self._instruction)
            self._result.refused += [Refused(one.item, one.code, one.detail) for one in submitted.refused]
            if submitted.order is not None:
                self._result.orders.append(submitted.order.id)
                self._settling.add(submitted.order.id, submitted.items, is_mine=True)
            # Another import was quicker with these; if the chain has rejected its order meanwhile, try once more.
            sales = list(self._look_up(submitted.duplicates))
            if not sales:
                return
        detail = "its reference was used, but no issuance with it can be seen; run the import again"
        self._result.refused += [Refused(sale, "duplicate_reference", detail) for sale in sales]

    def _look_up(self, sales: Sequence[Sale]) -> Iterator[Sale]:
        """Compare those of some sales that were issued before. Yields the others, if they are worth points."""
        references = [sale.reference for sale in sales]
        known = {str(found.reference): found for found in self._client.movements.lookup("issue", references)}
        amended = [reference for reference, movement in known.items() if movement.reversed_points]
        amendments = numbered(self._client, amended)
        on_the_way: dict[str, list[Sale]] = {}
        for sale in sales:
            movement = known.get(sale.reference)
            if movement is None:
                if sale.points and sale.customer:
                    yield sale
            elif movement.is_final:
                self._compare(sale, Recorded(movement, amendments.get(sale.reference, ())))
            else:
                on_the_way.setdefault(movement.order, []).append(sale)
        for order, some in on_the_way.items():
            self._settling.add(order, some, is_mine=False)

    def _is_in_time(self, sale: Sale) -> bool:
        """Whether a sale's points would live today."""
        refusal = self._expiry.refusal(sale)
        if refusal is not None:
            self._result.refused.append(refusal)
        return refusal is None

    def _has_member(self, sale: Sale) -> bool:
        """Whether a sale's customer could be registered."""
        refusal = self._members.refusal(sale.customer)
        if refusal is not None:
            self._result.refused.append(Refused(sale, refusal.code, refusal.detail))
        return refusal is None

    def _instruction(self, sale: Sale) -> Issue:
        return Issue(
            program=self._program,
            member=f"external:{sale.customer}",
            points=sale.points,
            expires_on=self._expiry.expires_on(sale),
            reference=sale.reference,
            metadata=sale_metadata(sale),
        )

    # ---------------------------------------------------------------- what was issued before

    def _compare(self, sale: Sale, recorded: Recorded) -> None:
        """Compare a sale with what was issued for it; what that is too much, take back."""
        movement = recorded.movement
        if movement.program not in self._names:
            self._result.changed.append(Changed(sale, movement, f"its points were issued in {movement.program}"))
            self._other.add(sale.reference)
            return
        comparison = recorded.compare(sale, self._members.is_member)
        if not comparison.differences:
            self._result.already.add(recorded.points)
            return
        if comparison.is_other:
            self._other.add(sale.reference)
        debt = None
        if comparison.surplus:
            taken = sum(amendment.points for amendment in recorded.amendments)
            claim = Claim(movement, comparison.surplus + taken, sale_metadata(sale, sale.points))
            debt = Debt(sale, sale.reference, [claim], list(recorded.amendments))
        by_hand = self._by_hand(recorded) if debt is not None and debt.claim is not None else ""
        if debt is None or by_hand or (not self._settings.reverse and debt.claim is not None):
            self._result.changed.append(Changed(sale, movement, str(comparison) + by_hand))
        else:
            self._debts.append(debt)

    def _by_hand(self, recorded: Recorded) -> str:
        """What to say if somebody has taken back some of a sale that has changed: perhaps for that very reason."""
        movement, amendments = recorded.movement, recorded.amendments
        if movement.reversed_points == sum(amendment.points for amendment in amendments):
            return ""
        found = self._client.reversals.list(original=movement.id)
        points = reversed_by_hand((one for one in found if one.is_settled or not one.is_final), amendments)
        number = f"{movement.reference}~{len(amendments) + 1}"
        advice = f"reverse what is still too much under the reference {number}"
        return f"; {points} points of it were reversed by hand, perhaps for this: {advice}" if points else ""

    # ---------------------------------------------------------------- taking back

    def _take_returns_back(self) -> None:
        """Take back the points of returns, and of sales that are worth less now: sales first, they were there first."""
        total, done = len(self._debts) + len(self._sheet.returns), 0
        for debts in _pages(self._debts, ORDER_SIZE):
            self._take(debts, done, total)
            done += len(debts)
        in_file = {returned.reference for returned in self._sheet.returns}
        originals = Originals(self._client, self._program, self._sheet.rule, in_file, self._other, self._result)
        for returns in _pages(self._sheet.returns, ORDER_SIZE):
            self._take(list(originals.debts(returns)), done, total)
            done += len(returns)
            self._progress("returns", done, total)

    def _take(self, debts: Sequence[Debt], done: int, total: int) -> None:
        if self._settings.reverse:
            self._take_back.run(debts, lambda more: self._progress("returns", done + more, total))
        else:
            self._take_back.foresee(debts)


class _Settling:
    """Orders on their way to the chain, with the sales in them. Holds a bounded number; the oldest is waited for first."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._orders: deque[tuple[str, Sequence[Sale], bool]] = deque()
        self._patience = run._settings.timeout
        self._settled = self._total = 0

    def add(self, order: str, sales: Sequence[Sale], *, is_mine: bool) -> None:
        """Watch an order. Waits for the oldest one if there are too many."""
        self._orders.append((order, sales, is_mine))
        self._total += len(sales)
        while len(self._orders) > MOST_ON_THE_WAY:
            self._wait()

    def finish(self) -> None:
        """Wait for all."""
        while self._orders:
            self._wait()

    def _wait(self) -> None:
        order, sales, is_mine = self._orders.popleft()
        final = self._run._client.orders.wait(order, self._patience)
        if not final.is_final:
            self._patience = 0.0  # what was submitted after it has to wait longer
        movements = {movement.reference: movement for movement in final.movements}
        for sale in sales:
            self._place(sale, movements[sale.reference], is_mine=is_mine)
        self._settled += len(sales)
        self._run._progress("settling", self._settled, self._total)

    def _place(self, sale: Sale, movement: Movement, *, is_mine: bool) -> None:
        result = self._run._result
        if not movement.is_final:
            result.pending.append(Pending(sale, movement))
        elif not movement.is_settled:
            reason = movement.reason or movement.state
            result.refused.append(Refused(sale, reason, f"the chain rejected it: {reason}"))
        elif is_mine:
            result.issued.add(movement.points)
        else:
            self._run._compare(sale, Recorded(movement))


def _pages(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Take items in lists of at most `size`."""
    source = iter(items)
    while page := list(islice(source, size)):
        yield page
