"""What the standing of a bank's line is called, and why a line cannot be booked."""

from __future__ import annotations

from pages.translations import lazy

STANDINGS = {
    "new": lazy("Can be booked"),
    "unknown_merchant": lazy("For whom?"),
    "likely_booked": lazy("Perhaps booked already"),
    "failed": lazy("The chain refused it"),
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
