"""Wishes: look at them, and decide about those that the network refused."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from loyalty.api.fields import Decision
from loyalty.api.wishes.schemas import WishView
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
from loyalty.network.models import REFERENCE, WishState
from loyalty.network.wishes import WishService

router = api("wishes")
_Text = Annotated[str | None, Query(max_length=REFERENCE)]


@router.get("/v1/wishes")
def list_wishes(
    call: Calling,
    state: WishState | None = None,
    reference: _Text = None,
    member: _Text = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[WishView]:
    """Wishes, newest first. `state=refused` lists those about which a person has to decide."""
    found = WishService(call.session).page(state=state, reference=reference, member=member, cursor=cursor, limit=limit)
    return shown(found, WishView.of)


@router.get("/v1/wishes/{wish}")
def get_wish(call: Calling, wish: str) -> WishView:
    """One wish."""
    return WishView.of(WishService(call.session).get(wish))


@router.post("/v1/wishes/{wish}/retry", status_code=201)
def retry_wish(call: Calling, wish: str, decision: Decision) -> WishView:
    """Send a refused wish again, under a reference of its own. The answer is the new wish."""
    return WishView.of(WishService(call.session).retry(wish, actor=call.actor, reason=decision.reason))


@router.post("/v1/wishes/{wish}/write-off")
def write_off_wish(call: Calling, wish: str, decision: Decision) -> WishView:
    """Give a refused wish up."""
    return WishView.of(WishService(call.session).write_off(wish, actor=call.actor, reason=decision.reason))
