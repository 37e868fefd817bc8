"""Why a customer has points: each sale with its awards, what returns took back, and what became of each on the chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from loyalty.awards.models import BookedAward, BookedTakeBack
from loyalty.awards.service import AwardService, award_of
from loyalty.bonuses.models import Bonus
from loyalty.bonuses.service import BonusService
from loyalty.intake.service import IntakeService
from loyalty.network.debts import DebtService
from loyalty.network.models import Wish
from loyalty.network.wishes import WishService
from loyalty.sales.models import RecordedReturn, RecordedSale
from loyalty.web.visit import SiteVisit
from pages.presentation import presentation

_BONUSES = 50


@dataclass(frozen=True, slots=True)
class Paid:
    """Points that pay what the customer owed, and for what."""

    points: int
    reason: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What one return took back of an award."""

    booked: BookedTakeBack
    returned: RecordedReturn | None
    wish: Wish | None


@dataclass(frozen=True, slots=True)
class Given:
    """An award, why it was given, and what became of it."""

    booked: BookedAward
    explanation: str
    wish: Wish | None
    paid: Sequence[Paid]
    taken_back: Sequence[TakenBack]


@dataclass(frozen=True, slots=True)
class Story:
    """A sale with all that followed from it."""

    sale: RecordedSale
    awards: Sequence[Given]

    @property
    def points(self) -> int:
        """What is left of what it earned."""
        return sum(one.booked.points - sum(back.booked.points for back in one.taken_back) for one in self.awards)


def stories_of(visit: SiteVisit[Any, Any], sales: Sequence[RecordedSale]) -> list[Story]:
    """The stories of these sales, by a handful of queries."""
    awards = AwardService(visit.session)
    booked = awards.of_sales(sale.id for sale in sales)
    taken = awards.take_backs_of_awards(award.id for award in booked)
    references = [*(one.reference for one in booked), *(one.reference for one in taken)]
    wishes = WishService(visit.session).latest(filter(None, references))
    returns = {one.id: one for one in IntakeService(visit.session).returns_with({one.return_id for one in taken})}
    back: dict[str, list[TakenBack]] = defaultdict(list)
    for one in taken:
        back[one.award_id].append(TakenBack(one, returns.get(one.return_id), wishes.get(one.reference or "")))
    language = cast(Literal["en", "zh"], presentation().language)
    paid = _paid_by(visit, wishes)
    given: dict[str, list[Given]] = defaultdict(list)
    for row in booked:
        explanation = award_of(row).explain(language)
        given[row.sale_id].append(
            Given(row, explanation, wishes.get(row.reference or ""), paid[row.reference or ""], back[row.id])
        )
    return [Story(sale, given[sale.id]) for sale in sales]


@dataclass(frozen=True, slots=True)
class Gift:
    """A bonus, why it was given, and what became of it and of what took it back."""

    bonus: Bonus
    reason: str
    wish: Wish | None
    paid: Sequence[Paid]
    back: Wish | None


def gifts_of(visit: SiteVisit[Any, Any], customer: str) -> list[Gift]:
    """The newest points that a customer got for something else than a sale."""
    return gifts_with(visit, BonusService(visit.session).page(customer, None, _BONUSES)[0])


def gifts_with(visit: SiteVisit[Any, Any], bonuses: Sequence[Bonus]) -> list[Gift]:
    """What became of these bonuses."""
    references = [one.reference for one in bonuses] + [one.revoked_by for one in bonuses if one.revoked_by is not None]
    wishes = WishService(visit.session).latest(references)
    paid = _paid_by(visit, wishes)
    language = presentation().language
    return [
        Gift(
            bonus=one,
            reason=str(one.reason[language]),
            wish=wishes.get(one.reference),
            paid=paid[one.reference],
            back=wishes.get(one.revoked_by or ""),
        )
        for one in bonuses
    ]


def _paid_by(visit: SiteVisit[Any, Any], wishes: Mapping[str, Wish]) -> Mapping[str, Sequence[Paid]]:
    """What the points of these wishes pay, by reference."""
    found = {reference: wish.id for reference, wish in wishes.items() if wish.set_off}
    paid = DebtService(visit.session).set_off_by(found.values()) if found else {}
    language = presentation().language
    told = {wish: [Paid(one.points, one.reason[language]) for one in some] for wish, some in paid.items()}
    return defaultdict(list, {reference: told[wish] for reference, wish in found.items() if wish in told})


def explorer_of(visit: SiteVisit[Any, Any]) -> str | None:
    """The address of the network's console, without a slash at its end."""
    address = visit.parts.settings.console_url
    return None if address is None else str(address).rstrip("/")
