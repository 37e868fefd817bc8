"""Refusals in a customer's language, by their code. What has no sentence here is shown in the programme's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from loyalty.kit.errors import Refusal
from pages.translations import Text, lazy

SENTENCES: Final[Mapping[str, Text]] = {
    "bad_birthday": lazy("This month has no such day."),
    "bad_identifier": lazy("This is no phone number. Write it with its country's code, such as +86 138 0013 8000."),
    "already_referred": lazy("Somebody else has brought you already."),
    "birthday_set": lazy("You have told another birthday already. It cannot be changed, because gifts depend on it."),
    "customer_erased": lazy("You do not take part any more."),
    "no_referral_scheme": lazy("Nothing is given for bringing a friend just now."),
    "not_new": lazy("You took part before you opened the link."),
    "ring": lazy("You have brought the friend whose link this is, or whoever brought them."),
    "same_card": lazy("Both of you have had the same card."),
    "same_device": lazy("Another customer has signed in on this device."),
    "same_phone": lazy("Both of you have had the same phone number."),
    "same_plate": lazy("Both of you have had the same plate."),
    "self_referral": lazy("This is your own link."),
    "unknown_consent": lazy("There is no such text any more. Load the page anew."),
}


def sentence_of(error: Refusal) -> str:
    """What a refusal says to a customer."""
    return str(SENTENCES.get(error.code, error.detail))
