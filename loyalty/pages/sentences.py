"""Refusals in the reader's language, by their code. What has no sentence here is shown in the programme's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from loyalty.kit.errors import Refusal
from pages.translations import Text, lazy

_BAD_PLAN: Final = lazy("This cannot be used as it is. Each problem is told with its place.")

SENTENCES: Final[Mapping[str, Text]] = {
    "bad_birthday": lazy("This month has no such day."),
    "bad_identifier": lazy(
        "This is none. A card has 4 to 40 letters and digits, a phone begins with the country's code, such as +86, "
        "and a plate has 4 to 12 letters and digits."
    ),
    "bad_login": lazy("A login has 2 to 40 small letters, digits, dots, - and _, and begins with a letter or a digit."),
    "bad_rule_set": _BAD_PLAN,
    **dict.fromkeys(("bad_tier_scheme", "bad_task", "bad_referral_scheme", "bad_gift_plan"), _BAD_PLAN),
    "customer_erased": lazy("This customer was erased."),
    "example_failed": lazy("An example does not come out as it says, so the rules are not published."),
    "identifier_taken": lazy("This is another customer's. Take it from that one first."),
    "last_manager": lazy("This is the last manager. Add another one first."),
    "login_taken": lazy("This login is somebody's. Choose another one."),
    "no_live_rule_set": lazy("No rule set is in force on the last day, so there is nothing to compare with."),
    "not_refused": lazy("Somebody has decided about this already: only what was refused needs a decision."),
    "original_written_off": lazy("What it takes back was given up: there is nothing to take back."),
    "over_reversal": lazy("The award does not have so many points left to take back."),
    "own_role": lazy("Nobody does this to themselves. Another manager does."),
    "period_too_long": lazy("Choose a shorter period, of at most 92 days."),
    "person_ended": lazy("This person does not work here any more. Invite them under a new login."),
    "too_many_sales": lazy("The period has too many sales to try at once. Choose a shorter one."),
    "version_taken": lazy("There is this version already. Give it another number."),
    "weak_password": lazy(
        "Choose a longer or less simple password: at least 12 characters, of which 5 are different, without your login."
    ),
    "reference_too_long": lazy("It was tried too often for another try. Write it off."),
}


def sentence_of(error: Refusal) -> str:
    """What a refusal says to a person."""
    return str(SENTENCES.get(error.code, error.detail))
