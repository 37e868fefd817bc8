"""What goes wrong at a till, in words for who stands there: what it is, with its numbers, and what to do now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from console.till.offers import Offer
from pages.formats import count
from pages.forms import Form
from pages.translations import gettext as _
from tongdui import APIError

_NUMBER = re.compile(r"\d+", re.ASCII)


@contextmanager
def plain_words(form: Form, offer: Offer) -> Iterator[None]:
    """What the gateway refuses within the block is said in the till's words, where it has some. Other refusals go on."""
    try:
        yield
    except APIError as error:
        said = _said(error, offer)
        if said is None:
            raise
        form.renew_key()
        form.original = str(error)
        form.refuse(*said)


def _said(error: APIError, offer: Offer) -> tuple[str, str] | None:
    """The field at fault, and the sentence."""
    numbers = [int(number) for number in _NUMBER.findall(error.detail)]
    if error.code == "member_code_invalid":
        return "who", _code_sentence(error.detail)
    if error.code == "too_many_tries":
        return "who", _("Too many wrong codes. Wait %(time)s, then scan again.") % {"time": _time(error.retry_after)}
    if error.code == "insufficient_points" and len(numbers) >= 2:
        values = {"available": count(numbers[0]), "needed": count(numbers[1]), "program": offer.program}
        return "points", _("The member has %(available)s %(program)s points. %(needed)s are needed.") % values
    if error.code == "over_member_code" and numbers:
        agreed = {"points": count(numbers[0])}
        return "points", _("The member has agreed to at most %(points)s points. For more, ask for a new code.") % agreed
    if error.code == "over_instruction_cap" and offer.most is not None:
        return "points", _("At most %(points)s points at once.") % {"points": count(offer.most)}
    return _sentences(offer).get(error.code)


def _sentences(offer: Offer) -> dict[str, tuple[str, str]]:
    unknown = _("No member of yours has this number. Scan again, or register the card.")
    return {
        "not_found": ("who", unknown),
        "unknown_member": ("who", unknown),
        "member_frozen": (
            "who",
            _("This member is frozen: nobody may take points. Take another payment, and ask your manager."),
        ),
        "member_code_other_program": (
            "who",
            _("This code is for other points than %(program)s.") % {"program": offer.program},
        ),
        "insufficient_liquidity": (
            "points",
            _("The merchant that pays for these points cannot pay so much at the moment. Take another payment."),
        ),
        "over_daily_cap": ("points", _("So many points can be taken no more today. Take fewer, or another payment.")),
        "over_issuance_cap": ("points", _("So many points can be given no more today.")),
        "duplicate_reference": ("reference", _("This document number was used already. Was it done before?")),
    }


def _code_sentence(detail: str) -> str:
    """The gateway has one code for every code that is not live; its sentence says why."""
    if "used" in detail:
        return _("This code was used already. Ask the member for a new one.")
    if "expired" in detail:
        return _("This code has expired. Ask the member for a new one.")
    if "void" in detail:
        return _("This code was taken back. Ask the member for a new one.")
    return _("There is no such code, or it is for another merchant. Scan again, or ask the member for a new one.")


def _time(seconds: float | None) -> str:
    whole = max(1, int(seconds or 60))
    if whole < 60:
        return _("%(seconds)s seconds") % {"seconds": whole}
    return _("%(minutes)s min %(seconds)s s") % {"minutes": whole // 60, "seconds": whole % 60}
