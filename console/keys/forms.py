"""What is typed about a new API key."""

from __future__ import annotations

from console.asking import REASON_FOR_POWER, check_reason
from console.keys.scopes import SCOPES
from pages.forms import Choice, Choices, Form, Text
from pages.translations import lazy

_NAME = Text(lazy("Name"), longest=60, hint=lazy("Who or what has it, such as: till 3, station 12"))


class MerchantKey(Form):
    """A key of a merchant."""

    name = _NAME
    scopes = Choices(
        lazy("What it may do"), options=SCOPES, hint=lazy("No more than it needs: whoever has the key may do it.")
    )


class NetworkKey(Form):
    """A key of the network's own."""

    name = _NAME
    role = Choice(lazy("Whose it is"), radio=True)
    reason = REASON_FOR_POWER

    def check(self) -> None:
        """There is a reason, if there has to be."""
        check_reason(self, self.values["role"])
