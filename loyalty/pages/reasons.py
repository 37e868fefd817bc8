"""The reason that a person gives for a decision. It stands in the audit log."""

from __future__ import annotations

from pages.forms import Form, LongText
from pages.translations import gettext as _
from pages.translations import lazy

_SHORTEST = 3


class Because(Form):
    """Why a person decides so."""

    reason = LongText(lazy("Reason"), longest=500, hint=lazy("It stays in the audit log."))

    def check(self) -> None:
        """As the API has it."""
        if len(self.values["reason"]) < _SHORTEST:
            self.refuse("reason", _("Use at least %(number)s characters.") % {"number": _SHORTEST})
