"""What is typed about something that needs a second person."""

from __future__ import annotations

from pages.forms import Form, LongText
from pages.translations import lazy


class Declining(Form):
    """Why something is declined."""

    ids = "f-decline-"
    reason = LongText(lazy("Why not"), longest=500, hint=lazy("Whoever has asked for it reads this."))
