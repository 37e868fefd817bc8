"""The people of a merchant, or of the network itself."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from clearing.parties.staff.titles import Title
from gateway.api.approvals.schemas import Reason
from gateway.api.sessions.schemas import PersonView, SeatView
from gateway.http.schemas import Body, View

_BY_NETWORK = "whether the network has disabled the person: then only its operator can let the person in again"


class TitleChange(Body):
    """Another title."""

    title: Title


class PersonEnabling(Body):
    """Why somebody may sign in again."""

    reason: Reason | None = Field(default=None, description="for an operator or somebody of the treasury")


class StaffView(View):
    """Somebody on a seat."""

    person: PersonView
    seat: SeatView
    disabled_at: datetime | None = Field(description="since when the person may not sign in")
    disabled_by_network: bool = Field(description=_BY_NETWORK)
    since: datetime = Field(description="since when the person has the seat")
    last_seen_at: datetime | None = Field(
        default=None,
        description="when the person was last signed in on the seat, within about half a minute; for 90 days",
    )


class StaffPersonView(PersonView):
    """Somebody who may sign in, or not."""

    disabled_at: datetime | None
    disabled_by_network: bool = Field(description=_BY_NETWORK)
