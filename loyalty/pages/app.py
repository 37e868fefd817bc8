"""The staff's pages as an application of their own: their headers, their forms and their failures are not those of the API."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from loyalty.http.rules import LARGEST_TILL_FILE
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.pages import preferences, refusals, start
from loyalty.pages.pages import PAGES
from loyalty.pages.parts import Parts
from loyalty.pages.registry import ROOT
from loyalty.pages.rules import PAGE_RULES
from loyalty.pages.signin import routes as signin
from loyalty.people.sealing import Seal
from loyalty.web import problems
from loyalty.web.rules import unruled
from pages.security import SecurityMiddleware

LARGEST_FORM = 1_000_000
TILL_FILES = f"{ROOT}/till-files/new"
"""Where a till's file is handed in."""


def create_pages(database: Database, settings: Settings) -> FastAPI:
    """The pages on this database. Stands below ROOT."""
    app = FastAPI(
        title="Tongdui loyalty",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.parts = Parts(database, settings, Seal(settings.staff_password))
    problems.install(app)
    refusals.install(app)
    routers = [start.router, signin.router, preferences.router, *(page.router for page in PAGES)]
    for router in routers:
        app.include_router(router)
    if odd := unruled([route for router in routers for route in router.routes], PAGE_RULES):
        raise RuntimeError(f"loyalty/pages/rules.py and the routes differ: {', '.join(odd)}")
    app.add_middleware(problems.FailureMiddleware)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(
        SecurityMiddleware,
        origin=settings.origin,
        largest_body=LARGEST_FORM,
        larger_bodies={TILL_FILES: LARGEST_TILL_FILE + LARGEST_FORM},
        secure=settings.is_secure,
    )
    return app
