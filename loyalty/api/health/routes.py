"""Whether the programme works. `/healthz`: the process answers. `/readyz`: it has a database of its own release."""

from __future__ import annotations

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from loyalty.http.routes import Calling, api
from loyalty.kit.database import Database, newest_revision
from loyalty.kit.errors import NotNow
from loyalty.kit.metrics import Metrics
from loyalty.network.gauges import read_gauges

router = api("health")


class Health(BaseModel):
    """The programme works."""

    status: str = "ok"


@router.get("/healthz")
def healthz() -> Health:
    """The process answers."""
    return Health()


@router.get("/readyz")
def readyz(request: Request) -> Health:
    """The database answers, and its schema is the one that this release needs, or a newer one."""
    database: Database = request.app.state.database
    revision = database.revision()
    if revision is None or revision < newest_revision():
        raise NotNow(
            "not_migrated", f"the schema is {revision or 'missing'}, not {newest_revision()}: run `loyalty migrate`"
        )
    return Health()


@router.get("/metrics", response_class=Response)
def metrics(call: Calling, request: Request) -> Response:
    """For Prometheus."""
    found: Metrics = request.app.state.metrics
    read_gauges(call.session, found)
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)
