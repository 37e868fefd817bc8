"""Addresses of mails: how they look, and when two are the same."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import Annotated

from pydantic import Field

from clearing.kit.fields import Form, Text

LONGEST_EMAIL = 254

Email = Annotated[
    Text,
    Form(r"^[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;.]+$", "must be an address of mails, such as li@partner.example"),
    Field(max_length=LONGEST_EMAIL, examples=["li@partner.example"]),
]

_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)


def email_key(email: str) -> str:
    """The same text for the ways of writing one address that every server of mails takes for one: in large and small ASCII letters.

    All else must be alike. `li@straße.example` and `li@strasse.example` are two domains, and `ℓi@` may be somebody else's box:
    whoever merely looks like somebody must not come in as that person, nor be in its way.
    """
    return email.translate(_SMALL)
