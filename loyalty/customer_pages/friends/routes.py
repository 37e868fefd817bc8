"""The own code, and what became of whom it brought. Nobody is named."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.customer_pages.registry import ROOT
from loyalty.customer_pages.visit import Visiting, page_router
from loyalty.referrals.schemes import Part
from loyalty.referrals.service import ReferralService
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _

router = page_router("/friends")
_ROWS = 20


@router.get("")
def friends(visit: Visiting) -> Response:
    """The code, and whom it brought."""
    referrals = ReferralService(visit.session)
    code = referrals.code_if_any(visit.customer)
    rows, following = referrals.page(visit.customer.id, cursor_of(visit.request), _ROWS)
    given = referrals.given_to(visit.customer.id)
    return visit.page(
        "friends/friends.html",
        scheme=referrals.in_force(),
        code=code,
        link=None if code is None else f"{visit.parts.settings.origin}{ROOT}/invitation/{code}",
        button=Form(),
        rows=[(one.created_at, _state(given.get(one.id, frozenset()))) for one in rows],
        pager=pager_of(visit.request, following),
    )


@router.post("/code")
def make_code(visit: Visiting) -> Response:
    """Makes the code. There is one a customer, for ever."""
    ReferralService(visit.session).code_of(visit.customer)
    return visit.redirect("/friends")


def _state(given: frozenset[Part]) -> tuple[str, str]:
    if Part.AGAIN in given:
        return _("Came back"), "good"
    return (_("Has come"), "good") if Part.REFERRER in given else (_("Has joined"), "info")
