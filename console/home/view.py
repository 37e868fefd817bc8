"""What the overview shows, made of what the gateway says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from console.liquidity import Liquidity, liquidity_of
from console.merchants import programs_of
from console.visit import Visit
from pages.charts import Chart, money_series
from pages.filters import FIRST_DAY, LAST_DAY
from pages.formats import axis_day
from pages.presentation import presentation
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import Activity, Attention, Circulation, Movement, Partner, Position, PositionHistory, Program

_NEWEST = 8
_DAYS = 30
_PARTNERS = 100

_DOINGS = {
    ("issue", "in"): lazy("Issued"),
    ("redeem", "out"): lazy("Redeemed"),
    ("exchange", "out"): lazy("Exchanged, to partners"),
    ("exchange", "in"): lazy("Exchanged, from partners"),
    ("spend", "out"): lazy("Spent, at partners"),
    ("spend", "in"): lazy("Spent, with us"),
    ("transfer", "out"): lazy("Transferred"),
    ("expire", "out"): lazy("Expired"),
    ("reverse", "in"): lazy("Reversed, came back"),
    ("reverse", "out"): lazy("Reversed, went back"),
    ("deposit", "in"): lazy("Deposited"),
    ("withdrawal", "out"): lazy("Paid out"),
}
"""What a day's total says, by kind and direction."""

_MATTERS = {
    "movements_rejected": (lazy("Movements that the chain has rejected"), "bad", "movements"),
    "movements_late": (lazy("Movements on their way for more than a minute"), "warn", "movements"),
    "liquidity_low": (lazy("Liquidity is low: make a deposit soon"), "warn", "settlement"),
    "liquidity_critical": (lazy("Liquidity is almost used up: exchanges will be refused"), "bad", "settlement"),
    "agreements_ending": (lazy("Agreements that end within two weeks"), "warn", "agreements"),
    "agreements_to_sign": (lazy("Agreements that wait for your signature"), "info", "agreements"),
    "points_expiring": (lazy("Members whose points expire within a week"), "info", "members/expiring"),
    "points_expired": (lazy("Members with expired points that you have to burn"), "warn", "members/expired"),
    "webhooks_failing": (lazy("Webhook endpoints that fail"), "bad", "webhooks"),
}
"""What each matter says, how urgent it is, and which page or list below it shows it."""


_DAYS_OF = {"created[gte]": FIRST_DAY, "created[lt]": LAST_DAY, "day[lt]": LAST_DAY}
"""What pages call the gateway's filters by moments and days."""


@dataclass(frozen=True, slots=True)
class Doing:
    """What happened today, of one kind in one program."""

    text: str
    total: Activity


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that needs a look."""

    text: str
    tone: str
    told: Attention
    href: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview of one merchant."""

    position: Position
    chart: Chart
    circulation: Sequence[tuple[Program, Circulation]]
    doings: Sequence[Doing]
    partners: Sequence[Partner]
    matters: Sequence[Matter]
    movements: Sequence[Movement]

    @property
    def liquidity(self) -> Liquidity:
        """What is left of it."""
        return liquidity_of(self.position)


async def overview(visit: Visit) -> Overview:
    """Asks the gateway for all of it at once."""
    client, merchant = visit.client, visit.merchant
    today = (await visit.network()).today
    # All seven at once; in two groups, because the types of more than six results are lost.
    (position, history, circulation), (totals, partners, told, movements) = await asyncio.gather(
        asyncio.gather(
            client.positions.get(merchant),
            client.positions.history(merchant, days=_DAYS),
            _circulation(visit),
        ),
        asyncio.gather(
            client.activity.list(first_day=today, last_day=today).page(),
            client.activity.partners(page_size=_PARTNERS).page(),
            client.activity.attention(),
            client.movements.list(page_size=_NEWEST, expand=["counterparty"]).page(),
        ),
    )
    return Overview(
        position,
        _line(history),
        circulation,
        _doings(totals.data),
        partners.data,
        [_matter(visit, one) for one in told.data],
        movements.data,
    )


async def _circulation(visit: Visit) -> list[tuple[Program, Circulation]]:
    """The merchant's programs with what is in circulation of them."""
    own = await programs_of(visit, visit.merchant)
    circulating = await asyncio.gather(*(visit.client.programs.circulation(program.code) for program in own))
    return list(zip(own, circulating, strict=True))


def _line(history: PositionHistory) -> Chart:
    labels = [axis_day(one.day) for one in history.days]
    series = money_series(_("Position"), [one.position_micros for one in history.days], step=True)
    return Chart(_("Position over 30 days"), labels, [series])


def _doings(totals: Iterable[Activity]) -> list[Doing]:
    """The totals that say something, in the order of the list above."""
    order = list(_DOINGS)
    known = [one for one in totals if (one.kind, one.direction) in _DOINGS]
    known.sort(key=lambda one: (order.index((one.kind, one.direction)), one.program or ""))
    return [Doing(str(_DOINGS[one.kind, one.direction]), one) for one in known]


def _matter(visit: Visit, told: Attention) -> Matter:
    text, tone, page = _MATTERS.get(told.kind, (told.kind, "info", ""))
    page, _, below = page.partition("/")
    path = visit.path_of(page)
    return Matter(str(text), tone, told, narrowed(f"{path}/{below}" if path and below else path, told.filter))


def narrowed(path: str | None, wanted: Mapping[str, str]) -> str | None:
    """The page's list with the gateway's filters in its address. Where the gateway says a moment, pages know its day; their last
    day counts, the gateway's does not."""
    filters = {
        _DAYS_OF.get(name, name): _day_of(name, value) if name in _DAYS_OF else value for name, value in wanted.items()
    }
    return f"{path}?{urlencode(filters)}" if path and filters else path


def _day_of(name: str, value: str) -> str:
    if name == "day[lt]":
        return (date.fromisoformat(value) - timedelta(days=1)).isoformat()
    return datetime.fromisoformat(value).astimezone(presentation().zone).date().isoformat()
