"""What is typed about customers."""

from __future__ import annotations

from loyalty.customers.models import IdentifierKind
from loyalty.pages.names import KIND_NAMES
from loyalty.pages.reasons import Because
from pages.forms import Choice, Flag, Form, Text, Whole
from pages.translations import gettext as _
from pages.translations import lazy

_KINDS = {kind.value: KIND_NAMES[kind] for kind in IdentifierKind}
_WORD = 40


class NewCustomer(Form):
    """Somebody who joins."""

    kind = Choice(lazy("Known by"), options=_KINDS, radio=True, pointer="/identifiers/0/kind")
    value = Text(lazy("Number"), longest=80, focus=True, pointer="/identifiers/0/value")
    month = Whole(lazy("Birthday: month"), least=1, most=12, required=False, pointer="/birthday/month")
    day = Whole(lazy("Birthday: day"), least=1, most=31, required=False, pointer="/birthday/day")

    def check(self) -> None:
        """A birthday has both."""
        if (self.values["month"] is None) != (self.values["day"] is None):
            self.refuse("day", _("Fill in both, or neither."))


class NewIdentifier(Form):
    """One more card, phone or plate."""

    ids = "i-"
    kind = Choice(lazy("Kind"), options=_KINDS)
    value = Text(lazy("Number"), longest=80)


class NewConsent(Form):
    """What a customer agrees to, or no longer does."""

    ids = "o-"
    purpose = Text(lazy("Purpose"), longest=_WORD, hint=lazy("A word, such as marketing"))
    text_version = Text(
        lazy("Version of the text"), longest=_WORD, hint=lazy("What the customer has read, such as 2026-11")
    )
    is_given = Choice(lazy("The customer"), options={"yes": lazy("agrees"), "no": lazy("no longer agrees")}, radio=True)

    def check(self) -> None:
        """As the API has it."""
        for name in ("purpose", "text_version"):
            word = self.values[name]
            if not all(sign.isascii() and (sign.isalnum() or sign in "._-") for sign in word):
                self.refuse(name, _("Use letters, digits, dots, - and _ only."))


class CodeWanted(Form):
    """That a customer wants to bring others: nothing is typed."""


class NewReferral(Form):
    """Who brought a customer."""

    ids = "r-"
    code = Text(lazy("Referral code"), longest=12, hint=lazy("Of the customer who brought this one"))


class WriteOff(Because):
    """Why a customer owes something no more."""

    ids = "d-"


class Erase(Because):
    """That somebody leaves."""

    forfeit_points = Flag(lazy("The customer knows that the points that are left are given up"), required=True)
