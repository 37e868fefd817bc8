"""A coefficient wherever the rule's condition holds."""

from __future__ import annotations

from typing import Literal

from loyalty.earning.effects.base import Granted
from loyalty.earning.names import Facts


class Multiplier(Granted):
    """The coefficient of every sale, or line, for which the condition holds."""

    kind: Literal["multiplier"] = "multiplier"

    def grants(self, facts: Facts) -> bool:
        """The condition says it all."""
        return True
