"""What is typed to sign in."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import ClassVar

from pages.forms import Choices, Form, Hidden, Mistake, Text
from pages.translations import gettext as _
from pages.translations import lazy


@dataclass(frozen=True, slots=True)
class Phone(Text):
    """A phone number."""

    type: ClassVar[str] = "tel"
    inputmode: ClassVar[str | None] = "tel"


@dataclass(frozen=True, slots=True)
class Code(Text):
    """Six digits, however they were typed."""

    inputmode: ClassVar[str | None] = "numeric"

    def parse(self, text: str) -> str:
        """The digits."""
        code = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", Text.parse(self, text)))
        if not re.fullmatch(r"\d{6}", code, re.ASCII):
            raise Mistake(_("The code has six digits."))
        return code


class AskCode(Form):
    """Where a code is to be sent."""

    phone = Phone(lazy("Phone number"), autocomplete="tel", focus=True, longest=40)
    next = Hidden("", required=False)


class AskInvited(Form):
    """Where the code of somebody who was invited is to be sent."""

    phone = Phone(lazy("Phone number"), autocomplete="tel", longest=40)


class Join(Form):
    """The code that was sent, and what the newcomer agrees to."""

    code = Code(lazy("One-time code"), autocomplete="one-time-code", focus=True, longest=20)
    consents = Choices(lazy("What you agree to"), required=False)


class EnterCode(Form):
    """The code that was sent."""

    code = Code(lazy("One-time code"), autocomplete="one-time-code", focus=True, longest=20)
    next = Hidden("", required=False)
