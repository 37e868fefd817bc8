"""The error catalogue: it has every code that the sources raise, and the pages of the docs are made from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from clearing.kit.catalogue import CATALOGUE, GROUPS
from scripts.dev import error_catalogue

ROOT = Path(__file__).resolve().parents[2]


def _raised() -> Iterator[tuple[str, str]]:
    """(where, code) of every code that a source names."""
    for top in ("clearing", "gateway"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for code in _codes(node):
                    yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", code


def _codes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
            yield code
        case ast.ClassDef(body=body, bases=[_, *_]):
            for statement in body:
                match statement:
                    case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                        yield code
        case ast.Call(func=ast.Name(id="HttpError"), args=[_, ast.Constant(value=str(code)), *_]):
            yield code
        case ast.Call(
            func=ast.Attribute(attr="of", value=ast.Name(id="NotFound")), args=[ast.Constant(value=str(noun)), *_]
        ):
            yield f"unknown_{noun}"


def test_every_code_that_the_sources_raise_is_in_the_catalogue() -> None:
    raised = list(_raised())
    assert len(raised) > 60
    assert [(where, code) for where, code in raised if code not in CATALOGUE] == []


def test_no_code_stands_twice_or_without_words() -> None:
    kinds = [kind for group in GROUPS.values() for kind in group]
    assert len(kinds) == len(CATALOGUE)
    for kind in kinds:
        assert all((kind.title, kind.when, kind.remedy)), kind
        assert kind.when.endswith((".", ")")), kind
        assert kind.remedy.endswith((".", ")")), kind
        assert not kind.title.endswith("."), kind


def test_the_pages_of_the_docs_are_current() -> None:
    assert error_catalogue.ENGLISH.read_text(encoding="utf-8") == error_catalogue.english(), "run `make errors`"
    assert error_catalogue.CHINESE.read_text(encoding="utf-8") == error_catalogue.chinese(), "run `make errors`"
