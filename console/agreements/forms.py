"""What is typed about an agreement: its terms, a signature made elsewhere, its end."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from console.merchants import program_choices
from pages.formats import basis_points
from pages.forms import BasisPoints, Choice, Choices, Flag, Form, Moment, Money, Points, Ratio, Text, Whole
from pages.presentation import presentation
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import Agreement, Merchant, Program

SIDES = {
    "source": lazy("The source side: whoever issues the points"),
    "target": lazy("The target side: whoever takes them"),
}
IMAGINED_POINTS = 1_000
_MAX_PART = 2**32 - 1
_SIGNATURE = re.compile(r"(0x)?[0-9a-fA-F]{128,130}")
MAX_GRACE_MINUTES = 30 * 24 * 60
"""As long as the contract lets an old version live beside the new one."""


_POINTS = Points(lazy("Points to try it with"), required=False)
_GRACE = Whole(
    lazy("Minutes that the old version stays usable"),
    most=MAX_GRACE_MINUTES,
    pointer="/grace_seconds",
    hint=lazy("So that locked quotes and signed orders keep their promise. An hour is enough for all of them."),
)


class Terms(Form):
    """The terms that every agreement has, and that a new version of it may change."""

    unit_price_micros = Money(
        lazy("Price of a point"),
        least=0,
        hint=lazy(
            "What the source merchant pays the target merchant: for each point that the member gets or, where points pay for "
            "goods, for each point that is spent."
        ),
    )
    fee_bps = BasisPoints(
        lazy("Fee of the operator"), hint=lazy("A share of the price, paid by the source merchant on top.")
    )
    max_points = Points(lazy("Most points at once"))
    daily_cap = Points(lazy("Most points a day"), hint=lazy("The network's day."))
    initiators = Choices(
        lazy("Who may start a movement"),
        options=SIDES,
        hint=lazy("The target side then needs the member's one-time code."),
    )
    valid_from = Moment(lazy("Begins"), required=False, hint=lazy("At once, if it is empty."))
    valid_until = Moment(lazy("Ends"))
    accept_by = Moment(
        lazy("To be signed by"),
        required=False,
        hint=lazy("After it signatures are worth nothing. By default 30 days from now."),
    )

    def check(self) -> None:
        """What the gateway would refuse, said beside the field."""
        values = self.values
        if values["daily_cap"] < values["max_points"]:
            self.refuse("daily_cap", _("A day's points must be at least the most at once."))
        begins, accepted = values.get("valid_from"), values.get("accept_by")
        if begins and begins >= values["valid_until"]:
            self.refuse("valid_until", _("The end must be after the beginning."))
        if accepted and accepted > values["valid_until"]:
            self.refuse("accept_by", _("It must be signed before it ends."))
        least = self.initial.get("minimum_fee_bps", 0)
        if values["fee_bps"] < least:
            self.refuse("fee_bps", _("The operator asks for at least %(fee)s.") % {"fee": basis_points(least)})

    def terms(self) -> dict[str, Any]:
        """The terms, as the SDK takes them; what was left empty is left out."""
        names = set(TERM_NAMES) & set(self.fields)
        return {name: self.values[name] for name in names if self.values.get(name) is not None}


class _Exchanged(Terms):
    rate = Ratio(
        lazy("Rate"),
        pointer="/rate_num",
        hint=lazy("Target points for one source point, such as 9/10. Exactly as you write it."),
    )
    lifetime_days = Whole(
        lazy("Days until the new points expire"), most=65_535, hint=lazy("0 for never."), required=False
    )
    keep_expiry = Flag(
        lazy("Points keep their expiry"), hint=lazy("They then expire no later than those that were given for them.")
    )

    def check(self) -> None:
        """A rate that fits the chain, too."""
        super().check()
        _check_rate(self)


class NewExchange(_Exchanged):
    """Points of one program become points of another."""

    source_program = Choice(lazy("Points that the member gives"))
    target_program = Choice(lazy("Points that the member gets"))
    points = _POINTS

    def check(self) -> None:
        """The two programs differ."""
        super().check()
        source, target = self.values["source_program"], self.values["target_program"]
        if source == target:
            self.refuse("target_program", _("Choose another program than the one that is given."))
        elif not {source, target} & set(self.initial["own"]):
            self.refuse("target_program", _("One of the two sides must be yours."))

    def sides(self) -> dict[str, str]:
        """Between whom."""
        return {name: self.values[name] for name in ("source_program", "target_program")}


class NewAcceptance(Terms):
    """A merchant takes points of another's program for goods."""

    source_program = Choice(lazy("Points that the member gives"))
    target_merchant = Choice(lazy("Merchant that takes them for goods"))
    points = _POINTS

    def check(self) -> None:
        """One of the two sides is one's own."""
        super().check()
        if not {self.values["source_program"], self.values["target_merchant"]} & set(self.initial["own"]):
            self.refuse("target_merchant", _("One of the two sides must be yours."))

    def sides(self) -> dict[str, str]:
        """Between whom."""
        return {name: self.values[name] for name in ("source_program", "target_merchant")}


class ReplaceExchange(_Exchanged):
    """A new version of an exchange agreement."""

    grace_minutes = _GRACE
    points = _POINTS


class ReplaceAcceptance(Terms):
    """A new version of an acceptance agreement."""

    grace_minutes = _GRACE
    points = _POINTS


class Signature(Form):
    """A signature that another machine has made; not needed where the gateway keeps the key."""

    signature = Text(lazy("Signature"), longest=132, hint=lazy("65 bytes in hexadecimal, as the SDK makes it."))

    def check(self) -> None:
        """It looks like one."""
        check_signature(self)


class Confirm(Form):
    """A press of a button that acts once."""


class End(Form):
    """When an agreement ends. It is asked twice."""

    effective_at = Moment(
        lazy("Ends"), required=False, hint=lazy("At once, if it is empty. It can only end earlier than agreed.")
    )
    signature = Text(
        lazy("Signature"), longest=132, required=False, hint=lazy("65 bytes in hexadecimal, as the SDK makes it.")
    )

    def check(self) -> None:
        """It is earlier than agreed. A signature, if there is one, looks like one."""
        end = self.values["effective_at"]
        if end is not None and end >= self.initial["end"]:
            self.refuse("effective_at", _("It ends no later than that already."))
        check_signature(self)


TERM_NAMES = (
    *(
        "unit_price_micros",
        "fee_bps",
        "max_points",
        "daily_cap",
        "initiators",
        "valid_from",
        "valid_until",
        "accept_by",
    ),
    *("rate", "lifetime_days", "keep_expiry"),
)


def check_signature(form: Form) -> None:
    """Refuses what cannot be a signature."""
    given = form.values.get("signature")
    if given and not _SIGNATURE.fullmatch(given):
        form.refuse("signature", _("A signature has 130 hexadecimal digits, after 0x."))


def _check_rate(form: Form) -> None:
    rate: Fraction = form.values["rate"]
    if max(rate.numerator, rate.denominator) > _MAX_PART:
        form.refuse("rate", _("The fraction is too fine for the chain."))


def defaults(minimum_fee_bps: int, today: datetime, own: Collection[str]) -> dict[str, Any]:
    """What a new proposal begins with. `own` has what makes a side the person's own: its merchant's id, and codes of programs."""
    end = (today.astimezone(presentation().zone) + timedelta(days=365)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return {
        "fee_bps": minimum_fee_bps,
        "minimum_fee_bps": minimum_fee_bps,
        "own": own,
        "unit_price_micros": 10_000,
        "rate": "1/1",
        "max_points": 100_000,
        "daily_cap": 1_000_000,
        "initiators": ("source",),
        "valid_until": end,
        "lifetime_days": 0,
        "points": IMAGINED_POINTS,
    }


def terms_of(agreement: Agreement, minimum_fee_bps: int) -> dict[str, Any]:
    """The terms of an agreement, to begin its new version with."""
    same = (
        "unit_price_micros",
        "fee_bps",
        "max_points",
        "daily_cap",
        "initiators",
        "valid_until",
        "lifetime_days",
        "keep_expiry",
    )
    return {
        **{name: getattr(agreement, name) for name in same},
        "rate": f"{agreement.rate_num}/{agreement.rate_den}",
        "grace_minutes": 60,
        "points": IMAGINED_POINTS,
        "minimum_fee_bps": minimum_fee_bps,
    }


def program_options(programs: Sequence[Program], own: str) -> list[tuple[str, str]]:
    """Programs to choose from, one's own first."""
    ordered = sorted(programs, key=lambda one: (one.merchant != own, one.code))
    return program_choices(one for one in ordered if one.status == "active")


def merchant_options(merchants: Sequence[Merchant]) -> list[tuple[str, str]]:
    """Merchants to choose from; the network's own is no partner."""
    return [
        (one.id, one.name)
        for one in sorted(merchants, key=lambda one: one.name)
        if one.number and one.status == "active"
    ]


def options_of(
    form: type[Form], programs: Sequence[Program], merchants: Sequence[Merchant], own: str
) -> Mapping[str, Any]:
    """What the choices of a form offer."""
    offered = {
        "source_program": program_options(programs, own),
        "target_program": program_options(programs, own),
        "target_merchant": merchant_options(merchants),
    }
    return {name: options for name, options in offered.items() if name in form.fields}
