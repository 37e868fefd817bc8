"""What staff write about messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loyalty.messages.templates import LANGUAGES, LONGEST_BODY, LONGEST_TITLE
from loyalty.messages.templates import Text as MessageText
from pages.forms import Flag, Form, LongText, Text
from pages.translations import lazy


class Texts(Form):
    """Whether a kind of message is sent, and its texts in both languages."""

    is_on = Flag(lazy("Customers are told of this"))
    title_zh = Text(lazy("Title in Chinese"), longest=LONGEST_TITLE, pointer="/zh/title")
    body_zh = LongText(lazy("Text in Chinese"), longest=LONGEST_BODY, pointer="/zh/body")
    title_en = Text(lazy("Title in English"), longest=LONGEST_TITLE, pointer="/en/title")
    body_en = LongText(lazy("Text in English"), longest=LONGEST_BODY, pointer="/en/body")

    @staticmethod
    def beginning(is_on: bool, texts: Mapping[str, MessageText]) -> dict[str, Any]:
        """What stands in the fields."""
        titles = {f"title_{language}": texts[language].title for language in LANGUAGES}
        return {"is_on": is_on, **titles, **{f"body_{language}": texts[language].body for language in LANGUAGES}}

    @property
    def texts(self) -> dict[str, MessageText]:
        """The texts as they were typed."""
        values = self.values
        return {name: MessageText(values[f"title_{name}"], values[f"body_{name}"]) for name in LANGUAGES}


class Reset(Form):
    """Back to the texts that the programme came with: nothing is typed."""

    ids = "r-"
