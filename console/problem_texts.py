"""What the gateway's codes mean, in words for whoever sits before the page."""

from __future__ import annotations

from pages.translations import gettext, lazy

SENTENCES = {
    "insufficient_points": lazy("The member does not have that many points available."),
}


def sentence_of(code: str, title: str) -> str:
    """The sentence for a code of the gateway; its own title for one that is new."""
    known = SENTENCES.get(code)
    return str(known) if known is not None else gettext(title) if title else code
