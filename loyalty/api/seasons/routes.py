"""When a seasonal fund helps a station: the weeks of its lowest third."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from loyalty.api.seasons.schemas import SuggestionView
from loyalty.earning.bounds import EVEN, LARGEST_COEFFICIENT
from loyalty.http.routes import Calling, api
from loyalty.kit.paging import Page
from loyalty.seasons.fund import USUAL_COEFFICIENT
from loyalty.seasons.service import SeasonService

router = api("seasons")


@router.get("/v1/stations/{station}/quiet-weeks")
def suggest_quiet_weeks(
    call: Calling,
    station: str,
    coefficient: Annotated[
        int, Query(gt=EVEN, le=LARGEST_COEFFICIENT, description="of the fund, in basis points: 15000 is 1.5 times")
    ] = USUAL_COEFFICIENT,
) -> Page[SuggestionView]:
    """When in the coming year the station sells least, by its own history, and what more points would cost then."""
    found = SeasonService(call.session).suggest(station, coefficient)
    return Page(data=[SuggestionView.of(one) for one in found], next_cursor=None)
