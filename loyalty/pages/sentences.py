"""Refusals in the reader's language, by their code. What has no sentence here is shown in the programme's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from loyalty.kit.errors import Refusal
from pages.translations import Text, lazy

_BAD_PLAN: Final = lazy("This cannot be used as it is. Each problem is told with its place.")

SENTENCES: Final[Mapping[str, Text]] = {
    "already_decided": lazy("Somebody has decided about this already."),
    "already_referred": lazy("Somebody else brought this customer."),
    "bad_birthday": lazy("This month has no such day."),
    "bad_identifier": lazy(
        "This is none. A card has 4 to 40 letters and digits, a phone begins with the country's code, such as +86, "
        "and a plate has 4 to 12 letters and digits."
    ),
    "bad_login": lazy("A login has 2 to 40 small letters, digits, dots, - and _, and begins with a letter or a digit."),
    "bad_rule_set": _BAD_PLAN,
    **dict.fromkeys(("bad_tier_scheme", "bad_task", "bad_referral_scheme", "bad_gift_plan"), _BAD_PLAN),
    "bad_document": lazy("This cannot be meant."),
    "bad_text": lazy(
        "This cannot be read. It may have the names that stand above, such as {points}; a brace itself is written twice."
    ),
    "customer_erased": lazy("This customer was erased."),
    "document_differs": lazy("Another document has this number. Give the right sale another one."),
    "example_failed": lazy("An example does not come out as it says, so the rules are not published."),
    "file_in_work": lazy("It has not all been taken in yet. Look at it a little later."),
    "file_not_kept": lazy("The file is not kept. Hand it in again."),
    "identifier_taken": lazy("This is another customer's. Take it from that one first."),
    "last_manager": lazy("This is the last manager. Add another one first."),
    "login_taken": lazy("This login is somebody's. Choose another one."),
    "no_live_rule_set": lazy("No rule set is in force on the last day, so there is nothing to compare with."),
    "no_referral_scheme": lazy("No referral scheme is in force."),
    "nobody_known": lazy("Nobody is known by this."),
    "not_new": lazy("This customer has bought before, or joined too long ago."),
    "not_repeatable": lazy("Only what failed, is unclear or was withheld is sent again."),
    "not_whole": lazy("Not all of it is kept, or it is no text, so it cannot be taken again."),
    "not_refused": lazy("Somebody has decided about this already: only what was refused needs a decision."),
    "original_written_off": lazy("What it takes back was given up: there is nothing to take back."),
    "over_reversal": lazy("The award does not have so many points left to take back."),
    "own_role": lazy("Nobody does this to themselves. Another manager does."),
    "point_missing": lazy(
        "A pump or a wash bay needs a point: its code at the station, which no till has, such as P3."
    ),
    "point_taken": lazy("Another device is in use at this point. Revoke it first, or choose another point."),
    "period_too_long": lazy("Choose a shorter period, of at most 92 days."),
    "person_ended": lazy("This person does not work here any more. Invite them under a new login."),
    "ring": lazy("This customer stands above the other one in a chain of referrals."),
    "sale_corrected": lazy("This sale was corrected already. Open the right one."),
    "sale_has_customer": lazy("This sale is another customer's. Correct the sale instead."),
    "sale_of_nobody": lazy("This sale is nobody's. Say first whose it is."),
    "same_card": lazy("Both have had the same card."),
    "same_device": lazy("Both were seen on the same device."),
    "same_document": lazy("The right sale needs a number of its own: the wrong one keeps its number."),
    "same_phone": lazy("Both have had the same phone."),
    "same_plate": lazy("Both have had the same plate."),
    "self_referral": lazy("Nobody brings themselves."),
    "still_uncovered": lazy("No rule set is in force for that day yet. Publish one first."),
    "too_little_known": lazy(
        "At least 40 of a year's weeks have to be known. Take in till files of earlier months; days are counted each night."
    ),
    "too_many_sales": lazy("The period has too many sales to try at once. Choose a shorter one."),
    "unknown_customer": lazy("There is no such customer."),
    "unknown_referral_code": lazy("Nobody has this code."),
    "unknown_station": lazy("There is no such station. Add it first."),
    "version_taken": lazy("There is this version already. Give it another number."),
    "weak_password": lazy(
        "Choose a longer or less simple password: at least 12 characters, of which 5 are different, without your login."
    ),
    "reference_too_long": lazy("It was tried too often for another try. Write it off."),
}


def sentence_of(error: Refusal) -> str:
    """What a refusal says to a person."""
    return str(SENTENCES.get(error.code, error.detail))
