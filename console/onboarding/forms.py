"""What is typed when a merchant joins: the merchant itself, its program, and its first admin."""

from __future__ import annotations

import re
from typing import Any

from console.asking import REASON
from pages.forms import Choice, Email, Form, Text, Whole
from pages.translations import LANGUAGES, lazy
from pages.translations import gettext as _

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_CODE = re.compile(r"[A-Z0-9]{2,12}", re.ASCII)
_BYTES = 32
"""Names stand on the chain, in one word."""


class NewMerchant(Form):
    """A legal entity, and the key that signs for it. It begins without credit."""

    name = Text(
        lazy("Name"),
        longest=_BYTES,
        hint=lazy("Stands on the chain: about 10 Chinese or 32 Latin characters."),
        focus=True,
    )
    keeper = Choice(
        lazy("Who keeps the key that signs"),
        radio=True,
        options={
            "managed": lazy("The gateway keeps a key for the merchant. It can sign in the console at once."),
            "own": lazy("The merchant has a key of its own. Nobody else can move its points."),
        },
    )
    signer_address = Text(
        lazy("Address of its own key"),
        required=False,
        longest=42,
        hint=lazy("Only for a key of its own: 0x and 40 digits, as the merchant's system shows it."),
    )

    def check(self) -> None:
        """A key of its own has an address, and a managed one has none."""
        check_name(self)
        address = self.values["signer_address"]
        if self.values["keeper"] == "managed":
            if address:
                self.refuse("signer_address", _("Leave this empty, or choose a key of its own."))
        elif not address:
            self.refuse("signer_address", _("Fill this in: it is what the merchant signs with."))
        elif not _ADDRESS.fullmatch(address):
            self.refuse("signer_address", _("Write an address, such as 0x and 40 digits."))

    @property
    def wanted(self) -> dict[str, Any]:
        """The merchant as the gateway takes it."""
        own = self.values["keeper"] == "own"
        return {
            "name": self.values["name"],
            "signer_address": self.values["signer_address"] if own else None,
            "managed_key": not own,
        }


class NewProgram(Form):
    """A merchant's points currency."""

    code = Text(lazy("Code"), longest=12, hint=lazy("2 to 12 of A-Z and 0-9, such as FUEL. It stays as it is."))
    name = Text(lazy("Name of the points"), longest=_BYTES)
    default_lifetime_days = Whole(
        lazy("Days that points live"),
        required=False,
        least=1,
        most=65_535,
        hint=lazy("Empty: for ever, unless an issue says something else."),
    )

    def check(self) -> None:
        """The code is one."""
        check_name(self)
        self.values["code"] = self.values["code"].upper()
        if not _CODE.fullmatch(self.values["code"]):
            self.refuse("code", _("Use 2 to 12 of the characters A-Z and 0-9."))


class FirstAdmin(Form):
    """Who comes first at the merchant: a person, who administers it from then on, or a program, which gets its first API key."""

    ids = "f-admin-"
    email = Email(lazy("Email"))
    name = Text(lazy("Person's name"), required=False, longest=80)
    language = Choice(lazy("Language of the mail"), options=LANGUAGES, radio=True)
    reason = REASON


def check_name(form: Form) -> None:
    """Refuses a name that is too long for the chain."""
    if len(form.values["name"].encode()) > _BYTES:
        sentence = _(
            "This is too long for the chain: %(bytes)s bytes, and %(most)s fit. A Chinese character has three."
        )
        form.refuse("name", sentence % {"bytes": len(form.values["name"].encode()), "most": _BYTES})
