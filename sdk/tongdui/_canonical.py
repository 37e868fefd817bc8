"""The one form in which a text of a till, a card reader or a spreadsheet names something."""

import re
import unicodedata
from typing import Final

LONGEST_TEXT: Final = 128
"""The most characters that a customer's number, an article, a sale's number or a till may have, in its canonical form."""

GUARD = re.compile(r"""=\s*(?P<quote>["'])(?P<text>.*)(?P=quote)|[`'](?P<rest>.*)""", re.DOTALL)


def canonical(text: str) -> str:
    """The same text without what writing it down, exporting it or copying it has added.

    Full-width and other compatible letters become plain ones (NFKC). Characters that nobody sees (a byte order mark,
    a zero-width space) go, and so do white space at both ends and what spreadsheets put around a number to keep its
    digits: `="0012"`, a leading backtick, a leading apostrophe. What is canonical already stays as it is.

    Args:
        text: The text as it was read.

    Returns:
        Its canonical form, which may be empty.
    """
    if text.isascii() and text.isalnum():
        return text
    before = None
    while text != before:
        before = text
        text = without_guard(visible(text).strip())
    return text


def visible(text: str) -> str:
    """The text in compatible composition, without its format characters."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFKC", text)
    return "".join(character for character in composed if unicodedata.category(character) != "Cf")


def without_guard(text: str) -> str:
    """What stands inside a spreadsheet's guard, or the text itself."""
    if guard := GUARD.fullmatch(text):
        return guard["rest"] if guard["text"] is None else guard["text"]
    return text
