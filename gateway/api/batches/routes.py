"""Batches: what the chain closed. Anyone can see them there, so all who may read see all of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from clearing.oversight.batches.service import BatchService
from gateway.api.batches.schemas import BatchView
from gateway.api.batches.view import batch_view
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, number, page_of
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["batches"])

BatchNumber = Annotated[int, Path(ge=1, lt=2**40, description="the batch's number on the chain")]


@router.get("/v1/batches")
def list_batches(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[BatchView]:
    """Batches, newest first."""
    rows = BatchService(call.session).list(after=number(cursor), limit=limit + 1)
    return page_of(rows, limit, batch_view, lambda closed: str(closed.batch.number))


@router.get("/v1/batches/{batch}")
def get_batch(batch: BatchNumber, call: Reading) -> BatchView:
    """One batch, by its number."""
    return batch_view(BatchService(call.session).one(batch))
