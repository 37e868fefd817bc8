"""The application: it builds every part and hands them on, so nothing is global."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import RedirectResponse
from starlette.routing import Route

import loyalty.models  # noqa: F401 (all tables)
from loyalty.api.audit_log import routes as audit_log
from loyalty.api.corrections import routes as corrections
from loyalty.api.customers import routes as customers
from loyalty.api.devices import routes as devices
from loyalty.api.differences import routes as differences
from loyalty.api.fills import routes as fills
from loyalty.api.gifts import routes as gifts
from loyalty.api.health import routes as health
from loyalty.api.keys import routes as keys
from loyalty.api.messages import routes as messages
from loyalty.api.referrals import routes as referrals
from loyalty.api.rule_sets import routes as rule_sets
from loyalty.api.sales import routes as sales
from loyalty.api.stations import routes as stations
from loyalty.api.tasks import routes as tasks
from loyalty.api.tiers import routes as tiers
from loyalty.api.till_files import routes as till_files
from loyalty.api.wishes import routes as wishes
from loyalty.http import problems
from loyalty.http.counting import CountingMiddleware
from loyalty.http.description import describe
from loyalty.http.routes import unruled
from loyalty.kit.database import Database
from loyalty.kit.metrics import Metrics
from loyalty.kit.settings import Settings
from loyalty.pages.app import create_pages
from loyalty.pages.registry import ROOT
from pages.assets import PREFIX, StaticFiles

ROUTERS = (
    health.router,
    sales.router,
    corrections.router,
    till_files.router,
    devices.router,
    fills.router,
    customers.router,
    rule_sets.router,
    tiers.router,
    tasks.router,
    referrals.router,
    gifts.router,
    messages.router,
    stations.router,
    wishes.router,
    differences.router,
    keys.router,
    audit_log.router,
)


def create_app(database: Database, settings: Settings | None = None) -> FastAPI:
    """The programme's HTTP side on this database: the API and, if there is a secret for them, the staff's pages.

    Raises WrongSettings if the secret cannot be read, and NotBuilt if the pages' static files are missing.
    """
    app = FastAPI(
        title="Tongdui loyalty",
        version="0.1.0",
        description="The programme that a merchant runs for its customers.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.database = database
    app.state.till_mappings = None if settings is None else settings.till_mappings
    app.state.metrics = Metrics()
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    if odd := unruled([route for router in ROUTERS for route in router.routes]):
        raise RuntimeError(f"loyalty/http/rules.py and the routes differ: {', '.join(odd)}")
    describe(app)
    if settings is not None and settings.staff_password:
        app.mount(PREFIX, StaticFiles())
        app.router.routes.append(Route(ROOT, lambda _request: RedirectResponse(f"{ROOT}/")))
        app.mount(ROOT, create_pages(database, settings))
    app.add_middleware(CountingMiddleware, metrics=app.state.metrics)
    return app
