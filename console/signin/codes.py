"""The second factor that somebody types: the app's six digits or, if the phone is lost, a recovery code."""

from __future__ import annotations

import re

from pages.forms import Text
from pages.translations import lazy

_OF_AN_APP = re.compile(r"[\d\s]*", re.ASCII)


def code_field() -> Text:
    """The field in which either is typed."""
    return Text(
        lazy("One-time code"),
        hint=lazy(
            "Six digits from your authenticator app, if your account has one. Without the phone: a recovery code."
        ),
        required=False,
        autocomplete="one-time-code",
    )


def codes_of(typed: str | None) -> dict[str, str | None]:
    """What was typed, as the gateway takes it."""
    return {"one_time_code" if _OF_AN_APP.fullmatch(typed or "") else "recovery_code": typed}
