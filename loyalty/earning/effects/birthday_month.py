"""A coefficient in the month of the customer's birthday."""

from __future__ import annotations

from typing import Literal

from loyalty.earning.effects.base import Granted
from loyalty.earning.names import Facts


class BirthdayMonth(Granted):
    """The coefficient in the month of the customer's birthday, by the station's calendar."""

    kind: Literal["birthday_month"] = "birthday_month"

    def grants(self, facts: Facts) -> bool:
        """Whether it is that month."""
        return facts.local_time.month == facts.customer.birthday_month
