"""The second factor that somebody types: the app's six digits or, if the phone is lost, a recovery code."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from pages.forms import Mistake, Text
from pages.translations import gettext as _
from pages.translations import lazy

_OF_AN_APP = re.compile(r"\d{6}", re.ASCII)
_RECOVERY_LENGTH = 15
_BETWEEN = {"Pd", "Zs"}
"""Hyphens and spaces, which apps, notes and keyboards put between digits."""


@dataclass(frozen=True, slots=True)
class Code(Text):
    """A field for either; its value is the code's own signs, however they were typed."""

    def parse(self, text: str) -> str:
        """The code. Digits that are neither are a mistake."""
        wide = unicodedata.normalize("NFKC", Text.parse(self, text))
        code = "".join(sign for sign in wide if unicodedata.category(sign) not in _BETWEEN)
        is_either = _OF_AN_APP.fullmatch(code) or len(code) == _RECOVERY_LENGTH
        if not code or (code.isdecimal() and not is_either):
            raise Mistake(_("A code of the app has six digits, and a recovery code has 15 letters and digits."))
        return code


def code_field() -> Text:
    """The field in which either is typed."""
    return Code(
        lazy("One-time code"),
        hint=lazy(
            "Six digits from your authenticator app, if your account has one. Without the phone: a recovery code."
        ),
        required=False,
        autocomplete="one-time-code",
        longest=40,
    )


def codes_of(code: str | None) -> dict[str, str | None]:
    """What was typed, as the gateway takes it."""
    return {"one_time_code" if _OF_AN_APP.fullmatch(code or "") else "recovery_code": code}
