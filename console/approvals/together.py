"""Several bookings approved together: what waits is chosen, shown once more with its sums, and approved one by one.

A bank's file brings many lines, and each waits for a second person by itself. Only bookings can be chosen: whatever gives somebody
power is looked at alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi.responses import Response

from console.amounts import sums_in_words
from console.audit.values import actor_name
from console.confirming import DO, step_of
from console.merchants import merchant_names
from console.outcomes import AT_ONCE, Outcome, outcome_of
from console.rights import DECIDE, require
from console.visit import Visit, Visiting
from pages.forms import Form
from pages.translations import gettext as _
from tongdui import Approval, NotFoundError

BOOKINGS = ("deposit", "withdrawal")
"""What came in is approved before what went out, which may need it."""
MOST = 100
"""Bookings of each kind on one page."""


async def choose(visit: Visiting) -> Response:
    """What waits for this person, to choose from."""
    require(visit, DECIDE)
    (waiting, hidden), names = await asyncio.gather(_waiting(visit), merchant_names(visit))
    return _page(visit, "choose", waiting, names, form=Form(), hidden=hidden)


async def approve(visit: Visiting) -> Response:
    """Shows once more what is chosen; or approves it, and says what became of each."""
    require(visit, DECIDE)
    form = await Form.read(visit.request)
    chosen, names = await asyncio.gather(_chosen(visit, form), merchant_names(visit))
    if not chosen:
        return visit.redirect("/approvals/together", _("Nothing was chosen."))
    if step_of(form) != DO:
        form.renew_key()
        return _page(visit, "check", chosen, names, form=form)
    gate = asyncio.Semaphore(AT_ONCE)
    outcomes: list[Outcome[Approval]] = []
    for kind in BOOKINGS:
        some = (_approved(visit, one, form.key, gate) for one in chosen if one.kind == kind)
        outcomes += await asyncio.gather(*some)
    return visit.page(
        "approvals/together_done.html",
        outcomes=outcomes,
        form=form,
        names=names,
        approved=sum(one.id is not None for one in outcomes),
        unanswered=[one.about for one in outcomes if one.is_open],
        crumbs=[(_("Several together"), "/approvals/together"), (_("Approved"), None)],
    )


async def _approved(visit: Visit, one: Approval, key: str, gate: asyncio.Semaphore) -> Outcome[Approval]:
    request = visit.client.approvals.approve(one, idempotency_key=f"{key}:{one.id}")
    return await outcome_of(one, request, gate)


async def _waiting(visit: Visit) -> tuple[list[Approval], bool]:
    """The newest bookings that wait for this person, and whether there are more."""
    found = await asyncio.gather(*(_of_kind(visit, kind) for kind in BOOKINGS))
    return [one for some, _more in found for one in some], any(more for _some, more in found)


async def _of_kind(visit: Visit, kind: str) -> tuple[list[Approval], bool]:
    found: list[Approval] = []
    async for one in visit.client.approvals.list(state="requested", kind=kind, page_size=MOST):
        if one.is_yours:
            continue
        if len(found) == MOST:
            return found, True
        found.append(one)
    return found, False


async def _chosen(visit: Visit, form: Form) -> list[Approval]:
    """The bookings that were ticked, as the gateway has them; what is none of them counts for nothing."""
    assert form.sent is not None, "it was read from a request"
    ids = [one for one in form.sent.getlist("chosen") if isinstance(one, str)]
    gate = asyncio.Semaphore(AT_ONCE)
    found = await asyncio.gather(*(_booking(visit, one, gate) for one in dict.fromkeys(ids[: len(BOOKINGS) * MOST])))
    return [one for one in found if one is not None]


async def _booking(visit: Visit, approval: str, gate: asyncio.Semaphore) -> Approval | None:
    async with gate:
        try:
            found = await visit.client.approvals.get(approval)
        except (NotFoundError, ValueError):
            return None
    return found if found.kind in BOOKINGS else None


def _page(
    visit: Visit, step: str, rows: Sequence[Approval], names: dict[str, str], form: Form, *, hidden: bool = False
) -> Response:
    return visit.page(
        "approvals/together.html",
        hidden=hidden,
        step=step,
        rows=rows,
        sums=sums_in_words((one.kind, one.change["micros"]) for one in rows),
        names=names,
        actor_name=actor_name,
        form=form,
        crumbs=[(_("Several together"), None)],
    )
