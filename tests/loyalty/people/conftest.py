"""A team on each database."""

from __future__ import annotations

import pytest

from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from tests.loyalty.people.team import Team, team_on


@pytest.fixture
def team(programme: Database, shifted: ShiftedClock) -> Team:
    """Somebody of each role."""
    return team_on(programme, shifted)
