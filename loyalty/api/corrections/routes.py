"""Corrections: a sale was wrong, and this is the right one."""

from __future__ import annotations

from loyalty.api.corrections.schemas import CorrectionBody, CorrectionView
from loyalty.corrections.service import CorrectionService
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown

router = api("corrections")


@router.get("/v1/corrections")
def list_corrections(call: Calling, cursor: Cursor = None, limit: Limit = 50) -> Page[CorrectionView]:
    """Corrections, newest first."""
    return shown(CorrectionService(call.session).page(cursor=cursor, limit=limit), CorrectionView.of)


@router.post("/v1/corrections", status_code=201)
def correct_sale(call: Calling, correction: CorrectionBody) -> CorrectionView:
    """Take the wrong sale back and book the right one, at once. The same correction again gets the same answer."""
    made = CorrectionService(call.session).correct(correction.sent(), actor=call.actor, reason=correction.reason)
    return CorrectionView.of(made)
