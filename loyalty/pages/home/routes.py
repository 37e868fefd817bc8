"""The overview: what waits for a decision of this person's role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from fastapi.responses import Response

from loyalty.intake.service import IntakeService
from loyalty.kit.database import clock_of
from loyalty.mqtt.service import DeviceMessageService
from loyalty.network.differences import DifferenceService
from loyalty.network.wishes import WishService
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.rule_sets.service import RuleSetService
from pages.paging import pager_of
from pages.translations import gettext as _

router = page_router("/home")
_NEWEST = 8
_WARNED_DAYS = 7


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that needs a look."""

    text: str
    tone: str
    count: int
    href: str


@router.get("")
def home(visit: Visiting) -> Response:
    """The overview."""
    sales, _more = IntakeService(visit.session).page(customer=None, outcome=None, cursor=None, limit=_NEWEST)
    return visit.page("home/home.html", matters=[*_matters(visit)], sales=sales, pager=pager_of(visit.request, None))


def _matters(visit: Visit) -> Iterator[Matter]:
    """What needs a look, the most urgent first: only what the person may open."""
    intake = IntakeService(visit.session)
    if visit.path_of("differences") and (count := DifferenceService(visit.session).open_count()):
        yield Matter(_("Programme and chain do not say the same"), "bad", count, "/staff/differences?state=open")
    if visit.path_of("wishes") and (count := WishService(visit.session).refused_count()):
        yield Matter(_("The network has refused wishes"), "bad", count, "/staff/wishes?state=refused")
    if visit.may("GET", "/sales/returns") and (count := intake.open_return_count()):
        yield Matter(_("Returns wait, or cannot be booked"), "warn", count, "/staff/sales/returns")
    if visit.path_of("refused_messages") and (count := DeviceMessageService(visit.session).open_count()):
        yield Matter(_("Messages of devices were refused"), "warn", count, "/staff/refused-messages?state=open")
    if visit.may("GET", "/sales") and (count := intake.uncovered_count()):
        yield Matter(_("No rules were in force for sales"), "warn", count, "/staff/sales?outcome=uncovered")
    if visit.path_of("rule_sets"):
        today = clock_of(visit.session).now().astimezone(visit.parts.zone).date()
        rules = RuleSetService(visit.session)
        if rules.in_force(today) is None:
            yield Matter(_("No rule set is in force today"), "bad", 1, "/staff/rule-sets")
        elif rules.in_force(today + timedelta(days=_WARNED_DAYS)) is None:
            yield Matter(_("Within a week no rule set is in force"), "warn", 1, "/staff/rule-sets")
