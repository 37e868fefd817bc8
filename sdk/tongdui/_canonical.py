"""The one form in which a text of a till, a card reader or a spreadsheet names something."""

import re
import unicodedata
from typing import Final

LONGEST_TEXT: Final = 128
"""The most characters that a customer's number, an article, a sale's number or a till may have, in its canonical form."""

EXTERNAL: Final = "external:"
"""What a member's name begins with if a merchant's own number for the customer follows."""
FORMULA = re.compile(r"""=\s*(?P<quote>["'])""")
"""How a spreadsheet's formula for a text begins: `="0012"`."""


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
    return unguarded(visible(text))


def canonical_name(name: str) -> str:
    """A member's name with the merchant's own number in its canonical form.

    Args:
        name: `external:` and the number, or an id of the gateway's, which stays as it is.

    Returns:
        The name, the same for every way of writing the number.
    """
    return EXTERNAL + canonical(name.removeprefix(EXTERNAL)) if name.startswith(EXTERNAL) else name


def visible(text: str) -> str:
    """The text in compatible composition, without its format characters."""
    if text.isascii():
        return text
    before = ""
    while text != before:  # a letter and its accent may find each other when what stood between them is gone
        before = text
        composed = unicodedata.normalize("NFKC", text)
        text = "".join(character for character in composed if unicodedata.category(character) != "Cf")
    return text


def unguarded(text: str) -> str:
    """The text without the white space and the spreadsheets' guards around it. It is cut once, however many there are."""
    start, end = 0, len(text)
    while start < end:
        if text[start].isspace() or text[start] in "`'":
            start += 1
        elif text[end - 1].isspace():
            end -= 1
        elif (quoted := FORMULA.match(text, start, end)) and quoted.end() < end and text[end - 1] == quoted["quote"]:
            start, end = quoted.end(), end - 1
        else:
            break
    return text[start:end]
