"""A draft as text."""

from __future__ import annotations

from collections.abc import Iterable

from pages.forms import Form, LongText, Text
from pages.translations import lazy

_TEXT = LongText(lazy("Text (JSON)"), longest=500_000, rows=24)


class Draft(Form):
    """A version of a plan, as text."""

    def refuse_at(self, pointers: Iterable[str], sentence: str) -> None:  # noqa: ARG002 (all of it is the text)
        """Shows what is wrong with the plan beside its text."""
        self.refuse("text", sentence)


class DraftOfNone(Draft):
    """A version of a plan that is about no program."""

    text = _TEXT


class DraftOfProgram(Draft):
    """A version of a plan that is about the points of a program."""

    program = Text(lazy("Program"), longest=32, hint=lazy("Whose points customers get, such as FUEL"))
    text = _TEXT
