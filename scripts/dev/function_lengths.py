"""Prints how long the functions of the production code are: how many there are, the median, the 90th percentile and the longest.

Counts the lines from `def` to the end without the docstring, so that explaining a function does not make it longer. Migrations are
left out: they list tables.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PRODUCTION = (Path("clearing"), Path("gateway"), Path("sdk/tongdui"), Path("scripts"))
MIGRATIONS = "migrations"


class Function(NamedTuple):
    """A function and its length in lines; the longest sorts last."""

    lines: int
    place: str


def main() -> int:
    """Prints the figures for the directories named, or for all production code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="*", type=Path, default=PRODUCTION, help="default: all production code")
    parser.add_argument("--longest", type=int, default=0, metavar="N", help="also list the N longest functions")
    chosen = parser.parse_args()
    files = [
        path
        for directory in chosen.directory
        for path in sorted(directory.rglob("*.py"))
        if MIGRATIONS not in path.parts
    ]
    functions = sorted(function for path in files for function in functions_of(path))
    if len(functions) < 2:
        parser.error("there are no functions to compare")
    lengths = [function.lines for function in functions]
    ninth_decile = statistics.quantiles(lengths, n=10, method="inclusive")[-1]
    print(
        f"{len(lengths)} functions: median {statistics.median(lengths):g} lines, 90th percentile {ninth_decile:g}, "
        f"longest {lengths[-1]} ({functions[-1].place}), mean {statistics.fmean(lengths):.2f}"
    )
    for function in functions[: -chosen.longest - 1 : -1]:
        print(f"  {function.lines:4} {function.place}")
    return 0


def functions_of(path: Path) -> Iterator[Function]:
    """All functions and methods of a file, nested ones too."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(_length(node), f"{path}:{node.lineno} {node.name}")


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    whole = _lines(function)
    return whole - _lines(function.body[0]) if ast.get_docstring(function) is not None else whole


def _lines(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


if __name__ == "__main__":
    sys.exit(main())
