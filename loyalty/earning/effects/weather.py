"""A coefficient by the weather."""

from __future__ import annotations

from typing import Literal

from loyalty.earning.effects.base import Granted
from loyalty.earning.names import Facts


class WeatherIs(Granted):
    """The coefficient in such weather at the station."""

    kind: Literal["weather"] = "weather"
    when: Literal["rain", "snow", "heat", "frost"]

    def grants(self, facts: Facts) -> bool:
        """Whether the weather was so."""
        return bool(getattr(facts.sale.weather, self.when))
