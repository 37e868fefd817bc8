"""The list of what is wrong now."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from console.alerts.view import state_of
from console.visit import Visiting

router = APIRouter()


@router.get("")
async def alerts(visit: Visiting) -> Response:
    """What is wrong, and how each part is."""
    return visit.page("alerts/alerts.html", state=await state_of(visit))
