"""The application: it builds every part and hands them on, so nothing is global."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

import loyalty.models  # noqa: F401 (all tables)
from loyalty.api.audit_log import routes as audit_log
from loyalty.api.corrections import routes as corrections
from loyalty.api.customers import routes as customers
from loyalty.api.debts import routes as debts
from loyalty.api.devices import routes as devices
from loyalty.api.differences import routes as differences
from loyalty.api.fills import routes as fills
from loyalty.api.gifts import routes as gifts
from loyalty.api.health import routes as health
from loyalty.api.keys import routes as keys
from loyalty.api.messages import routes as messages
from loyalty.api.referrals import routes as referrals
from loyalty.api.refused_messages import routes as refused_messages
from loyalty.api.rule_sets import routes as rule_sets
from loyalty.api.sales import routes as sales
from loyalty.api.seasons import routes as seasons
from loyalty.api.stations import routes as stations
from loyalty.api.tasks import routes as tasks
from loyalty.api.tiers import routes as tiers
from loyalty.api.till_files import routes as till_files
from loyalty.api.wishes import routes as wishes
from loyalty.customer_pages import registry as customer_registry
from loyalty.customer_pages.app import create_customer_pages
from loyalty.http import problems
from loyalty.http.counting import CountingMiddleware
from loyalty.http.description import describe
from loyalty.http.routes import unruled
from loyalty.kit.database import Database
from loyalty.kit.metrics import Metrics
from loyalty.kit.settings import Settings
from loyalty.pages import registry as staff_registry
from loyalty.pages.app import create_pages
from pages.assets import PREFIX, StaticFiles

ROUTERS = (
    health.router,
    sales.router,
    corrections.router,
    till_files.router,
    devices.router,
    fills.router,
    refused_messages.router,
    customers.router,
    rule_sets.router,
    tiers.router,
    tasks.router,
    referrals.router,
    gifts.router,
    messages.router,
    stations.router,
    seasons.router,
    wishes.router,
    debts.router,
    differences.router,
    keys.router,
    audit_log.router,
)


def create_app(database: Database, settings: Settings | None = None) -> FastAPI:
    """The programme's HTTP side on this database: the API and, if there is a secret for them, the pages of staff and of customers.

    Raises WrongSettings if a setting of theirs cannot be meant, and NotBuilt if the pages' static files are missing.
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
    app.state.settings = settings or Settings()
    app.state.till_mappings = app.state.settings.till_mappings
    app.state.metrics = Metrics()
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    if odd := unruled([route for router in ROUTERS for route in router.routes]):
        raise RuntimeError(f"loyalty/http/rules.py and the routes differ: {', '.join(odd)}")
    describe(app)
    app.state.end_streams = lambda: None
    if settings is not None:
        _mount_pages(app, database, settings)
    app.add_middleware(CountingMiddleware, metrics=app.state.metrics)
    return app


def _mount_pages(app: FastAPI, database: Database, settings: Settings) -> None:
    sites: dict[str, FastAPI] = {}
    if settings.staff_password:
        sites[staff_registry.ROOT] = create_pages(database, settings)
    if settings.customer_key:
        customers = sites[customer_registry.ROOT] = create_customer_pages(database, settings)
        app.state.end_streams = customers.state.parts.watcher.close
    if sites:
        app.mount(PREFIX, StaticFiles())
    for root, site in sites.items():
        app.router.routes.append(Route(root, _start_of(root)))
        app.mount(root, site)


def _start_of(root: str) -> Callable[[Request], Response]:
    return lambda _request: RedirectResponse(f"{root}/")
