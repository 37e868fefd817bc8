"""What is typed to sign in, and the first time."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from pages.forms import Form, Hidden, Mistake, Secret, Text
from pages.translations import gettext as _
from pages.translations import lazy

_BETWEEN = {"Pd", "Zs"}
"""Hyphens and spaces, which apps, notes and keyboards put between digits."""


@dataclass(frozen=True, slots=True)
class Code(Text):
    """A one-time code or a recovery code; its value is the code's own signs, however they were typed."""

    def parse(self, text: str) -> str:
        """The code. What is neither is a mistake."""
        wide = unicodedata.normalize("NFKC", Text.parse(self, text))
        code = "".join(sign for sign in wide if unicodedata.category(sign) not in _BETWEEN)
        if not re.fullmatch(r"\d{6}|[0-9A-Za-z]{15}", code, re.ASCII):
            raise Mistake(_("A code of the app has six digits, and a recovery code has 15 letters and digits."))
        return code


class SignIn(Form):
    """Who somebody is."""

    login = Text(lazy("Login"), autocomplete="username", focus=True, longest=40)
    password = Secret(lazy("Password"), autocomplete="current-password")
    code = Code(
        lazy("One-time code"),
        hint=lazy("Six digits from your authenticator app. Without the phone: a recovery code."),
        autocomplete="one-time-code",
        longest=40,
    )
    next = Hidden("", required=False)


def check_repetition(form: Form, name: str) -> None:
    """Both passwords must be the same."""
    if form.values[name] != form.values["again"]:
        form.refuse("again", _("The two passwords differ."))


class NewPassword(Form):
    """The password of whoever comes by a link."""

    link = Hidden("")
    password = Secret(lazy("Password"), autocomplete="new-password", hint=lazy("At least 12 characters."), focus=True)
    again = Secret(lazy("The same again"), autocomplete="new-password")

    def check(self) -> None:
        """Both must be the same."""
        check_repetition(self, "password")


class FirstCode(Form):
    """The first code of the app."""

    link = Hidden("")
    code = Code(lazy("One-time code"), autocomplete="one-time-code", focus=True, longest=40)
