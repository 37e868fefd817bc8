"""Compares a sale with what was issued for it: not only the points, but what they were given for, when and to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from tongdui._models import Movement

from ._content import Content, content_of, digest_of, sale_metadata
from ._points import EXACT, ZERO
from ._returns import Line, lines_of
from ._sheet import Sale

MOST_NAMED = 3
"""Lines that a difference names; of the others it says how many."""

SAME_TIME = timedelta(minutes=1)
"""Some tills write seconds and some do not, so less than this is the same time."""

Lines = dict[tuple[str, str, bool], tuple[Decimal, Decimal]]
"""Quantity and amount by article, category, and whether it is goods or a discount."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different about a sale, in words, and how many points too many its member has.

    `surplus` is 0 unless a reversal puts everything right: it is the same sale, and its content is worth less now.
    `is_other`: the points were issued for another sale, or to somebody else.
    """

    differences: tuple[str, ...] = ()
    surplus: int = 0
    is_other: bool = False

    def __str__(self) -> str:
        return "; ".join(self.differences)


@dataclass(slots=True)
class Recorded:
    """A sale as the gateway knows it: its issuance, and the live reversals under its own reference, oldest first."""

    movement: Movement
    amendments: Sequence[Movement] = ()
    content: Content | None = None
    points: int = 0
    """What is left of the issuance."""
    worth: int = 0
    """What will be left when all reversals that were begun are complete: a member may have owed some of the points."""
    lines: Lines | None = None
    """None if nobody kept them."""
    digest: str | None = None
    _returned: list[tuple[Line, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.points = self.worth = self.movement.points
        self._take(content_of(self.movement))
        for amendment in self.amendments:
            self.points -= amendment.points
            self._amend(content_of(amendment))

    def compare(self, sale: Sale, is_member: Callable[[Movement, str], bool]) -> Comparison:
        """Compare it with the sale as it is now.

        Args:
            sale: The sale.
            is_member: Whether a movement's member is the customer with this number.

        Returns:
            The comparison; empty if nothing has changed.
        """
        if self._is_plainly_the_same(sale):
            return Comparison()
        other_sale = (*self._other_time(sale), *self._other_member(sale, is_member))
        other_content = tuple(self._other_content(sale))
        other_points = tuple(self._other_points(sale, is_same=not other_content))
        is_amended = bool(other_content) or (self.points != self.worth == sale.points)
        surplus = max(0, self.points - sale.points) if is_amended and self.content is not None and not other_sale else 0
        return Comparison((*other_sale, *other_points, *other_content), surplus, is_other=bool(other_sale))

    # ---------------------------------------------------------------- what is recorded

    def _take(self, content: Content | None) -> None:
        self.content = content
        self.lines = None if content is None or content.lines is None else _by_article(content.lines)
        self.digest = content.digest if content is not None else None

    def _amend(self, content: Content | None) -> None:
        """Note what an amendment left of the sale: all it says, or, if it is a return of the same number, the rest."""
        if content is None or not content.is_return:
            self._take(content)
            self.worth = self.points if content is None or content.worth is None else content.worth
            return
        # Instalments of one return all name the same lines.
        if self.lines is not None and content.lines is not None and content.lines not in self._returned:
            self._returned.append(content.lines)
            self.lines = _less(self.lines, content.lines)
            self.worth -= content.points or 0

    # ---------------------------------------------------------------- differences

    def _is_plainly_the_same(self, sale: Sale) -> bool:
        """The quick way for a file that comes again: the very same metadata."""
        found = self.movement
        is_whole = not self.amendments and found.points == sale.points and found.external_id == sale.customer
        return is_whole and found.metadata is not None and dict(found.metadata) == sale_metadata(sale)

    def _other_time(self, sale: Sale) -> Iterator[str]:
        if self.content is None:
            return
        then = self.content.time
        if self.content.day != sale.day or abs(then - sale.time) >= SAME_TIME:
            yield f"it was at {then:%Y-%m-%d %H:%M} UTC and is at {sale.time:%Y-%m-%d %H:%M} UTC now: was the number used again?"

    def _other_member(self, sale: Sale, is_member: Callable[[Movement, str], bool]) -> Iterator[str]:
        if self.movement.external_id is None and self.movement.metadata is None:
            return  # the member was erased, and with it what could be compared
        if not sale.customer:
            yield "the file names no customer now"
        elif self.content is not None and sale.customer == self.content.customer:
            return  # the same card, whoever has it now
        elif sale.customer != self.movement.external_id and not is_member(self.movement, sale.customer):
            yield f"they were issued to another member than {sale.customer}"

    def _other_points(self, sale: Sale, *, is_same: bool) -> Iterator[str]:
        if self.points == sale.points:
            return
        yield f"{self.points} points were issued, it is worth {sale.points} now"
        if is_same and self.worth != sale.points:
            cause = (
                "did its returns share a discount, or did the mapping change?"
                if self._returned
                else "did the mapping change?"
            )
            yield f"its content is the same: {cause}" if self.content else "its content was not kept"

    def _other_content(self, sale: Sale) -> Iterator[str]:
        lines = lines_of(sale.rows)
        if self.lines is None:
            if self.digest is not None and self.digest != digest_of(lines):
                yield "its many lines are not the same"
            return
        now = _by_article(lines)
        changes = [
            f"{key[0]}: {_written(self.lines.get(key))} then, {_written(now.get(key))} now"
            for key in dict.fromkeys((*self.lines, *now))
            if self.lines.get(key) != now.get(key)
        ]
        yield from changes[:MOST_NAMED]
        if len(changes) > MOST_NAMED:
            yield f"and {len(changes) - MOST_NAMED} more lines"


def _key(line: Line) -> tuple[str, str, bool]:
    return line.article, line.category, line.is_goods


def _by_article(lines: Iterable[Line]) -> Lines:
    return {_key(line): (line.quantity, line.amount) for line in lines}


def _less(lines: Lines, returned: Iterable[Line]) -> Lines:
    """What is left of lines. Lines of which nothing is left are gone."""
    left = dict(lines)
    for line in returned:
        quantity, amount = left.get(_key(line), (ZERO, ZERO))
        left[_key(line)] = EXACT.subtract(quantity, line.quantity), EXACT.subtract(amount, line.amount)
    return {key: numbers for key, numbers in left.items() if any(numbers)}


def _written(numbers: tuple[Decimal, Decimal] | None) -> str:
    return f"{numbers[0]} for {numbers[1]}" if numbers else "none"
