"""What the standing of a bank's line is called, why a line cannot be booked, and why a file cannot be read."""

from __future__ import annotations

from pages.translations import gettext as _
from pages.translations import lazy
from tongdui.bank import BankFileError, Place

STANDINGS = {
    "new": lazy("Can be booked"),
    "unknown_merchant": lazy("For whom?"),
    "likely_booked": lazy("Perhaps booked already"),
    "failed": lazy("The chain refused it"),
    "requested": lazy("Waits for approval"),
    "booked": lazy("Booked"),
    "differs": lazy("Booked differently"),
    "duplicate": lazy("Twice in the file"),
    "unusable": lazy("Not to be booked"),
}
STANDING_TONES = {
    "new": "info",
    "unknown_merchant": "warn",
    "likely_booked": "warn",
    "failed": "warn",
    "requested": "info",
    "booked": "good",
    "differs": "bad",
    "duplicate": "warn",
    "unusable": "",
}
PROBLEMS = {
    "not_booked_yet": lazy("The bank has not booked it yet."),
    "reversal": lazy("The bank has taken something back: look into it by hand."),
    "other_currency": lazy("It is in another currency."),
    "no_reference": lazy("The bank gives it no reference: book it by hand."),
    "no_amount": lazy("Its amount is zero."),
    "too_large": lazy("Its amount is more than one booking can have."),
}


def place_in_words(place: Place) -> str:
    """Where in a file a line stands."""
    return _("Line %(number)s") % {"number": place} if isinstance(place, int) else place


def refusal_of(error: BankFileError) -> str:
    """Why a file cannot be read."""
    told = {name: place_in_words(value) if name == "place" else value for name, value in error.arguments.items()}
    return _(error.sentence) % told
