"""The one form of a card's number, a phone's number and a plate: people write them in many ways."""

from __future__ import annotations

import re
import unicodedata

from loyalty.customers.models import IdentifierKind
from loyalty.kit.errors import Malformed

_SEPARATORS = re.compile(r"[\s\-·•.()]+")
_FORMS = {
    IdentifierKind.CARD: (re.compile(r"[0-9A-Z]{4,40}"), "4 to 40 letters and digits"),
    IdentifierKind.PHONE: (re.compile(r"\+[1-9]\d{6,14}"), "a number with its country's code, such as +8613800138000"),
    IdentifierKind.PLATE: (re.compile(r"[\w]{4,12}"), "4 to 12 letters and digits, such as 京A12345"),
}


def canonical(kind: IdentifierKind, value: str, pointer: str = "/value") -> str:
    """The form in which it is kept and looked up. Raises Malformed if it cannot be one."""
    found = _SEPARATORS.sub("", unicodedata.normalize("NFKC", value)).upper()
    form, says = _FORMS[kind]
    if not form.fullmatch(found):
        raise Malformed("bad_identifier", f"a {kind} is {says}", pointer=pointer)
    return found


def phone_of(typed: str, prefix: str, pointer: str = "/phone") -> str:
    """The one form of a phone number as people type their own: often without their country's code. Raises Malformed."""
    text = _SEPARATORS.sub("", unicodedata.normalize("NFKC", typed))
    if text.startswith("00"):
        text = f"+{text[2:]}"
    return canonical(IdentifierKind.PHONE, text if text.startswith("+") else prefix + text, pointer)


def masked(identifier: str) -> str:
    """A number of which only the ends can be read: enough for whoever knows it."""
    shown = 2 if len(identifier) < 8 else 3
    return f"{identifier[:shown]}{'•' * 4}{identifier[-shown:]}"
