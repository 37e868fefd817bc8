"""A seasonal fund as rules: for each quiet period a rule that earns, with a budget. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

from loyalty.earning.bounds import YUAN
from loyalty.seasons.service import Suggestion

USUAL_COEFFICIENT: Final = 15_000
"""One and a half times, in basis points."""
_FINEST = 100
"""So many yuan at most stand in a rate."""
_LONGEST_STATION = 40


def with_fund(plan: dict[str, Any], station: str, suggestions: Sequence[Suggestion]) -> dict[str, Any]:
    """A rule set with a fund at a station. A fund that it has there already gives way.

    A rule gives points by the yuan, so many that sales as in those weeks before spend about the budget. Coefficients do not
    multiply it: what it costs is reckoned with what they gave.
    """
    prefix = f"fund-{re.sub('[^a-z0-9_-]', '-', station.lower())[:_LONGEST_STATION]}-"
    others = [rule for rule in plan["rules"] if not rule["id"].startswith(prefix)]
    paying = [one for one in suggestions if one.fund_points and one.period.spend_micros]
    own = [_rule(f"{prefix}{number}", station, one) for number, one in enumerate(paying, start=1)]
    return plan | {"rules": [*others, *own]}


def _rule(name: str, station: str, suggestion: Suggestion) -> dict[str, Any]:
    period = suggestion.period
    rate = Fraction(suggestion.fund_points * YUAN, period.spend_micros).limit_denominator(_FINEST)
    rate = rate or Fraction(1, _FINEST)
    return {
        "id": name,
        "name": {"en": f"quiet weeks at {station}", "zh": f"{station} 淡季加分"},
        "condition": f"station.id == {json.dumps(station, ensure_ascii=False)}",
        "effect": {"kind": "per_yuan", "points": rate.numerator, "per": rate.denominator},
        "period": {"from": period.first_day.isoformat(), "until": period.last_day.isoformat()},
        "budget": {"points_in_all": suggestion.fund_points, "when_spent": "pay_part"},
        "coefficients": [],
    }
