"""Finds text in a template that a person would read and nobody can translate: between tags, and in attributes that are shown."""

from __future__ import annotations

from html.parser import HTMLParser

from jinja2 import Environment

_SHOWN = frozenset({"alt", "aria-label", "aria-description", "placeholder", "title", "data-label", "data-copied"})
_CODE = frozenset({"script", "style"})
_VALUE = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands for what an expression prints."""


class _Reader(HTMLParser):
    """Reads what is left of a template without its expressions."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._code = 0
        self._quiet: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Looks at the attributes that are shown."""
        self._code += tag in _CODE
        if ("translate", "no") in attrs or self._quiet:
            self._quiet.append(tag)
        for name, value in attrs:
            if name in _SHOWN and value:
                self._look(value)

    def handle_startendtag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """The same, for a tag without content."""
        for name, value in attrs:
            if name in _SHOWN and value:
                self._look(value)

    def handle_endtag(self, tag: str) -> None:
        """Leaves what is code, or is never translated."""
        self._code -= tag in _CODE and self._code > 0
        if tag in self._quiet:
            while self._quiet.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Looks at text."""
        if not self._code and not self._quiet:
            self._look(data)

    def _look(self, text: str) -> None:
        if any(sign.isalpha() for sign in text):
            self.found.append((self.getpos()[0], " ".join(text.replace(_VALUE, "…").split())))


def untranslated_texts(source: str) -> list[tuple[int, str]]:
    """Each such text of a template, with its line. What has `translate="no"` is left out."""
    reader = _Reader()
    reader.feed(_without_expressions(source))
    reader.close()
    return reader.found


def _without_expressions(source: str) -> str:
    """The template with a sign in place of each expression. Its lines stay where they are."""
    parts: list[str] = []
    inside = translated = False
    words: list[str] = []
    for _line, part, value in Environment(extensions=["jinja2.ext.i18n"], autoescape=True).lex(source):
        if part == "data":
            parts.append("\n" * value.count("\n") if translated else value)
        elif part in {"variable_begin", "block_begin", "comment_begin", "raw_begin"}:
            inside, words = True, []
        elif part in {"variable_end", "block_end", "comment_end", "raw_end"}:
            inside = False
            parts.append(_VALUE if part == "variable_end" else "")
            translated = (translated or words[:1] == ["trans"]) and words[:1] != ["endtrans"]
        elif inside and part == "name":
            words.append(value)
        if part != "data":
            parts.append("\n" * value.count("\n"))
    return "".join(parts)
