"""The application: it builds every part and hands them on, so nothing is global."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request

from console import live, preferences, problems
from console.addresses import Addresses
from console.pages import GROUPS, PAGES
from console.parts import Parts
from console.registry import Group, Page
from console.settings import Settings
from console.signin import first_steps, links, oidc
from console.signin import routes as signin
from console.start import router as start
from console.visit import guest, visit
from pages.assets import PREFIX, StaticFiles
from pages.security import SecurityMiddleware

_FRAME = (
    start,
    signin.router,
    oidc.router,
    first_steps.router,
    links.router,
    preferences.router,
    live.router,
)
"""What belongs to no page."""


def create_app(settings: Settings, pages: Sequence[Page] = PAGES, groups: Sequence[Group] = GROUPS) -> FastAPI:
    """The console for these settings."""
    parts = Parts(settings, pages, groups)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await parts.close()

    app = FastAPI(
        title="Tongdui console",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan,
    )
    app.state.parts = parts
    app.state.addresses = Addresses(
        [*(("", router) for router in _FRAME), *((page.path, page.router) for page in pages)]
    )
    problems.install(app)
    for router in _FRAME:
        app.include_router(router)
    for page in pages:
        app.include_router(page.router, prefix=page.path, dependencies=[Depends(_guard(page, settings))])
    app.mount(PREFIX, StaticFiles())
    app.add_middleware(problems.FailureMiddleware)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(
        SecurityMiddleware,
        origin=settings.origin,
        largest_body=settings.largest_upload,
        secure=settings.is_secure,
    )
    return app


def _guard(page: Page, settings: Settings) -> Callable[[Request], Awaitable[None]]:
    """What runs before every route of a page: whoever may not see it gets no further."""

    async def guard(request: Request) -> None:
        request.state.page = page
        if page.public and settings.public_explorer and request.app.state.parts.cookie.token(request) is None:
            await guest(request)
        else:
            await visit(request)

    return guard
