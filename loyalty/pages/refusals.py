"""What only pages of the staff refuse."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from loyalty.pages.visit import NotYours
from loyalty.web.problems import present_for, problem_page
from pages.translations import gettext as _


def install(app: FastAPI) -> None:
    """Has the application say what a role does not include."""
    app.add_exception_handler(NotYours, _not_yours)


async def _not_yours(request: Request, _error: Exception) -> Response:
    present_for(request)
    text = _("Your role does not include this. A manager can change that.")
    return problem_page(request, 403, _("This is not yours to see"), text, picture="lock")
