"""One customer, however a till, a card reader or a spreadsheet has written the number."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tongdui._canonical import canonical

GUARDED = st.text(alphabet=st.sampled_from("='\"` \u200b\ufeffA1é\u0301Ａ＝＇＂｀\u3000"), max_size=12)


@pytest.mark.parametrize(
    "written",
    [
        "FC-1001",
        "ＦＣ－１００１",
        "FC-1001\u200b",
        "FC-\u200b1001",
        "\ufeffFC-1001",
        "`FC-1001",
        "'FC-1001",
        '="FC-1001"',
        "='FC-1001'",
        ' = "FC-1001" '.strip(),
        "＝＂FC-1001＂",
        "\tFC-1001\u3000",
        "\u00a0FC-1001\r\n",
        '\ufeff="`FC-1001 "',
    ],
)
def test_one_card_has_one_canonical_form(written: str) -> None:
    assert canonical(written) == "FC-1001"


@pytest.mark.parametrize(
    "written",
    [
        "0012",
        "6.22848E+15",
        "a b",
        "O'Brien",
        "A/accounts",
        "=1+1",
        '"quoted"',
        "95#",
        "-",
        "汽油",
        "/",
        "0",
        "naïve",
        "",
    ],
)
def test_what_is_canonical_already_stays(written: str) -> None:
    assert canonical(written) == written


@pytest.mark.parametrize("written", ["", " ", "\u3000\u200b", "`", "'", '=""', "\ufeff"])
def test_a_text_of_nothing_but_guards_and_space_is_empty(written: str) -> None:
    assert canonical(written) == ""


def test_a_letter_and_its_accent_are_one_however_they_were_typed() -> None:
    assert canonical("e\u0301") == canonical("é") == canonical("e\u200d\u0301") == "é"


@given(st.text() | GUARDED)
@example("e\u200b\u0301")
@example("'''`=\"='A'\"")
def test_a_canonical_text_is_its_own_canonical_form(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once
    assert once == once.strip() == unicodedata.normalize("NFKC", once)
    assert all(unicodedata.category(character) != "Cf" for character in once)


def test_a_text_of_nothing_but_guards_takes_no_longer_than_another() -> None:
    assert canonical('="' * 500_000 + "x" + '"' * 500_000) == "x"
    assert canonical("'" * 1_000_000) == ""
    assert canonical("=" * 1_000_000) == "=" * 1_000_000
