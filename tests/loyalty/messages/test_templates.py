"""Texts: each kind has one in both languages, and one that cannot be rendered is refused when it is written."""

from __future__ import annotations

import pytest

from loyalty.messages.templates import KINDS, LANGUAGES, LONGEST_BODY, LONGEST_TITLE, Text, WrongText, check, render


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_reads_well_in_both_languages(kind: str) -> None:
    for language in LANGUAGES:
        text = KINDS[kind].texts[language]
        check(kind, text.title, LONGEST_TITLE)
        check(kind, text.body, LONGEST_BODY)
        shown = render(kind, language, KINDS[kind].example)
        assert shown.title
        assert not set("{}[]'") & set(shown.body.replace("friend's", "")), shown.body


def test_a_text_of_ones_own_takes_the_place_of_the_default() -> None:
    own = {"en": Text("{days} days", "{points}!"), "zh": Text("还有 {days} 天", "{points}!")}
    assert render("points_expiring", "en", {"points": 5, "days": 7}, own) == Text("7 days", "5!")
    assert render("points_expiring", "zh", {"points": 5, "days": 7}, own) == Text("还有 7 天", "5!")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("x" * 501, "it has at most 500 characters, and these are 501"),
        ("{balance}", "{balance} is none of {points}, {program}, {expires_on}, {days}"),
        ("{points.real}", "{points.real} is none of"),
        ("{points[0]}", "{points[0]} is none of"),
        ("{points!r}", "{points} is none of"),
        ("{points:>999999999}", "{points} is none of"),
        ("{}", "{} is none of"),
        ("{points", "a brace itself is written twice"),
        ("points}", "a brace itself is written twice"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, says: str) -> None:
    with pytest.raises(WrongText) as refused:
        check("points_expiring", text, LONGEST_BODY)
    assert says in str(refused.value)
