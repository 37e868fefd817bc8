"""What is typed about a new API key."""

from __future__ import annotations

from console.asking import REASON_FOR_POWER, check_reason
from console.keys.scopes import SCOPES
from pages.forms import Choice, Choices, Flag, Form, LongText, Moment, Text
from pages.translations import lazy

_NAME = Text(lazy("Name"), longest=60, hint=lazy("Who or what has it, such as: till 3, station 12"))

_EXPIRES_AT = Moment(
    lazy("Ends by itself"),
    required=False,
    hint=lazy("From then on it is good for nothing. Leave it empty for a key that stays."),
)
_NETWORKS = LongText(
    lazy("Networks"),
    longest=1_000,
    required=False,
    hint=lazy(
        "One a line, such as 203.0.113.0/24: from elsewhere the key is refused. Empty: it may be used from anywhere."
    ),
)


class MerchantKey(Form):
    """A key of a merchant."""

    name = _NAME
    scopes = Choices(
        lazy("What it may do"), options=SCOPES, hint=lazy("No more than it needs: whoever has the key may do it.")
    )
    expires_at = _EXPIRES_AT
    networks = _NETWORKS


class NetworkKey(Form):
    """A key of the network's own."""

    name = _NAME
    role = Choice(lazy("Whose it is"), radio=True)
    makes_keys = Flag(lazy("It may make other keys, and revoke them"), pointer="/scopes")
    expires_at = _EXPIRES_AT
    networks = _NETWORKS
    reason = REASON_FOR_POWER

    def check(self) -> None:
        """There is a reason, if there has to be."""
        check_reason(self, self.values["role"])
