"""Addresses of mails: how they look, and when two are the same."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import Field

from clearing.kit.fields import Form, Text

LONGEST_EMAIL = 254

Email = Annotated[
    Text,
    Form(r"^[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;.]+$", "must be an address of mails, such as li@partner.example"),
    Field(max_length=LONGEST_EMAIL, examples=["li@partner.example"]),
]


def email_key(email: str) -> str:
    """The same text for all ways of writing one address in large and small letters, or in wide ones."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())
