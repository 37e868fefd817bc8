"""Every kind of message, what its text may name, and the texts that it has until staff write others."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LANGUAGES: Final = ("en", "zh")
LONGEST_TITLE: Final = 60
LONGEST_BODY: Final = 500
_Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A message in words."""

    title: str
    body: str


class WrongText(Exception):
    """A text that cannot be meant; the sentence says what is wrong."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message.

    Attributes:
        texts: Its text in each language, with `{name}` where a value belongs.
        example: A value for each name that a text may have. One that is a mapping has one for each language.
    """

    texts: Mapping[str, Text]
    example: _Values


def _kind(en: tuple[str, str], zh: tuple[str, str], /, **example: Any) -> Kind:
    return Kind({"en": Text(*en), "zh": Text(*zh)}, example)


SIGN_IN_CODE: Final = "sign_in_code"
"""Sent at once and kept nowhere, so it has no switch and stands in no log."""

KINDS: Final[Mapping[str, Kind]] = {
    SIGN_IN_CODE: _kind(
        ("Your code", "{code} is your code. It is good for {minutes} minutes. Give it to nobody."),
        ("验证码", "您的验证码是 {code}，{minutes} 分钟内有效。请勿告诉任何人。"),
        code="493027",
        minutes=10,
    ),
    "points_expiring": _kind(
        ("Points expire", "{points} of your points expire at the end of {expires_on}. Use them before."),
        ("积分即将到期", "您有 {points} 积分将于 {expires_on} 到期，请及时使用。"),
        points=1_200,
        program="FUEL",
        expires_on="2026-12-31",
        days=30,
    ),
    "tier_reached": _kind(
        ("You are {tier} now", "You have reached {tier}. Thank you."),
        ("您已升级为{tier}", "恭喜您升级为{tier}，感谢您的支持。"),
        tier={"en": "Gold", "zh": "金卡"},
    ),
    "tier_ending": _kind(
        ("{tier} ends soon", "You stay {tier} until {until}. What you buy before then counts."),
        ("{tier}即将到期", "您的{tier}保留至 {until}，在此之前的消费都算数。"),
        tier={"en": "Gold", "zh": "金卡"},
        until="2027-01-31",
    ),
    "task_done": _kind(
        ("Task done", "{reason}: {points} points are yours."),
        ("任务完成", "{reason}：奖赏您 {points} 积分。"),
        points=300,
        reason={"en": "three days running", "zh": "连续三天加油"},
    ),
    "referral_rewarded": _kind(
        ("Thank you for bringing somebody", "{reason}: {points} points are yours."),
        ("推荐奖赏", "{reason}：奖赏您 {points} 积分。"),
        points=500,
        reason={"en": "your friend's first fill", "zh": "好友首次加油"},
    ),
    "gift_given": _kind(
        ("A gift for you", "{reason}: {points} points are yours."),
        ("礼物送达", "{reason}：送您 {points} 积分。"),
        points=100,
        reason={"en": "happy birthday", "zh": "生日快乐"},
    ),
    "bonus_taken_back": _kind(
        (
            "Points taken back",
            "{points} points for “{reason}” were taken back, because what they were for was returned.",
        ),
        ("积分已收回", "因相关商品已退货，“{reason}”的 {points} 积分已收回。"),
        points=300,
        reason={"en": "three days running", "zh": "连续三天加油"},
    ),
}
SWITCHED: Final = tuple(kind for kind in KINDS if kind != SIGN_IN_CODE)
"""Kinds that wait in the database until they are sent."""


def render(kind: str, language: str, values: _Values, texts: Mapping[str, Text] | None = None) -> Text:
    """A message in words, in the language, with the default text unless another one is given."""
    text = (texts or KINDS[kind].texts)[language]
    own = {name: value[language] if isinstance(value, Mapping) else value for name, value in values.items()}
    return Text(text.title.format_map(own), text.body.format_map(own))


def check(kind: str, text: str, longest: int) -> None:
    """Raises WrongText if a text of this kind cannot be rendered, or is longer than channels take."""
    if not text.strip():
        raise WrongText("it is empty")
    if len(text) > longest:
        raise WrongText(f"it has at most {longest} characters, and these are {len(text)}")
    names = ", ".join(f"{{{name}}}" for name in KINDS[kind].example)
    try:
        found = [*string.Formatter().parse(text)]
    except ValueError as error:
        raise WrongText(f"{error}; a brace itself is written twice: {{{{ or }}}}") from None
    for _, name, form, conversion in found:
        if name is not None and (name not in KINDS[kind].example or form or conversion):
            raise WrongText(f"{{{name}}} is none of {names}")
