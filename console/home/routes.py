"""The merchant's overview: where it stands, and what happened today."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from console.home.view import overview
from console.visit import Visiting

router = APIRouter()


@router.get("")
async def home(visit: Visiting) -> Response:
    """The overview."""
    return visit.page("home/home.html", view=await overview(visit))
