"""What commands print: text for people, or one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pydantic import BaseModel

_WIDE = 10_000
"""Columns of what is not a terminal: a pipe gets every row on one line."""
_RIGHT = {"points", "posted", "reserved", "available", "quantity", "amount"}


class Output:
    """Prints to standard output. With `as_json`, only documents; without, only text."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, document: object) -> None:
        """Print a JSON document on one line, if that is the form that is wanted."""
        if self.as_json:
            print(json_for(sys.stdout, document), flush=True)

    def lines(self, *lines: str) -> None:
        """Print lines of text."""
        if not self.as_json:
            for line in lines:
                print(printable(line), flush=True)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Print names and values, one below the other. What is None is left out."""
        shown = {name: value for name, value in facts.items() if value is not None}
        width = max(map(len, shown), default=0)
        self.lines(*(f"  {name:<{width}}  {value}" for name, value in shown.items()))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]], *, beside: bool = False) -> None:
        """Print a table; on standard error if it stands `beside` the result."""
        if self.as_json:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        is_terminal = (sys.stderr if beside else sys.stdout).isatty()
        table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False)
        for name in header:
            table.add_column(name, justify="right" if name in _RIGHT else "left")
        for row in rows:
            table.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
        stream = sys.stderr if beside else sys.stdout
        console = Console(file=stream, width=None if is_terminal else _WIDE)
        with console.capture() as captured:  # rich itself would end the process when nobody reads on
            console.print(table)
        print(captured.get(), end="", file=stream, flush=True)

    def note(self, text: str) -> None:
        """Say something beside the result, on standard error."""
        if not self.as_json:
            print(printable(text), file=sys.stderr, flush=True)


def json_for(stream: TextIO, document: object) -> str:
    """Write a JSON document on one line, with letters that the stream can write."""
    utf = (stream.encoding or "").casefold().startswith("utf")
    return json.dumps(document, ensure_ascii=not utf)


def printable(text: str) -> str:
    """The text without what would steer a terminal: names come from other people."""
    return "".join(letter if letter.isprintable() or letter == "\n" else _escaped(letter) for letter in text)


def document_of(model: BaseModel) -> dict[str, Any]:
    """A resource as JSON, with the gateway's names. What nobody asked to expand is left out."""
    return {
        name: value for name, value in model.model_dump(mode="json").items() if name != "expanded" or value is not None
    }


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
