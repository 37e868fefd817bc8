"""What entries change in accounts, positions and daily caps: the contract's rules once more, as sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from clearing.ledger.accounts.repository import AccountKey
from clearing.parties.agreements.models import Route
from tongdui.orders import Kind
from tongdui.receipts import Entry

OPERATOR_MERCHANT = 0


@dataclass(slots=True)
class Effects:
    """Sums of what a list of entries changes. Points by account; micros by merchant."""

    points: dict[AccountKey, int] = field(default_factory=lambda: defaultdict(int))
    micros: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    uses: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Source points that count for the day's cap, by agreement. A reversal gives back what its original used on the same day."""

    def add(
        self,
        entry: Entry,
        routes: Mapping[int, Route],
        originals: Mapping[bytes, Entry],
        same_day: Collection[bytes] = frozenset(),
    ) -> None:
        """Adds an entry. `routes` holds its agreement and `originals` the entry that it reverses, where there is one.

        `same_day` holds the leaves of originals that were posted on the entry's own day.
        """
        match entry.kind:
            case Kind.EXCHANGE | Kind.SPEND:
                self._convert(entry, routes[entry.agreement])
                self.uses[entry.agreement] += entry.points
            case Kind.ISSUE:
                self.points[entry.member, entry.program] += entry.points
            case Kind.REDEEM | Kind.EXPIRE:
                self.points[entry.member, entry.program] -= entry.points
            case Kind.TRANSFER:
                self.points[entry.member, entry.program] -= entry.points
                self.points[recipient_of(entry), entry.program] += entry.points
            case Kind.REVERSE:
                self._reverse(entry, originals[entry.link], routes)
                if entry.agreement and entry.link in same_day:
                    self.uses[entry.agreement] -= entry.points
            case _:
                raise ValueError(f"{entry.kind} is not a valid Kind")

    def add_all(
        self,
        entries: Iterable[Entry],
        routes: Mapping[int, Route],
        originals: Mapping[bytes, Entry],
        same_day: Collection[bytes] = frozenset(),
    ) -> None:
        """Adds entries of one day, or of any days where nobody asks for their `uses`."""
        for entry in entries:
            self.add(entry, routes, originals, same_day)

    def _convert(self, entry: Entry, route: Route) -> None:
        self._move(entry, route, 1)
        self._pay(route.source_merchant, route.target_merchant, entry.settled)
        self._pay(route.source_merchant, OPERATOR_MERCHANT, entry.fee)

    def _convert_back(self, entry: Entry, route: Route) -> None:
        """The operator keeps its fee. The reversal's own fee is what the giver pays back to the source merchant for it."""
        self._move(entry, route, -1)
        self._pay(route.target_merchant, route.source_merchant, entry.settled + entry.fee)

    def _move(self, entry: Entry, route: Route, sign: int) -> None:
        self.points[entry.member, entry.program] -= sign * entry.points
        if entry.out:
            self.points[entry.member, route.target_program] += sign * entry.out

    def _pay(self, payer: int, payee: int, micros: int) -> None:
        self.micros[payer] -= micros
        self.micros[payee] += micros

    def _reverse(self, entry: Entry, original: Entry, routes: Mapping[int, Route]) -> None:
        match Kind(original.kind):
            case Kind.ISSUE:
                self.points[entry.member, entry.program] -= entry.points
            case Kind.REDEEM | Kind.EXPIRE:
                self.points[entry.member, entry.program] += entry.points
            case Kind.TRANSFER:
                self.points[entry.member, entry.program] += entry.points
                self.points[recipient_of(original), entry.program] -= entry.points
            case _:
                self._convert_back(entry, routes[entry.agreement])

    def negated(self) -> Effects:
        """The same sums with the other sign: they take these effects back."""
        negated = Effects()
        negated.points.update({account: -points for account, points in self.points.items()})
        negated.micros.update({merchant: -micros for merchant, micros in self.micros.items()})
        negated.uses.update({agreement: -points for agreement, points in self.uses.items()})
        return negated

    @classmethod
    def of(
        cls,
        entries: Iterable[Entry],
        routes: Mapping[int, Route],
        originals: Mapping[bytes, Entry],
        same_day: Collection[bytes] = frozenset(),
    ) -> Effects:
        """The sums of a list of entries of one day; see `add`."""
        effects = cls()
        effects.add_all(entries, routes, originals, same_day)
        return effects


def recipient_of(entry: Entry) -> str:
    """Address of the member who receives a transfer."""
    return "0x" + entry.link[12:].hex()
