"""The customers' pages as an application of their own: their cookies, their sessions and their failures are nobody else's."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from loyalty.customer_pages import live, start
from loyalty.customer_pages.friends import invitation
from loyalty.customer_pages.parts import Parts
from loyalty.customer_pages.registry import PAGES
from loyalty.customer_pages.rules import CUSTOMER_RULES
from loyalty.customer_pages.signin import routes as signin
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.web import problems
from loyalty.web.rules import unruled
from pages.security import SecurityMiddleware

LARGEST_FORM = 20_000


def create_customer_pages(database: Database, settings: Settings) -> FastAPI:
    """The customers' pages on this database. Stands below ROOT. Raises WrongSettings."""
    app = FastAPI(
        title="Tongdui loyalty, for customers",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.parts = Parts(database, settings)
    problems.install(app)
    routers = [start.router, signin.router, live.router, invitation.router, *(page.router for page in PAGES)]
    for router in routers:
        app.include_router(router)
    if odd := unruled([route for router in routers for route in router.routes], CUSTOMER_RULES):
        raise RuntimeError(f"loyalty/customer_pages/rules.py and the routes differ: {', '.join(odd)}")
    app.add_middleware(problems.FailureMiddleware)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(SecurityMiddleware, origin=settings.origin, largest_body=LARGEST_FORM, secure=settings.is_secure)
    return app
