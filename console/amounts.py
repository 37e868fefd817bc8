"""An amount in words, as on a cheque: whoever books money reads it once more, and a wrong zero is seen."""

from __future__ import annotations

from collections.abc import Iterable

from pages.formats import MICROS
from pages.presentation import presentation

_FEN = MICROS // 100
_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "万亿", "亿亿")
_BELOW_TWENTY = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_THOUSANDS = ("", " thousand", " million", " billion", " trillion", " quadrillion")


def amount_in_words(micros: int) -> str:
    """The amount in the language of the request."""
    return chinese(micros) if presentation().language == "zh" else english(micros, presentation().currency)


def sums_in_words(bookings: Iterable[tuple[str, int]]) -> dict[str, tuple[int, str]]:
    """Of deposits and withdrawals, each with its micros: by kind how much it is together, in figures and in words."""
    sums = {"deposit": 0, "withdrawal": 0}
    for kind, micros in bookings:
        sums[kind] += micros
    return {kind: (micros, amount_in_words(micros)) for kind, micros in sums.items() if micros}


def chinese(micros: int) -> str:
    """As Chinese banks write it: 壹万贰仟叁佰元整."""
    yuan, rest = divmod(micros, MICROS)
    fen, finer = divmod(rest, _FEN)
    said = f"{_chinese_whole(yuan)}元"
    if not fen and not finer:
        return f"{said}整"
    jiao, fen = divmod(fen, 10)
    said += f"{_DIGITS[jiao]}角" if jiao else "零" if fen else ""
    said += f"{_DIGITS[fen]}分" if fen else ""
    return f"{said}又百万分之{finer}元" if finer else said


def _chinese_whole(number: int) -> str:
    if not number:
        return _DIGITS[0]
    groups = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    said = ""
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if not group:
            continue
        has_gap = said != "" and (group < 1_000 or groups[place + 1] == 0)
        said += ("零" if has_gap else "") + _chinese_group(group) + _GROUPS[place]
    return said


def _chinese_group(group: int) -> str:
    said, gap = "", False
    for place in range(3, -1, -1):
        digit = group // 10**place % 10
        if digit:
            said += ("零" if gap and said else "") + _DIGITS[digit] + _PLACES[place]
            gap = False
        else:
            gap = True
    return said


def english(micros: int, currency: str) -> str:
    """As cheques say it: twelve thousand three hundred CNY and 45/100."""
    whole, rest = divmod(micros, MICROS)
    said = f"{_english_whole(whole)} {currency}"
    if not rest:
        return said
    fen, finer = divmod(rest, _FEN)
    return f"{said} and {rest:06d}/1000000" if finer else f"{said} and {fen:02d}/100"


def _english_whole(number: int) -> str:
    if not number:
        return _BELOW_TWENTY[0]
    parts, place = [], 0
    while number:
        number, group = divmod(number, 1_000)
        if group:
            parts.append(_english_group(group) + _THOUSANDS[place])
        place += 1
    return " ".join(reversed(parts))


def _english_group(group: int) -> str:
    hundreds, rest = divmod(group, 100)
    said = [f"{_BELOW_TWENTY[hundreds]} hundred"] if hundreds else []
    if 0 < rest < 20:
        said.append(_BELOW_TWENTY[rest])
    elif rest:
        tens, ones = divmod(rest, 10)
        said.append(_TENS[tens] + (f"-{_BELOW_TWENTY[ones]}" if ones else ""))
    return " ".join(said)
